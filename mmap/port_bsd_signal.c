// macOS, iOS, FreeBSD: what a signal takes.
#include "mmap/port_posix_signal.h"

size_t
posix_least_signal_stack(void)
{
    return MINSIGSTKSZ;
}
