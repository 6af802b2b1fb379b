// macOS and iOS: what a signal reports.
#include "mmap/port/system.h"

#if ACRE_ON_DARWIN

#include "mmap/port/posix/signal.h"

// Must follow signal.h.
#include <sys/ucontext.h>

// Every SIGSEGV and SIGBUS has the code of a fault.  The thread's last reason for entering the
// kernel shows more: a thread that sends itself a signal does so by a system call.
int
acre_posix_was_sent(const siginfo_t *info, const void *context)
{
    const ucontext_t *interrupted = context;
    (void)info;
#if defined(__x86_64__)
    enum { PROCESSOR_FAULTS = 32 };  // above: interrupts, system calls
    return interrupted->uc_mcontext->__es.__trapno >= PROCESSOR_FAULTS;
#elif defined(__aarch64__)
    enum { CLASS_SHIFT = 26, SYSTEM_CALL = 0x15 };
    return interrupted->uc_mcontext->__es.__esr >> CLASS_SHIFT == SYSTEM_CALL;
#else
    (void)interrupted;
    return 0;
#endif
}

const void *
acre_posix_stack_pointer(const void *context)
{
    const ucontext_t *interrupted = context;
#if defined(__x86_64__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext->__ss.__rsp;
#elif defined(__aarch64__)
    return (const void *)(uintptr_t)__darwin_arm_thread_state64_get_sp(
        interrupted->uc_mcontext->__ss);
#else
    (void)interrupted;
    return NULL;
#endif
}

#endif  // ACRE_ON_DARWIN
