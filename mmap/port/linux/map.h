// mmap/port/linux/map.h - maps built off the place that they will have.
#ifndef ACRE_MMAP_PORT_LINUX_MAP_H_
#define ACRE_MMAP_PORT_LINUX_MAP_H_

#include "mmap/port/linux/sys.h"
#include "mmap/port/memory.h"

// A map with all that it must have, and the flags that were granted; with REPLACE off its place, to
// be moved there.
acre_status acre_linux_build(const port_request *request, void **base, uint32_t *granted);

// 0 where there are no explicit huge pages.
// The flags of mmap that a map of such flags has.
int acre_linux_kind_of_map(uint32_t flags, size_t page_size);

// What acre_mmap.private_[1] holds: node + 1, the exponent of the alignment that was asked for, and
// whether the map has to lie near something.
enum { LINUX_NODE_BITS = 16, LINUX_ALIGNMENT_BITS = 6 };

static inline uint32_t
linux_node_of(const acre_mmap *map)
{
    return (uint32_t)(map->private_[1] & ((1u << LINUX_NODE_BITS) - 1));
}

// The page size where none was asked for.
static inline size_t
linux_alignment_of(const acre_mmap *map)
{
    size_t alignment =
        (size_t)1 << (map->private_[1] >> LINUX_NODE_BITS & ((1u << LINUX_ALIGNMENT_BITS) - 1));
    return alignment > map->page_size ? alignment : map->page_size;
}

static inline int
linux_is_near(const acre_mmap *map)
{
    return (map->private_[1] >> (LINUX_NODE_BITS + LINUX_ALIGNMENT_BITS) & 1) != 0;
}

static inline size_t
linux_huge_page_of(size_t page_size, uint32_t flags)
{
    return flags & ACRE_MAP_HUGE && (flags & ACRE_IS_RESERVATION) == 0 ? page_size : 0;
}

#endif  // ACRE_MMAP_PORT_LINUX_MAP_H_
