// mmap/port/linux/linux.h - what the files of the Linux port share; system calls as in posix.h.
#ifndef ACRE_MMAP_PORT_LINUX_LINUX_H_
#define ACRE_MMAP_PORT_LINUX_LINUX_H_

// In the symbol table these carry the library's prefix, as the port's functions do.

#include "mmap/port/posix/posix.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>

// Newer than the headers that acre is built with may be.
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
    LINUX_MLOCK_ONFAULT = 1
};
// The same numbers on every architecture.
#define LINUX_SYS_process_madvise 440
#define LINUX_SYS_mseal 462

// The filter that Android puts on its apps kills a process for a call that is not on its list
// (mseal, process_madvise, all about NUMA nodes), instead of refusing it: none is tried there.
#ifdef __ANDROID__
enum { LINUX_IS_ANDROID = 1 };
#else
enum { LINUX_IS_ANDROID = 0 };
#endif

// Whether advice is carried out, by a system that refuses advice that does not exist: qemu-user
// answers 0 to any, and drops pages at most.
int acre_linux_heeds_advice(void);

static inline acre_status
sys_madvise(void *base, size_t size, int advice)
{
    int saved = errno;
    acre_status status = status_of(madvise(base, size, advice), saved);
    int done = status != ACRE_OK || advice == MADV_DONTNEED || acre_linux_heeds_advice();
    return done ? status : -ENOTSUP;
}

// Locks by number: sanitizers let the C library's functions do nothing, and say that they did.
static inline acre_status
sys_mlock(void *base, size_t size)
{
    int saved = errno;
    return status_of(syscall(SYS_mlock, base, size), saved);
}

static inline acre_status
sys_mlock_on_fault(void *base, size_t size)
{
    // musl, and C libraries before 2.27, have no name for it.
    int saved = errno;
    return status_of(syscall(SYS_mlock2, base, size, LINUX_MLOCK_ONFAULT), saved);
}

static inline acre_status
sys_munlock(void *base, size_t size)
{
    int saved = errno;
    return status_of(syscall(SYS_munlock, base, size), saved);
}

// Moves pages to exactly `target`, in place of what is there.
static inline acre_status
sys_move(void *base, size_t size, void *target)
{
    int saved = errno;
    return status_of(
        mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED ? -1 : 0,
        saved);
}

// Shows shared memory a second time, at exactly `target`, in place of what is there: a move of 0
// bytes leaves the pages where they are, too.
static inline acre_status
sys_alias(void *base, size_t size, void *target)
{
    int saved = errno;
    return status_of(
        mremap(base, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == MAP_FAILED ? -1 : 0, saved);
}

// Bytes read, 0 at the end, or a failure.
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
    return got == -1 ? status_of(-1, saved) : got;
}

// Bytes read from offset `at`, or a failure.
static inline ssize_t
sys_pread(int file, void *bytes, size_t count, uint64_t at)
{
    int saved = errno;
    int before = posix_put_off_cancellation();
    ssize_t got = pread(file, bytes, count, (off_t)at);
    posix_permit_cancellation(before);
    return got == -1 ? status_of(-1, saved) : got;
}

// The C libraries differ in the type; the numbers have 32 bits.
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

// The first `capacity` - 1 bytes of a small file, ended by 0; the count, or a failure.
ssize_t acre_linux_read_file(const char *path, char *text, size_t capacity);
// The number at the start of a file; 0 when there is none.
uint64_t acre_linux_read_number(const char *path);
// The smallest explicit huge page size; 0 when there is none.
size_t acre_linux_smallest_huge_size(void);
// Whether pages can be brought by advice (5.14).
int acre_linux_can_populate(void);
// Whether shared memory without a file can be shown twice: 1, 0, or -1: not to be found out now.
int acre_linux_can_alias(void);
// Whether the system takes this advice of a fresh page; -1 when it cannot be found out now.
int acre_linux_takes_advice(int advice);
// PROCMAP_QUERY for the area at `address` of this process; -ENOTSUP or another failure where the
// kernel has none.
acre_status acre_linux_query_self(uintptr_t address, acre_area *out);
// Room of `size` bytes at a multiple of `alignment`, all within `reach` of `near_address`, as near
// as can be but not nearer than `beyond`.
acre_status acre_linux_find_near(size_t size, size_t alignment, uintptr_t near_address,
                                 size_t reach, uintptr_t beyond, void **base);
// -ENOMEM, or ACRE_TOO_MANY_AREAS when the process was seen to be at that limit.
acre_status acre_linux_out_of_memory(void);

// ENOMEM may mean the limit of areas.
static inline acre_status
linux_explain(acre_status status)
{
    return status == -ENOMEM ? acre_linux_out_of_memory() : status;
}

// madvise calls it EAGAIN.
static inline acre_status
linux_explain_advice(acre_status status)
{
    return status == -ENOMEM || status == -EAGAIN ? acre_linux_out_of_memory() : status;
}

// The same of refused advice; -ENOTSUP where the system does not take it of any page.
static inline acre_status
linux_explain_refusal(acre_status status, int advice)
{
    if (status == -EINVAL && advice != LINUX_MADV_COLLAPSE && acre_linux_takes_advice(advice) == 0)
        return -ENOTSUP;
    return linux_explain_advice(status);
}

// Whether two ranges of `size` bytes have addresses in common.
static inline int
linux_overlap(const void *one, const void *other, size_t size)
{
    uintptr_t low = (uintptr_t)one < (uintptr_t)other ? (uintptr_t)one : (uintptr_t)other;
    uintptr_t high = (uintptr_t)one < (uintptr_t)other ? (uintptr_t)other : (uintptr_t)one;
    return high - low < size;
}

// Moves pages that all have the same access to exactly `target`, in place of what is there: those
// of an area, explicit ones of `huge` bytes or 0.  A failure leaves them where they were.  Of
// explicit ones some may be present and others not only if acre_linux_hold_for_huge held the
// target.
acre_status acre_linux_move(void *base, size_t size, void *target, size_t huge, uint32_t access);
acre_status acre_linux_hold_for_huge(const void *old, size_t size, size_t huge, void **base);
// Addresses held by an inaccessible map, at a multiple of `alignment`; a wish for where.
acre_status acre_linux_hold(size_t size, size_t alignment, void *wish, void **base);
// A map with all that it must have, and the flags that were granted; with REPLACE off its place, to
// be moved there.
acre_status acre_linux_build(const port_request *request, void **base, uint32_t *granted);
// What a map must and should have besides its pages: demands, locks, wishes.  Flags of wishes that
// were not granted are taken out of *flags.
acre_status acre_linux_prepare(void *base, const port_request *request, uint32_t *flags);
// Kernel memory with a name, closed on exec: a descriptor, or a failure (-EFBIG: RLIMIT_FSIZE).
// `huge` is a page size or 0; with huge pages the first writable map sets the size.
int acre_linux_memory_object(const char *name, uint64_t size, size_t huge);

#endif  // ACRE_MMAP_PORT_LINUX_LINUX_H_
