// mmap/port_posix.h - what the ports of macOS, iOS and FreeBSD share.
//
// port_posix.c holds the port functions that are the same on these systems; they rest on the
// functions at the end of this file, which each system's own files provide.  All of it answers by
// value and leaves errno as it was.
#ifndef ACRE_MMAP_PORT_POSIX_H_
#define ACRE_MMAP_PORT_POSIX_H_

// In the symbol table these carry the library's prefix, as the port's functions do.
#define posix_can acre_posix_can
#define posix_empty_in_place acre_posix_empty_in_place
#define posix_explain_file acre_posix_explain_file
#define posix_image_hold acre_posix_image_hold
#define posix_image_make acre_posix_image_make
#define posix_image_release acre_posix_image_release
#define posix_map_fresh acre_posix_map_fresh
#define posix_map_near acre_posix_map_near
#define posix_prepare acre_posix_prepare
#define posix_scratch_page acre_posix_scratch_page
#define posix_probes acre_posix_probes
#define posix_map acre_posix_map
#define posix_give_access acre_posix_give_access
#define posix_move_pages acre_posix_move_pages
#define posix_free_lazily acre_posix_free_lazily
#define posix_touch acre_posix_touch
#define posix_is_locked acre_posix_is_locked
#define posix_lock acre_posix_lock
#define posix_unlock acre_posix_unlock
#define posix_huge acre_posix_huge
#define posix_refused_flags acre_posix_refused_flags
#define posix_walk_begin acre_posix_walk_begin
#define posix_walk_next acre_posix_walk_next
#define posix_walk_end acre_posix_walk_end

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "mmap/check.h"
#include "mmap/port.h"

// Bits of acre_mmap.private_[1] ([0] is the portable part's, see mmap/check.h).
enum {
    POSIX_CHANGED = 1,  // locks or fork behaviour: the flags do not tell all that pages have
    POSIX_FREED = 2     // pages were freed lazily
};

enum {
    POSIX_LOCKS = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
    // What a part of a map that is mapped anew carries on.
    POSIX_KEPT = ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_NO_HUGE |
                 ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_HUGE | ACRE_MAP_JIT
};

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
    return error > 0 ? -error : -EIO;
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

static inline acre_status
sys_madvise(void *base, size_t size, int advice)
{
    int saved = errno;
    return status_of(madvise(base, size, advice), saved);
}

static inline acre_status
sys_minherit(void *base, size_t size, int inheritance)
{
    int saved = errno;
    return status_of(minherit(base, size, inheritance), saved);
}

static inline acre_status
sys_mlock(void *base, size_t size)
{
    int saved = errno;
    return status_of(mlock(base, size), saved);
}

static inline acre_status
sys_munlock(void *base, size_t size)
{
    int saved = errno;
    return status_of(munlock(base, size), saved);
}

static inline void
sys_close(int file)
{
    // The descriptor is gone whatever close answers, and nothing was written through it.
    int saved = errno;
    (void)close(file);
    errno = saved;
}

static inline int
posix_protection(uint32_t access)
{
    return (access & ACRE_READ ? PROT_READ : 0) | (access & ACRE_WRITE ? PROT_WRITE : 0) |
           (access & ACRE_EXEC ? PROT_EXEC : 0);
}

// ---- maps ---------------------------------------------------------------------------------------

// Memory whose pages belong to an object that other maps may show, too, but to no file.
static inline int
posix_is_shared_memory(uint32_t flags)
{
    return (flags & (ACRE_IS_RING | ACRE_IS_TWIN)) != 0 ||
           (flags & (ACRE_MAP_SHARED | ACRE_IS_FILE)) == ACRE_MAP_SHARED;
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

// As port_can; -1 when it cannot be found out now.
int posix_can(acre_capability what);
// A page to try things on; NULL when there is none to be had now.
void *posix_scratch_page(int protection);

// What a refused map of `file` means: a folder or a pipe is told as an invalid argument.
acre_status posix_explain_file(acre_status status, acre_file file);
// In place of a part of `map`: pages of its kind without contents, with `access`, and what was
// demanded for the map.
acre_status posix_map_fresh(acre_mmap *map, void *start, size_t length, uint32_t access);
// Locks and wishes, of a map that is there.  Flags of wishes that were not granted are taken out of
// *flags.
acre_status posix_prepare(const port_request *request, void *base, uint32_t *flags);
// Maps within reach of request->near_address, as near as can be.
acre_status posix_map_near(const port_request *request, void **base);
// The contents of writable memory of any kind become zero, for all who see it.
acre_status posix_empty_in_place(void *start, size_t length);

// ---- images -------------------------------------------------------------------------------------

// What an image and its clones need for as long as one of them lives.  It lies in a mapping of its
// own.  Handles are split and merged by assignment, so bytes are counted, not handles.
typedef struct posix_image {
    _Atomic size_t held;  // by the image, by what it is filled through, and by each clone
    size_t size;
    uintptr_t source;  // what clones are mapped from: an address, or a descriptor
} posix_image;

acre_status posix_image_make(size_t size, uintptr_t source, posix_image **out);
void posix_image_hold(posix_image *image, size_t bytes);
// Whether that was the last of it; then *last tells what is the caller's to give back.
int posix_image_release(posix_image *image, size_t bytes, posix_image *last);

static inline posix_image *
posix_image_of(acre_file file)
{
    return (posix_image *)(uintptr_t)file;
}

// ---- what each system provides ------------------------------------------------------------------

// One for each capability; answers 1, 0, or -1: not to be found out now.
typedef int (*posix_probe)(void);
extern const posix_probe posix_probes[ACRE_CAPABILITY_COUNT];

// Demands that no map can have here.
extern const uint32_t posix_refused_flags;

// Maps what is asked for, with its fork and dump behaviour, at the place that is asked for; locks
// and wishes come later.
acre_status posix_map(const port_request *request, void **base);
// The access (not NONE) of pages of private anonymous memory, whether they are reserved or not.  A
// failure over pages that were all reserved leaves them so.
acre_status posix_give_access(acre_mmap *map, void *start, size_t length, uint32_t access);
// The first map->size bytes at `target`, which is a fresh map of the same kind, become those of
// `map`.
acre_status posix_move_pages(const acre_mmap *map, void *target);
// Private anonymous pages may be taken by the system; -ENOTSUP where that cannot be.
acre_status posix_free_lazily(void *start, size_t length);
// One page present, read only: -EFAULT when it cannot be read.
acre_status posix_touch(const void *page);
// Locks what is accessible; one posix_unlock undoes it, however often it was done.
acre_status posix_lock(void *start, size_t length);
acre_status posix_unlock(void *start, size_t length);
// Whether a page of the range is locked: 1, 0, or a failure.
int posix_is_locked(const void *start, size_t length);
// Whether transparent huge pages may come into the map.
int posix_huge(const port_request *request);

// Areas of this process in ascending order; `walk` is the system's to use.
typedef struct posix_walk {
    uintptr_t words[4];
} posix_walk;
acre_status posix_walk_begin(posix_walk *walk);
// The area that holds `address`, or the first above it: 1, 0 when there is none, or a failure.  Of
// its flags only ACRE_AREA_RESERVED needs to be right.
acre_status posix_walk_next(posix_walk *walk, uintptr_t address, acre_area *out);
void posix_walk_end(posix_walk *walk);

#endif  // ACRE_MMAP_PORT_POSIX_H_
