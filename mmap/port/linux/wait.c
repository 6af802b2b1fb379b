// Linux: waits for a word to change, by futex.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/sys.h"
#include "mmap/port/thread.h"

#include <limits.h>
#include <linux/futex.h>

#ifdef SYS_futex
enum { FUTEX_CALL = SYS_futex };
#else
enum { FUTEX_CALL = SYS_futex_time64 };  // 32-bit systems that never had times of 32 bits
#endif

void
acre_port_wait(const void *word, uint32_t value)
{
    int saved = errno;
    long result = syscall(FUTEX_CALL, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    if (result != 0 && errno != EAGAIN && errno != EINTR)
        posix_pause();  // a sandbox without futexes
    errno = saved;
}

void
acre_port_wake(const void *word)
{
    int saved = errno;
    (void)syscall(FUTEX_CALL, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    errno = saved;
}

#endif  // ACRE_ON_LINUX
