// mmap/port/linux/sys.h - the system calls of the Linux port.  Each returns its status and
// preserves errno.  Calls that all POSIX systems share are in posix.h.
#ifndef ACRE_MMAP_PORT_LINUX_SYS_H_
#define ACRE_MMAP_PORT_LINUX_SYS_H_

#include "mmap/port/posix/posix.h"

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

// The headers that acre is built with may be too old to define these.
enum {
    LINUX_MAP_DROPPABLE = 0x08,
    LINUX_MAP_FIXED_NOREPLACE = 0x100000,
    LINUX_MAP_HUGE_SHIFT = 26,
    LINUX_MADV_COLD = 20,
    LINUX_MADV_PAGEOUT = 21,
    LINUX_MADV_POPULATE_READ = 22,
    LINUX_MADV_POPULATE_WRITE = 23,
    LINUX_MADV_DONTNEED_LOCKED = 24,
    LINUX_MADV_COLLAPSE = 25,
    LINUX_MADV_GUARD_INSTALL = 102,
    LINUX_MADV_GUARD_REMOVE = 103,
    LINUX_MLOCK_ONFAULT = 1,
    LINUX_MREMAP_DONTUNMAP = 4
};
// The same numbers on every architecture.
#define LINUX_SYS_process_madvise 440
#define LINUX_SYS_mseal 462

// Android filters the system calls of apps.  The filter does not refuse a call that is not on its
// list (mseal, process_madvise, everything about NUMA nodes) but kills the process, so none of them
// is tried there.
#ifdef __ANDROID__
enum { LINUX_IS_ANDROID = 1 };
#else
enum { LINUX_IS_ANDROID = 0 };
#endif

static inline acre_status
sys_madvise(void *base, size_t size, int advice)
{
    int saved = errno;
    return status_of(madvise(base, size, advice), saved);
}

// Locks use syscall(): sanitizers replace the C library's functions with ones that do nothing and
// report success.
static inline acre_status
sys_mlock(void *base, size_t size)
{
    int saved = errno;
    return status_of(syscall(SYS_mlock, base, size), saved);
}

static inline acre_status
sys_mlock_on_fault(void *base, size_t size)
{
    // musl and glibc before 2.27 have no function for it.
    int saved = errno;
    return status_of(syscall(SYS_mlock2, base, size, LINUX_MLOCK_ONFAULT), saved);
}

static inline acre_status
sys_munlock(void *base, size_t size)
{
    int saved = errno;
    return status_of(syscall(SYS_munlock, base, size), saved);
}

// Moves pages to exactly `target` and replaces what is mapped there.
static inline acre_status
sys_move(void *base, size_t size, void *target)
{
    int saved = errno;
    return status_of(
        mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED ? -1 : 0,
        saved);
}

// Maps shared memory a second time, at exactly `target`, and replaces what is mapped there.  A move
// of 0 bytes keeps the old mapping as well.
static inline acre_status
sys_alias(void *base, size_t size, void *target)
{
    int saved = errno;
    return status_of(
        mremap(base, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED ? -1 : 0, saved);
}

// The same, at an address that the kernel chooses.
static inline acre_status
sys_alias_anywhere(void *base, size_t size, void **result)
{
    int saved = errno;
    *result = mremap(base, 0, size, MREMAP_MAYMOVE);
    return status_of(*result == MAP_FAILED ? -1 : 0, saved);
}

// Moves pages as sys_move does, but leaves the old addresses mapped, without pages (since 5.7, for
// private memory without a file).
static inline acre_status
sys_move_and_keep(void *base, size_t size, void *target)
{
    int saved = errno;
    void *moved =
        mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | LINUX_MREMAP_DONTUNMAP, target);
    return status_of(moved == MAP_FAILED ? -1 : 0, saved);
}

// Returns the number of bytes read, 0 at the end, or a failure.
static inline ssize_t
sys_read(int file, void *bytes, size_t count)
{
    int saved = errno;
    int before = posix_put_off_cancellation();
    ssize_t got;
    do
        got = read(file, bytes, count);
    while (got == -1 && errno == EINTR);
    posix_permit_cancellation(before);
    if (got == -1)
        return status_of(-1, saved);
    errno = saved;
    return got;
}

// Returns the number of bytes read from offset `at`, or a failure.
static inline ssize_t
sys_pread(int file, void *bytes, size_t count, uint64_t at)
{
    int saved = errno;
    int before = posix_put_off_cancellation();
    ssize_t got;
    do
        got = pread(file, bytes, count, (off_t)at);
    while (got == -1 && errno == EINTR);
    posix_permit_cancellation(before);
    if (got == -1)
        return status_of(-1, saved);
    errno = saved;
    return got;
}

static inline acre_status
sys_seek(int file, off_t position)
{
    int saved = errno;
    return status_of(lseek(file, position, SEEK_SET) == -1 ? -1 : 0, saved);
}

// Returns where the next read begins; 0 when unknown.
static inline off_t
sys_position(int file)
{
    int saved = errno;
    off_t position = lseek(file, 0, SEEK_CUR);
    errno = saved;
    return position > 0 ? position : 0;
}

// The type depends on the C library; the numbers have 32 bits.
#ifdef __GLIBC__
typedef unsigned long linux_ioctl_request;
#else
typedef int linux_ioctl_request;
#endif

static inline acre_status
sys_ioctl(int file, unsigned long request, void *argument, int *answer)
{
    int saved = errno;
    int result = ioctl(file, (linux_ioctl_request)request, argument);
    if (result == -1)
        return status_of(-1, saved);
    *answer = result;
    return ACRE_OK;
}

// Returns the program break, the end of the heap; 0 when unknown.
static inline uintptr_t
sys_break(void)
{
    int saved = errno;
    long end = syscall(SYS_brk, 0);
    errno = saved;
    return end > 0 ? (uintptr_t)end : 0;
}

// Whether this process may not use transparent huge pages at all.  The setting survives exec.
// (With bit 1 set they are forbidden only where nobody asked for them.)
static inline int
sys_forbids_huge(void)
{
    int saved = errno;
    int answer = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
    errno = saved;
    return answer == 1;
}

// Names anonymous memory; NULL removes the name.
static inline acre_status
sys_name(void *base, size_t size, const char *name)
{
    enum { SET_VMA = 0x53564d41, SET_VMA_ANON_NAME = 0 };
    int saved = errno;
    return status_of(prctl(SET_VMA, SET_VMA_ANON_NAME, base, size, name), saved);
}

#endif  // ACRE_MMAP_PORT_LINUX_SYS_H_
