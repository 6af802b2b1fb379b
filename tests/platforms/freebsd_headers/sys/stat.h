// sys/stat.h of FreeBSD 13.2: the members that acre uses, not the layout.
#ifndef ACRE_FREEBSD_SYS_STAT_H_
#define ACRE_FREEBSD_SYS_STAT_H_

#include <sys/types.h>

struct stat {
    dev_t st_dev;
    ino_t st_ino;
    mode_t st_mode;
    off_t st_size;
};

#define S_ISREG(mode) (((mode)&0170000) == 0100000)
#define S_ISCHR(mode) (((mode)&0170000) == 0020000)

int fstat(int file, struct stat *status);
int stat(const char *path, struct stat *status);

#endif  // ACRE_FREEBSD_SYS_STAT_H_
