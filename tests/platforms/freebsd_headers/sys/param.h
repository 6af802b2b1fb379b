// sys/param.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_PARAM_H_
#define ACRE_FREEBSD_SYS_PARAM_H_

#include <sys/types.h>

#define PATH_MAX 1024

#endif  // ACRE_FREEBSD_SYS_PARAM_H_
