// sys/ucontext.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_UCONTEXT_H_
#define ACRE_FREEBSD_SYS_UCONTEXT_H_

#include <signal.h>

typedef struct {
#if defined(__x86_64__)
    long mc_rsp;
#else
    int mc_esp;
#endif
} mcontext_t;

typedef struct {
    sigset_t uc_sigmask;
    mcontext_t uc_mcontext;
} ucontext_t;

#endif  // ACRE_FREEBSD_SYS_UCONTEXT_H_
