// mmap/port/posix/posix.h - what the ports of all POSIX systems share: system calls that answer by
// value and keep errno, and the port functions that are the same everywhere (map.c).
#ifndef ACRE_MMAP_PORT_POSIX_POSIX_H_
#define ACRE_MMAP_PORT_POSIX_POSIX_H_

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "mmap/port/area.h"
#include "mmap/port/memory.h"
#include "mmap/port/probe.h"
#include "mmap/port/thread.h"

// ---- system calls -------------------------------------------------------------------------------

// `result` is that of a call that answers -1 on failure, `saved` the errno from before it.
static inline acre_status
status_of(long result, int saved)
{
    if (result != -1)
        return ACRE_OK;
    int error = errno;
    errno = saved;
    // Some systems tell EOPNOTSUPP, whose number may be another, or that there is no such call.
    if (error == ENOSYS || error == EOPNOTSUPP)
        return -ENOTSUP;
    return error > 0 ? -error : -EIO;  // never the latter: so that compilers see a failure, too
}

static inline acre_status
sys_mmap(void *address, size_t size, int protection, int flags, int file, uint64_t offset,
         void **base)
{
    int saved = errno;
    void *result = mmap(address, size, protection, flags, file, (off_t)offset);
    if (result == MAP_FAILED)
        return status_of(-1, saved);
    *base = result;
    return ACRE_OK;
}

static inline acre_status
sys_munmap(void *base, size_t size)
{
    int saved = errno;
    return status_of(munmap(base, size), saved);
}

static inline acre_status
sys_mprotect(void *base, size_t size, int protection)
{
    int saved = errno;
    return status_of(mprotect(base, size, protection), saved);
}

// Around calls at which a thread may be cancelled: what acre holds meanwhile would stay held.
static inline int
posix_put_off_cancellation(void)
{
    int before = 0;
#ifndef __ANDROID__  // has no cancellation
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
#endif
    return before;
}

static inline void
posix_permit_cancellation(int before)
{
#ifndef __ANDROID__
    (void)pthread_setcancelstate(before, NULL);
#else
    (void)before;
#endif
}

// The descriptor, or a failure.
static inline int
sys_open(const char *path, int flags)
{
    int saved = errno;
    int before = posix_put_off_cancellation();
    int file;
    do
        file = open(path, flags | O_CLOEXEC);
    while (file == -1 && errno == EINTR);
    posix_permit_cancellation(before);
    if (file == -1)
        return status_of(-1, saved);
    errno = saved;
    return file;
}

static inline void
sys_close(int file)
{
    // The descriptor is gone whatever close answers, and nothing was written through it.
    int saved = errno;
    int before = posix_put_off_cancellation();
    (void)close(file);
    posix_permit_cancellation(before);
    errno = saved;
}

static inline int
posix_protection(uint32_t access)
{
    return (access & ACRE_READ ? PROT_READ : 0) | (access & ACRE_WRITE ? PROT_WRITE : 0) |
           (access & ACRE_EXEC ? PROT_EXEC : 0);
}

// ---- kinds of maps ------------------------------------------------------------------------------

// Memory whose pages belong to an object of the kernel's, not of a file system: shared, or a view
// of a ring or twin.
static inline int
posix_is_shared_memory(const acre_mmap *map)
{
    return (map->flags & (ACRE_IS_RING | ACRE_IS_TWIN)) != 0 ||
           (map->flags & (ACRE_MAP_SHARED | ACRE_IS_FILE)) == ACRE_MAP_SHARED;
}

// Whether all pages have the same access, or are all reserved, and how many areas they are.
static inline int
posix_is_alike(const acre_mmap *map, uint32_t *access, size_t *areas)
{
    uintptr_t at = (uintptr_t)map->base;
    uintptr_t end = at + map->size;
    acre_area first = {0};
    for (*areas = 0; at < end; ++*areas) {
        acre_area area;
        if (acre_port_area_at(at, &area) != ACRE_OK)
            return 0;
        if (*areas == 0)
            first = area;
        if (area.access != first.access || (area.flags ^ first.flags) & ACRE_AREA_RESERVED)
            return 0;
        at = area.end;
    }
    *access = first.access;
    return 1;
}

// Private memory without a file or an image.
static inline int
posix_is_anonymous(uint32_t flags)
{
    uint32_t others = ACRE_MAP_SHARED | ACRE_IS_FILE | ACRE_IS_RING | ACRE_IS_TWIN | ACRE_IS_CLONE;
    return (flags & others) == 0;
}

// What can be committed: reservations and private anonymous maps; of adopted ones only what was
// said to be a reservation.
static inline int
posix_is_committable(uint32_t flags)
{
    return posix_is_anonymous(flags) &&
           (flags & (ACRE_IS_ADOPTED | ACRE_IS_RESERVATION)) != ACRE_IS_ADOPTED;
}

// ---- room near an address -----------------------------------------------------------------------

// A place that is looked for among holes.
typedef struct posix_room {
    size_t size, alignment;
    uintptr_t low, high;  // it lies within [low, high]
    uintptr_t center;
    uintptr_t beyond;  // no nearer to the center than this
    uintptr_t best;    // so far; 0 = none
} posix_room;

posix_room acre_posix_room_within(size_t size, size_t alignment, uintptr_t near_address,
                                  size_t reach);
// The place in the hole [start, end) that is nearest to the center.
void acre_posix_consider(posix_room *room, uintptr_t start, uintptr_t end);

#endif  // ACRE_MMAP_PORT_POSIX_POSIX_H_
