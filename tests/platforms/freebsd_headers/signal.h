// signal.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SIGNAL_H_
#define ACRE_FREEBSD_SIGNAL_H_

#include <sys/types.h>

#define SIGBUS 10
#define SIGSEGV 11

#define SIG_DFL ((void (*)(int))0)
#define SIG_IGN ((void (*)(int))1)
#define SIG_BLOCK 1
#define SIG_UNBLOCK 2
#define SIG_SETMASK 3

#define SA_ONSTACK 0x0001
#define SA_RESTART 0x0002
#define SA_RESETHAND 0x0004
#define SA_NODEFER 0x0010
#define SA_SIGINFO 0x0040

#define SI_USER 0x10001

#define SS_DISABLE 0x0004
#define MINSIGSTKSZ (512 * 4)

typedef struct {
    unsigned bits[4];
} sigset_t;

typedef struct {
    int si_signo, si_errno, si_code;
    void *si_addr;
} siginfo_t;

struct sigaction {
    union {
        void (*of_one)(int);
        void (*of_three)(int, siginfo_t *, void *);
    } function;
    int sa_flags;
    sigset_t sa_mask;
};
#define sa_handler function.of_one
#define sa_sigaction function.of_three

typedef struct {
    void *ss_sp;
    size_t ss_size;
    int ss_flags;
} stack_t;

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int raise(int signal);
int sigaction(int signal, const struct sigaction *action, struct sigaction *old);
int sigaddset(sigset_t *set, int signal);
int sigaltstack(const stack_t *next, stack_t *old);
int sigdelset(sigset_t *set, int signal);
int sigemptyset(sigset_t *set);
int sigismember(const sigset_t *set, int signal);

#endif  // ACRE_FREEBSD_SIGNAL_H_
