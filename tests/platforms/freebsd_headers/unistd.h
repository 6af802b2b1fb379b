// unistd.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_UNISTD_H_
#define ACRE_FREEBSD_UNISTD_H_

#include <sys/types.h>

#define _SC_PAGESIZE 47

int close(int file);
int ftruncate(int file, off_t size);
pid_t getpid(void);
int syscall(int number, ...);
long sysconf(int name);

#endif  // ACRE_FREEBSD_UNISTD_H_
