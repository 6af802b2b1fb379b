// sys/user.h - as FreeBSD has it, whose paths are shorter.
#include <sys/param.h>

#undef PATH_MAX
#define PATH_MAX 1024

#include "tests/platforms/freebsd_headers/sys/user.h"
