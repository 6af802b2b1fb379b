// FreeBSD: what a signal reports.
#include "mmap/port/system.h"

#if ACRE_ON_FREEBSD

#include "mmap/port/posix/signal.h"

// Must follow signal.h.
#include <sys/ucontext.h>

int
acre_posix_was_sent(const siginfo_t *info, const void *context)
{
    (void)context;
    return info->si_code >= SI_USER;
}

const void *
acre_posix_stack_pointer(const void *context)
{
    const ucontext_t *interrupted = context;
#if defined(__x86_64__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.mc_rsp;
#elif defined(__i386__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.mc_esp;
#elif defined(__aarch64__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.mc_gpregs.gp_sp;
#else
    (void)interrupted;
    return NULL;
#endif
}

#endif  // ACRE_ON_FREEBSD
