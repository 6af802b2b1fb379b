// macOS and iOS: the context of a signal.
#include "mmap/port_posix_signal.h"

// In this order.
#include <sys/ucontext.h>

const void *
posix_stack_pointer(const void *context)
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
