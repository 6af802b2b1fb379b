// Linux: memory objects: files in kernel memory that are in no folder.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/memfd.h"
#include "mmap/port/memory.h"

#include <linux/memfd.h>
#include <signal.h>
#include <sys/resource.h>

static int
is_beyond_limit(uint64_t size)
{
    struct rlimit limit;
    int saved = errno;
    return status_of(getrlimit(RLIMIT_FSIZE, &limit), saved) == ACRE_OK &&
           limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur;
}

// Removes a signal that is pending for this thread.
static void
drop_signal(const sigset_t *signal)
{
    struct timespec none = {0};
    int before = posix_put_off_cancellation();
    (void)sigtimedwait(signal, NULL, &none);
    posix_permit_cancellation(before);
}

static acre_status
set_size(int file, uint64_t size)
{
    if (is_beyond_limit(size))
        return -EFBIG;
    int saved = errno;
    sigset_t too_large, mask, waiting;
    (void)sigemptyset(&too_large);
    (void)sigaddset(&too_large, SIGXFSZ);
    (void)sigemptyset(&waiting);
    int blocked = pthread_sigmask(SIG_BLOCK, &too_large, &mask) == 0;
    (void)sigpending(&waiting);
    acre_status status = status_of(ftruncate(file, (off_t)size), saved);
    // A signal that was pending before is not ours.
    if (blocked && status == -EFBIG && sigismember(&waiting, SIGXFSZ) == 0)
        drop_signal(&too_large);
    if (blocked)
        (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    errno = saved;
    return status;
}

int
acre_linux_memory_object(const char *name, uint64_t size, size_t huge)
{
    enum { NOEXEC_SEAL = 8 };  // 6.3: without it the kernel complains in its log, or refuses
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    if (huge != 0)
        flags |= MFD_HUGETLB | (unsigned)__builtin_ctzll(huge) << LINUX_MAP_HUGE_SHIFT;
    int saved = errno;
    long file = syscall(SYS_memfd_create, name, flags | NOEXEC_SEAL);
    if (file == -1 && errno == EINVAL)
        file = syscall(SYS_memfd_create, name, flags);
    if (file == -1)
        return status_of(-1, saved);
    errno = saved;
    acre_status status = huge == 0 && size != 0 ? set_size((int)file, size) : ACRE_OK;
    if (status == ACRE_OK)
        return (int)file;
    sys_close((int)file);
    return status;
}

#endif  // ACRE_ON_LINUX
