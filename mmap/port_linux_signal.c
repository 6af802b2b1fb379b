// Linux: what a signal tells.
#include "mmap/port_posix_signal.h"

// In this order.
#include <sys/auxv.h>
#include <ucontext.h>

int
posix_was_sent(const siginfo_t *info, const void *context)
{
    (void)context;
    return info->si_code <= 0;
}

const void *
posix_stack_pointer(const void *context)
{
    const ucontext_t *interrupted = context;
#if defined(__x86_64__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.gregs[REG_RSP];
#elif defined(__i386__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.gregs[REG_ESP];
#elif defined(__aarch64__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.sp;
#elif defined(__arm__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.arm_sp;
#elif defined(__riscv)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.__gregs[REG_SP];
#elif defined(__powerpc64__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.gp_regs[1];
#elif defined(__s390x__)
    return (const void *)(uintptr_t)interrupted->uc_mcontext.gregs[15];
#else
    (void)interrupted;
    return NULL;
#endif
}

size_t
posix_least_signal_stack(void)
{
    enum { LEAST_OF_THIS_PROCESSOR = 51 };  // AT_MINSIGSTKSZ, which not all headers have
    int saved = errno;                      // ENOENT where the kernel does not tell
    size_t told = (size_t)getauxval(LEAST_OF_THIS_PROCESSOR);
    errno = saved;
    return told > 8192 ? told : 8192;
}
