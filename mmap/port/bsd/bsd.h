// mmap/port/bsd/bsd.h - what the ports of macOS, iOS and FreeBSD share.
//
// The .c files beside it hold the port functions that are the same on these systems.  They rest on
// the functions at the end of this file, which each system's own files provide.
#ifndef ACRE_MMAP_PORT_BSD_BSD_H_
#define ACRE_MMAP_PORT_BSD_BSD_H_

#include "mmap/check.h"
#include "mmap/port/posix/posix.h"

// Bits of acre_mmap.private_[1].  ([0] belongs to the portable part, see mmap/check.h.)
enum {
    BSD_CHANGED = 1,  // locks or fork behaviour: pages may differ from what the flags say
    BSD_FREED = 2     // pages were freed lazily
};

// An area flag in addition to those of acre/area.h, which acre_bsd_walk_next may set: no page of
// the area was ever touched, so all of it is as it was mapped.
enum { BSD_AREA_UNTOUCHED = 1 << 30 };

enum {
    BSD_LOCKS = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
    // The flags that a part keeps when it is mapped anew.
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
    acre_status status = status_of(mlock(base, size), saved);
    return status == -EAGAIN ? -ENOMEM : status;  // over the limit
}

static inline acre_status
sys_munlock(void *base, size_t size)
{
    int saved = errno;
    return status_of(munlock(base, size), saved);
}

// ---- maps ---------------------------------------------------------------------------------------

// Maps a page of its own; NULL when none is available now.
void *acre_bsd_scratch_page(int protection);

// Returns what a refused map of `file` means: systems report a folder or a pipe as an invalid
// argument.
acre_status acre_bsd_explain_file(acre_status status, acre_file file);
// Replaces a part of `map`, which is private, with pages that have their first contents, `access`,
// and the map's demands.  -ENOTSUP where its file cannot be found again.
acre_status acre_bsd_map_fresh(acre_mmap *map, void *start, size_t length, uint32_t access);
// Whether all of the range is inaccessible and none of it has contents; 0 when that is unknown.
int acre_bsd_is_reserved(const void *start, size_t length);
// Opens the file at `path` for reading, if it is still the same file; else -ENOTSUP.
int acre_bsd_open_same(const char *path, uint64_t device, uint64_t inode);
// Applies locks and wishes to a map that exists.  Clears the flags of wishes that were not granted
// in *flags.
acre_status acre_bsd_prepare(const port_request *request, void *base, uint32_t *flags);
// Maps within reach of request->near_address, as near to it as possible.
acre_status acre_bsd_map_near(const port_request *request, void **base);
// Zeroes writable memory of any kind, for all who see it.
acre_status acre_bsd_empty_in_place(void *start, size_t length);

// ---- images -------------------------------------------------------------------------------------

// What an image and its clones need for as long as one of them lives, in a mapping of its own.
// Handles are split and merged by assignment, so it counts bytes, not handles.
typedef struct bsd_image {
    _Atomic size_t held;  // by the image, by the map that fills it, and by each clone
    size_t size;
    uintptr_t source;  // what clones are mapped from: an address, or a descriptor
} bsd_image;

acre_status acre_bsd_image_make(size_t size, uintptr_t source, bsd_image **out);
void acre_bsd_image_hold(bsd_image *image, size_t bytes);
// Returns whether these were the last bytes; then the caller must release what *last describes.
int acre_bsd_image_release(bsd_image *image, size_t bytes, bsd_image *last);

static inline bsd_image *
bsd_image_of(acre_file file)
{
    return (bsd_image *)(uintptr_t)file;
}

// ---- what each system provides ------------------------------------------------------------------

// Demands that no map can meet here.
extern const uint32_t acre_bsd_refused_flags;

// Maps what is requested, at the requested place, with its fork and dump behaviour; locks and
// wishes are applied later.
acre_status acre_bsd_map(const port_request *request, void **base);
// Creates memory without a place, which maps with at most `access` can show; acre_bsd_drop_object
// releases it.  Maps of it stay.
acre_status acre_bsd_make_object(size_t size, uint32_t access, uintptr_t *object);
void acre_bsd_drop_object(uintptr_t object);
// Like acre_bsd_map, for the beginning of an object; makes a view of a ring (ACRE_IS_RING) or a
// twin.
acre_status acre_bsd_map_object(const port_request *request, uintptr_t object, void **base);
// Sets the access (not NONE) of pages of private anonymous memory, whether they are reserved or
// not.  If all pages were reserved, a failure leaves them reserved.
acre_status acre_bsd_give_access(acre_mmap *map, void *start, size_t length, uint32_t access);
// Moves the pages of `map` to `target`, a fresh map of the same kind: they become its first
// map->size bytes.
acre_status acre_bsd_move_pages(const acre_mmap *map, void *target);
// Opens the file mapped at `address` for reading, by the name that the system reports: a
// descriptor, or a failure.
int acre_bsd_open_again(const void *address);
// Lets the system take private anonymous pages; -ENOTSUP where that is impossible.
acre_status acre_bsd_free_lazily(void *start, size_t length);
// Makes one page present by reading it; -EFAULT when it cannot be read.
acre_status acre_bsd_touch(const void *page);
// Locks what is accessible; one acre_bsd_unlock undoes it, no matter how often it was locked.
acre_status acre_bsd_lock(void *start, size_t length);
acre_status acre_bsd_unlock(void *start, size_t length);
// Returns whether a page of the range is locked: 1, 0, or a failure.
int acre_bsd_is_locked(const void *start, size_t length);
// Whether the map may get transparent huge pages.
int acre_bsd_huge(const port_request *request);

// Areas of this process in ascending order; `walk` belongs to the system's code.
typedef struct bsd_walk {
    uintptr_t words[4];
} bsd_walk;
acre_status acre_bsd_walk_begin(bsd_walk *walk);
// Finds the area that contains `address`, or the first above it: 1, 0 when there is none, or a
// failure.  Of its flags, only ACRE_AREA_RESERVED must be right, and BSD_AREA_UNTOUCHED where set.
acre_status acre_bsd_walk_next(bsd_walk *walk, uintptr_t address, acre_area *out);
void acre_bsd_walk_end(bsd_walk *walk);

#endif  // ACRE_MMAP_PORT_BSD_BSD_H_
