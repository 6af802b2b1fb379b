// sys/syscall.h - the one system call that the port makes by number: the kernel reads a page.
#ifndef ACRE_TESTS_FREEBSD_SYS_SYSCALL_H_
#define ACRE_TESTS_FREEBSD_SYS_SYSCALL_H_

#pragma GCC system_header  // include_next is an extension

#include_next <sys/syscall.h>

#define SYS_sigprocmask 0
#define syscall(number, how, page, old) fake_sigprocmask(page)

long fake_sigprocmask(const void *page);

#endif  // ACRE_TESTS_FREEBSD_SYS_SYSCALL_H_
