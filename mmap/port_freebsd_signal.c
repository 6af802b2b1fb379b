// FreeBSD: the context of a signal.
#include "mmap/port_posix_signal.h"

// In this order.
#include <sys/ucontext.h>

const void *
posix_stack_pointer(const void *context)
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
