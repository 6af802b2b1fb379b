// sys/syscall.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_SYSCALL_H_
#define ACRE_FREEBSD_SYS_SYSCALL_H_

#define SYS_sigprocmask 340

#endif  // ACRE_FREEBSD_SYS_SYSCALL_H_
