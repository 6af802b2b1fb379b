// time.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_TIME_H_
#define ACRE_FREEBSD_TIME_H_

#include <sys/types.h>

struct timespec {
    time_t tv_sec;
    long tv_nsec;
};

int nanosleep(const struct timespec *time, struct timespec *left);

#endif  // ACRE_FREEBSD_TIME_H_
