// mmap/port/linux/place.h - who owns which addresses.
//
// One rule: only the holder of a range unmaps or overwrites it, and a hold never has a hole.  A
// MAP_FIXED that fails may leave a hole (for every kind of memory up to Linux 6.11, for explicit
// huge pages also later), which another thread may fill at once.  So nothing is mapped over a hold:
//   - private memory without a file is held as its own inaccessible map, then made accessible;
//   - anything else is mapped at addresses that were just found free; if another thread takes them
//     first, at others.
// Pages may be moved onto a hold: mremap fails either before it touches the hold, or because the
// kernel itself has run out of memory.  Then acre_linux_drop_refused checks the hold.
#ifndef ACRE_MMAP_PORT_LINUX_PLACE_H_
#define ACRE_MMAP_PORT_LINUX_PLACE_H_

#include "mmap/port/linux/sys.h"

enum { LINUX_PLAIN_HOLD = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };

// Holds addresses by an inaccessible map at a multiple of `alignment`, if possible at `wish`.
// `kind` is the flags for mmap, without a file.
acre_status acre_linux_hold(size_t size, size_t alignment, void *wish, int kind, void **base);

// Unmaps a hold after a move onto it failed.
void acre_linux_drop_refused(void *base, size_t size);

// The free addresses to search for.
typedef struct linux_room {
    size_t size, alignment;
    size_t margin;      // free bytes on both sides; if not 0, alignment is the page size
    void *wish;         // preferred address; NULL = none
    const void *apart;  // must not overlap [apart, apart + size); NULL = anywhere
} linux_room;

// Maps `what` at exactly `base`; -EEXIST when something is mapped there.
typedef acre_status (*linux_settle_fn)(void *what, void *base);

// Finds free addresses and calls `map` with them; tries again when another thread takes them first.
acre_status acre_linux_settle(const linux_room *room, linux_settle_fn map, void *what);

// Whether two ranges of `size` bytes overlap.
static inline int
linux_overlap(const void *one, const void *other, size_t size)
{
    uintptr_t low = (uintptr_t)one < (uintptr_t)other ? (uintptr_t)one : (uintptr_t)other;
    uintptr_t high = (uintptr_t)one < (uintptr_t)other ? (uintptr_t)other : (uintptr_t)one;
    return high - low < size;
}

#endif  // ACRE_MMAP_PORT_LINUX_PLACE_H_
