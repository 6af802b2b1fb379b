// mmap/port/linux/move.h - moving pages.
#ifndef ACRE_MMAP_PORT_LINUX_MOVE_H_
#define ACRE_MMAP_PORT_LINUX_MOVE_H_

#include "mmap/port/linux/sys.h"

// Moves pages of one area, all with the same access, to exactly `target` and replaces what is
// mapped there.  `huge` is the size of explicit huge pages, or 0.  On failure the pages stay where
// they were.  Explicit huge pages that are only partly present need a target held by
// acre_linux_hold_for_huge.
acre_status acre_linux_move(void *base, size_t size, void *target, size_t huge, uint32_t access);
// Holds `size` bytes to which explicit huge pages at `old` can be moved.
acre_status acre_linux_hold_for_huge(const void *old, size_t size, size_t huge, void **base);

#endif  // ACRE_MMAP_PORT_LINUX_MOVE_H_
