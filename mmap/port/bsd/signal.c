// macOS, iOS, FreeBSD: what signals need.
#include "mmap/port/system.h"

#if ACRE_ON_BSD

#include "mmap/port/posix/signal.h"

int
acre_posix_comes_again(const siginfo_t *info)
{
    (void)info;
    return 1;
}

void
acre_posix_send_again(int signal, const siginfo_t *info)
{
    (void)info;
    (void)raise(signal);
}

// These systems end a process with SIGILL, without calling a handler, when a signal's frame does
// not fit on the stack.
size_t
acre_posix_unwritten_frame(const siginfo_t *info, const void *context)
{
    (void)info;
    (void)context;
    return 0;
}

size_t
acre_posix_least_signal_stack(void)
{
    return MINSIGSTKSZ;
}

#endif  // ACRE_ON_BSD
