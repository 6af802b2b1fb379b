// mmap/port/linux/place.h - who owns which addresses.
//
// One rule: a range is unmapped or overwritten only by who holds it, and a hold never has a hole.
// A MAP_FIXED that is refused may have opened one (every kind up to Linux 6.11, explicit huge pages
// also later), which another thread may fill at once.  So nothing is mapped over a hold:
//   - private memory without a file is held as itself, inaccessible, and then made accessible;
//   - whatever else is mapped where room was found, unless somebody was faster: then elsewhere.
// Pages are moved onto a hold (mremap), which is refused before the hold is touched, or when the
// kernel has no memory of its own left: then what became of the hold is looked at.
#ifndef ACRE_MMAP_PORT_LINUX_PLACE_H_
#define ACRE_MMAP_PORT_LINUX_PLACE_H_

#include "mmap/port/linux/sys.h"

enum { LINUX_PLAIN_HOLD = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };

// Addresses held by an inaccessible map of a kind (of mmap's flags, without a file), at a multiple
// of `alignment`; a wish for where.
acre_status acre_linux_hold(size_t size, size_t alignment, void *wish, int kind, void **base);

// Drops a hold onto which a move was refused.
void acre_linux_drop_refused(void *base, size_t size);

// Room for something that is not there yet.
typedef struct linux_room {
    size_t size, alignment;
    size_t margin;      // bytes on both sides that are free; then alignment is the page size
    void *wish;         // for where; NULL = none
    const void *apart;  // no address of [apart, apart + size); NULL = anywhere
} linux_room;

// Maps `what` at exactly `base`, in place of nothing: -EEXIST when something is there.
typedef acre_status (*linux_settle_fn)(void *what, void *base);

// Finds room and calls `map` with it, again and again while somebody else is faster.
acre_status acre_linux_settle(const linux_room *room, linux_settle_fn map, void *what);

// Whether two ranges of `size` bytes have addresses in common.
static inline int
linux_overlap(const void *one, const void *other, size_t size)
{
    uintptr_t low = (uintptr_t)one < (uintptr_t)other ? (uintptr_t)one : (uintptr_t)other;
    uintptr_t high = (uintptr_t)one < (uintptr_t)other ? (uintptr_t)other : (uintptr_t)one;
    return high - low < size;
}

#endif  // ACRE_MMAP_PORT_LINUX_PLACE_H_
