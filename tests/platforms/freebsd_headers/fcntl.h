// fcntl.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_FCNTL_H_
#define ACRE_FREEBSD_FCNTL_H_

#include <sys/types.h>

#define O_RDONLY 0x0000
#define O_RDWR 0x0002
#define O_NONBLOCK 0x0004
#define O_NOCTTY 0x8000
#define O_CLOEXEC 0x00100000

#define F_ADD_SEALS 19
#define F_SEAL_SEAL 0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW 0x0004
#define F_SEAL_WRITE 0x0008

int open(const char *path, int flags, ...);
int fcntl(int file, int command, ...);

#endif  // ACRE_FREEBSD_FCNTL_H_
