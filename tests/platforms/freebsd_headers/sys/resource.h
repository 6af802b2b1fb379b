// sys/resource.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_RESOURCE_H_
#define ACRE_FREEBSD_SYS_RESOURCE_H_

#include <sys/types.h>

typedef int64_t rlim_t;

#define RLIMIT_MEMLOCK 6
#define RLIMIT_AS 10
#define RLIM_INFINITY ((rlim_t)(((uint64_t)1 << 63) - 1))

struct rlimit {
    rlim_t rlim_cur, rlim_max;
};

int getrlimit(int resource, struct rlimit *limit);

#endif  // ACRE_FREEBSD_SYS_RESOURCE_H_
