// mmap/port/linux/place.h - addresses held for what will be mapped there.
#ifndef ACRE_MMAP_PORT_LINUX_PLACE_H_
#define ACRE_MMAP_PORT_LINUX_PLACE_H_

#include "mmap/port/linux/sys.h"

// Addresses held by an inaccessible map, at a multiple of `alignment`; a wish for where.
acre_status acre_linux_hold(size_t size, size_t alignment, void *wish, void **base);

// Whether two ranges of `size` bytes have addresses in common.
static inline int
linux_overlap(const void *one, const void *other, size_t size)
{
    uintptr_t low = (uintptr_t)one < (uintptr_t)other ? (uintptr_t)one : (uintptr_t)other;
    uintptr_t high = (uintptr_t)one < (uintptr_t)other ? (uintptr_t)other : (uintptr_t)one;
    return high - low < size;
}

#endif  // ACRE_MMAP_PORT_LINUX_PLACE_H_
