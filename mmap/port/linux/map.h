// mmap/port/linux/map.h - maps built off the place that they will have.
#ifndef ACRE_MMAP_PORT_LINUX_MAP_H_
#define ACRE_MMAP_PORT_LINUX_MAP_H_

#include "mmap/port/linux/sys.h"
#include "mmap/port/memory.h"

// A map with all that it must have, and the flags that were granted; with REPLACE off its place, to
// be moved there.
acre_status acre_linux_build(const port_request *request, void **base, uint32_t *granted);

// 0 where there are no explicit huge pages.
static inline size_t
linux_huge_page_of(size_t page_size, uint32_t flags)
{
    return flags & ACRE_MAP_HUGE && (flags & ACRE_IS_RESERVATION) == 0 ? page_size : 0;
}

#endif  // ACRE_MMAP_PORT_LINUX_MAP_H_
