// FreeBSD: waits for a word to change, by _umtx_op.
#include "mmap/port/system.h"

#if ACRE_ON_FREEBSD

#include "mmap/port/posix/posix.h"
#include "mmap/port/thread.h"

#include <limits.h>
#include <sys/types.h>
#include <sys/umtx.h>

void
acre_port_wait(const void *word, uint32_t value)
{
    int saved = errno;
    if (_umtx_op((void *)(uintptr_t)word, UMTX_OP_WAIT_UINT_PRIVATE, value, NULL, NULL) != 0 &&
        errno != EINTR)
        posix_pause();
    errno = saved;
}

void
acre_port_wake(const void *word)
{
    int saved = errno;
    (void)_umtx_op((void *)(uintptr_t)word, UMTX_OP_WAKE_PRIVATE, INT_MAX, NULL, NULL);
    errno = saved;
}

#endif  // ACRE_ON_FREEBSD
