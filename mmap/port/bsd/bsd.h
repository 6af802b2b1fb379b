// mmap/port/bsd/bsd.h - what the ports of macOS, iOS and FreeBSD share.
//
// port_bsd.c holds the port functions that are the same on these systems; they rest on the
// functions at the end of this file, which each system's own files provide.
#ifndef ACRE_MMAP_PORT_BSD_BSD_H_
#define ACRE_MMAP_PORT_BSD_BSD_H_

// In the symbol table these carry the library's prefix, as the port's functions do.

#include "mmap/check.h"
#include "mmap/port/posix/posix.h"

// Bits of acre_mmap.private_[1] ([0] is the portable part's, see mmap/check.h).
enum {
    BSD_CHANGED = 1,  // locks or fork behaviour: the flags do not tell all that pages have
    BSD_FREED = 2     // pages were freed lazily
};

// A flag of areas, besides those of acre/area.h, that acre_bsd_walk_next may set: no page of it was
// ever touched, so that all of it is as it was mapped.
enum { BSD_AREA_UNTOUCHED = 1 << 30 };

enum {
    BSD_LOCKS = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
    // What a part of a map that is mapped anew carries on.
    BSD_KEPT = ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_NO_HUGE |
               ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_HUGE | ACRE_MAP_JIT
};

// ---- system calls -------------------------------------------------------------------------------

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

// ---- maps ---------------------------------------------------------------------------------------

// A page of its own; NULL when there is none to be had now.
void *acre_bsd_scratch_page(int protection);

// What a refused map of `file` means: a folder or a pipe is told as an invalid argument.
acre_status acre_bsd_explain_file(acre_status status, acre_file file);
// In place of a part of `map`, which is private: pages with their first contents, with `access`,
// and what was demanded for the map.  -ENOTSUP where the file is not to be found again.
acre_status acre_bsd_map_fresh(acre_mmap *map, void *start, size_t length, uint32_t access);
// Whether all of the range is inaccessible and none of it has contents; 0 when that cannot be found
// out.
int acre_bsd_is_reserved(const void *start, size_t length);
// The file at `path`, for reading, if it is still the same one; else -ENOTSUP.
int acre_bsd_open_same(const char *path, uint64_t device, uint64_t inode);
// Locks and wishes, of a map that is there.  Flags of wishes that were not granted are taken out of
// *flags.
acre_status acre_bsd_prepare(const port_request *request, void *base, uint32_t *flags);
// Maps within reach of request->near_address, as near as can be.
acre_status acre_bsd_map_near(const port_request *request, void **base);
// The contents of writable memory of any kind become zero, for all who see it.
acre_status acre_bsd_empty_in_place(void *start, size_t length);

// ---- images -------------------------------------------------------------------------------------

// What an image and its clones need for as long as one of them lives.  It lies in a mapping of its
// own.  Handles are split and merged by assignment, so bytes are counted, not handles.
typedef struct bsd_image {
    _Atomic size_t held;  // by the image, by what it is filled through, and by each clone
    size_t size;
    uintptr_t source;  // what clones are mapped from: an address, or a descriptor
} bsd_image;

acre_status acre_bsd_image_make(size_t size, uintptr_t source, bsd_image **out);
void acre_bsd_image_hold(bsd_image *image, size_t bytes);
// Whether that was the last of it; then *last tells what is the caller's to give back.
int acre_bsd_image_release(bsd_image *image, size_t bytes, bsd_image *last);

static inline bsd_image *
bsd_image_of(acre_file file)
{
    return (bsd_image *)(uintptr_t)file;
}

// ---- what each system provides ------------------------------------------------------------------

// Demands that no map can have here.
extern const uint32_t acre_bsd_refused_flags;

// Maps what is asked for, with its fork and dump behaviour, at the place that is asked for; locks
// and wishes come later.
acre_status acre_bsd_map(const port_request *request, void **base);
// Memory without a place, which maps with at most `access` can show: what acre_bsd_drop_object
// gives back.  Maps of it stay.
acre_status acre_bsd_make_object(size_t size, uint32_t access, uintptr_t *object);
void acre_bsd_drop_object(uintptr_t object);
// As acre_bsd_map, from the beginning of an object; a view of a ring (ACRE_IS_RING) or a twin.
acre_status acre_bsd_map_object(const port_request *request, uintptr_t object, void **base);
// The access (not NONE) of pages of private anonymous memory, whether they are reserved or not.  A
// failure over pages that were all reserved leaves them so.
acre_status acre_bsd_give_access(acre_mmap *map, void *start, size_t length, uint32_t access);
// The first map->size bytes at `target`, which is a fresh map of the same kind, become those of
// `map`.
acre_status acre_bsd_move_pages(const acre_mmap *map, void *target);
// The file that is mapped at `address`, for reading, by the name that the system tells: a
// descriptor, or a failure.
int acre_bsd_open_again(const void *address);
// Private anonymous pages may be taken by the system; -ENOTSUP where that cannot be.
acre_status acre_bsd_free_lazily(void *start, size_t length);
// One page present, read only: -EFAULT when it cannot be read.
acre_status acre_bsd_touch(const void *page);
// Locks what is accessible; one acre_bsd_unlock undoes it, however often it was done.
acre_status acre_bsd_lock(void *start, size_t length);
acre_status acre_bsd_unlock(void *start, size_t length);
// Whether a page of the range is locked: 1, 0, or a failure.
int acre_bsd_is_locked(const void *start, size_t length);
// Whether transparent huge pages may come into the map.
int acre_bsd_huge(const port_request *request);

// Areas of this process in ascending order; `walk` is the system's to use.
typedef struct bsd_walk {
    uintptr_t words[4];
} bsd_walk;
acre_status acre_bsd_walk_begin(bsd_walk *walk);
// The area that holds `address`, or the first above it: 1, 0 when there is none, or a failure.  Of
// its flags only ACRE_AREA_RESERVED needs to be right, and BSD_AREA_UNTOUCHED where it is set.
acre_status acre_bsd_walk_next(bsd_walk *walk, uintptr_t address, acre_area *out);
void acre_bsd_walk_end(bsd_walk *walk);

#endif  // ACRE_MMAP_PORT_BSD_BSD_H_
