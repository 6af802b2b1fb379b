// Linux: the meaning of a signal's information.
//
// 1. A fault of an instruction has a code of its own, and the instruction faults again when it is
//    repeated.
// 2. SI_KERNEL is for the rest.  The kernel raises SIGSEGV with it when a signal's frame does not
//    fit on the stack (that signal is lost), when the frame to return to is broken, and for some
//    faults of x86 instructions.  Only these instructions fault again.  The address is 0.
// 3. Memory that broke before anybody touched it (BUS_MCEERR_AO) and memory tags that are checked
//    late (SEGV_MTEAERR) are reported by an ordinary signal, which can be ignored or blocked and
//    does not come again.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/posix/signal.h"

// The order matters.
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>

// Not all headers have these.
enum {
    LINUX_SEGV_MTEAERR = 8,
    LINUX_SEGV_LAST_KNOWN = 10,  // SEGV_CPERR
    LINUX_BUS_MCEERR_AR = 4,
    LINUX_BUS_MCEERR_AO = 5
};

enum { UNKNOWN_FRAME = 8192 };  // larger than any frame whose size a kernel does not report

int
acre_posix_was_sent(const siginfo_t *info, const void *context)
{
    (void)context;
    return info->si_code <= 0 ||
           info->si_code == (info->si_signo == SIGBUS ? LINUX_BUS_MCEERR_AO : LINUX_SEGV_MTEAERR);
}

int
acre_posix_comes_again(const siginfo_t *info)
{
    // Nothing is known of newer codes, so they count as not coming again.
    return info->si_code <=
           (info->si_signo == SIGBUS ? LINUX_BUS_MCEERR_AR : LINUX_SEGV_LAST_KNOWN);
}

// Returns the size of the largest signal frame on this processor, with all its registers; 0 where
// the kernel does not report it.
static size_t
reported_frame(void)
{
    enum { LEAST_OF_THIS_PROCESSOR = 51 };  // AT_MINSIGSTKSZ, which not all headers have
    int saved = errno;                      // ENOENT where the kernel does not report it
    size_t told = (size_t)getauxval(LEAST_OF_THIS_PROCESSOR);
    errno = saved;
    return told;
}

void
acre_posix_send_again(int signal, const siginfo_t *info)
{
    int saved = errno;
    siginfo_t copy = *info;
    long sent = syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, &copy);
    if (sent != 0)
        (void)raise(signal);
    errno = saved;
}

// Whether an x86 instruction raised a signal with the code SI_KERNEL.  The context keeps the number
// of the thread's last fault.  So if the thread survived such a fault earlier, a frame that does
// not fit is mistaken for another one: the process then ends and nothing is reported.
static int
was_raised_by_instruction(const void *context)
{
#if defined(__x86_64__) || defined(__i386__)
    enum { OVERFLOW = 4, BOUNDS = 5, TASK_SEGMENT = 10, GENERAL_PROTECTION = 13 };
    const ucontext_t *interrupted = context;
    long fault = (long)interrupted->uc_mcontext.gregs[REG_TRAPNO];
    return fault == OVERFLOW || fault == BOUNDS ||
           (fault >= TASK_SEGMENT && fault <= GENERAL_PROTECTION);
#else
    (void)context;
    return 0;
#endif
}

size_t
acre_posix_unwritten_frame(const siginfo_t *info, const void *context)
{
    enum { RED_ZONE = 128 };  // of x86_64; elsewhere there is none, or the frame size includes it
    if (info->si_signo != SIGSEGV || info->si_code != SI_KERNEL ||
        was_raised_by_instruction(context))
        return 0;
    size_t told = reported_frame();
    return (told != 0 ? told : UNKNOWN_FRAME) + RED_ZONE;
}

const void *
acre_posix_stack_pointer(const void *context)
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
acre_posix_least_signal_stack(void)
{
    size_t told = reported_frame();
    return told > UNKNOWN_FRAME ? told : UNKNOWN_FRAME;
}

#endif  // ACRE_ON_LINUX
