// sys/sysctl.h - as FreeBSD has it.
#include "tests/platforms/freebsd_headers/sys/sysctl.h"
