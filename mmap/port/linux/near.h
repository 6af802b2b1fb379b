// mmap/port/linux/near.h - finds free addresses near an address.
#ifndef ACRE_MMAP_PORT_LINUX_NEAR_H_
#define ACRE_MMAP_PORT_LINUX_NEAR_H_

#include "mmap/port/linux/sys.h"

// Finds `size` free bytes at a multiple of `alignment`, all within `reach` of `near_address`: the
// nearest ones that are no nearer than `beyond`.
acre_status acre_linux_find_near(size_t size, size_t alignment, uintptr_t near_address,
                                 size_t reach, uintptr_t beyond, void **base);

#endif  // ACRE_MMAP_PORT_LINUX_NEAR_H_
