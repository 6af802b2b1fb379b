// mmap/port/linux/move.h - moving pages.
#ifndef ACRE_MMAP_PORT_LINUX_MOVE_H_
#define ACRE_MMAP_PORT_LINUX_MOVE_H_

#include "mmap/port/linux/sys.h"

// Moves pages that all have the same access to exactly `target`, in place of what is there: those
// of an area, explicit ones of `huge` bytes or 0.  A failure leaves them where they were.  Of
// explicit ones some may be present and others not only if acre_linux_hold_for_huge held the
// target.
acre_status acre_linux_move(void *base, size_t size, void *target, size_t huge, uint32_t access);
acre_status acre_linux_hold_for_huge(const void *old, size_t size, size_t huge, void **base);

#endif  // ACRE_MMAP_PORT_LINUX_MOVE_H_
