// mmap/port/posix/posix.h - what the ports of all POSIX systems share: system calls that return
// their status and preserve errno, and port functions that are the same everywhere (map.c).
#ifndef ACRE_MMAP_PORT_POSIX_POSIX_H_
#define ACRE_MMAP_PORT_POSIX_POSIX_H_

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "mmap/port/area.h"
#include "mmap/port/memory.h"
#include "mmap/port/probe.h"
#include "mmap/port/thread.h"

// ---- system calls -------------------------------------------------------------------------------

// `result` comes from a call that returns -1 on failure; `saved` is errno from before that call.
static inline acre_status
status_of(long result, int saved)
{
    if (result != -1)
        return ACRE_OK;
    int error = errno;
    errno = saved;
    // Some systems report EOPNOTSUPP, whose number may differ from ENOTSUP, or ENOSYS.
    if (error == ENOSYS || error == EOPNOTSUPP)
        return -ENOTSUP;
    return error > 0 ? -error : -EIO;  // EIO never happens, but shows compilers that this fails
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

// For calls that are cancellation points: a cancelled thread would not release what acre holds.
static inline int
posix_put_off_cancellation(void)
{
    int before = 0;
#ifndef __ANDROID__  // which has no cancellation
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

// Returns the descriptor, or a failure.
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
    // The descriptor is gone whatever close returns, and nothing was written through it.
    int saved = errno;
    int before = posix_put_off_cancellation();
    (void)close(file);
    posix_permit_cancellation(before);
    errno = saved;
}

// -1, which every call refuses, for what is no descriptor.
static inline int
posix_descriptor(acre_file file)
{
    return file == (int)file ? (int)file : -1;
}

static inline int
posix_protection(uint32_t access)
{
    return (access & ACRE_READ ? PROT_READ : 0) | (access & ACRE_WRITE ? PROT_WRITE : 0) |
           (access & ACRE_EXEC ? PROT_EXEC : 0);
}

// ---- kinds of maps ------------------------------------------------------------------------------

// Memory whose pages belong to a kernel object that is not in a file system: shared memory, or a
// view of a ring or twin.
static inline int
posix_is_shared_memory(const acre_mmap *map)
{
    return (map->flags & (ACRE_IS_RING | ACRE_IS_TWIN)) != 0 ||
           (map->flags & (ACRE_MAP_SHARED | ACRE_IS_FILE)) == ACRE_MAP_SHARED;
}

// Returns ACRE_OK when all pages have the same access or are all reserved, and sets *areas to the
// number of areas; ACRE_BAD_STATE when they differ; otherwise why the areas cannot be looked at.
static inline acre_status
posix_check_alike(const acre_mmap *map, uint32_t *access, size_t *areas)
{
    uintptr_t at = (uintptr_t)map->base;
    uintptr_t end = at + map->size;
    acre_area first = {0};
    for (*areas = 0; at < end; ++*areas) {
        acre_area area;
        acre_status status = acre_port_area_at(at, &area);
        if (status != ACRE_OK)
            return status == ACRE_NOT_MAPPED ? ACRE_BAD_STATE : status;
        if (*areas == 0)
            first = area;
        if (area.access != first.access || (area.flags ^ first.flags) & ACRE_AREA_RESERVED)
            return ACRE_BAD_STATE;
        at = area.end;
    }
    *access = first.access;
    return ACRE_OK;
}

// Private memory without a file or an image.
static inline int
posix_is_anonymous(uint32_t flags)
{
    uint32_t others = ACRE_MAP_SHARED | ACRE_IS_FILE | ACRE_IS_RING | ACRE_IS_TWIN | ACRE_IS_CLONE;
    return (flags & others) == 0;
}

// Reservations and private anonymous maps can be committed; adopted maps only as a reservation.
static inline int
posix_is_committable(uint32_t flags)
{
    return posix_is_anonymous(flags) &&
           (flags & (ACRE_IS_ADOPTED | ACRE_IS_RESERVATION)) != ACRE_IS_ADOPTED;
}

// ---- room near an address -----------------------------------------------------------------------

// A search for a place among holes.
typedef struct posix_room {
    size_t size, alignment;
    uintptr_t low, high;  // the place is within [low, high]
    uintptr_t center;
    uintptr_t beyond;  // the place is no nearer to the center than this
    uintptr_t best;    // best place so far; 0 = none
} posix_room;

posix_room acre_posix_room_within(size_t size, size_t alignment, uintptr_t near_address,
                                  size_t reach);
// Updates room->best if the hole [start, end) has a place that is nearer to the center.
void acre_posix_consider(posix_room *room, uintptr_t start, uintptr_t end);

// Gives the processor away for a moment, also to threads of lower priority.  Changes errno.
static inline void
posix_pause(void)
{
    struct timespec moment = {.tv_nsec = 50000};
    int before = posix_put_off_cancellation();
    (void)nanosleep(&moment, NULL);
    posix_permit_cancellation(before);
}

#endif  // ACRE_MMAP_PORT_POSIX_POSIX_H_
