// macOS, iOS, FreeBSD: what a signal tells, and what it takes.
#include "mmap/port_posix_signal.h"

int
posix_was_sent(const siginfo_t *info)
{
    return info->si_code >= SI_USER;
}

size_t
posix_least_signal_stack(void)
{
    return MINSIGSTKSZ;
}
