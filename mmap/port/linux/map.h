// mmap/port/linux/map.h - building maps, if need be at another place than their final one.
#ifndef ACRE_MMAP_PORT_LINUX_MAP_H_
#define ACRE_MMAP_PORT_LINUX_MAP_H_

#include "mmap/port/linux/sys.h"
#include "mmap/port/memory.h"

// Builds a map that meets all demands and sets *granted to the flags that it got.  With REPLACE the
// map is built elsewhere, for the caller to move into place.
acre_status acre_linux_build(const port_request *request, void **base, uint32_t *granted);

// As acre_port_map, but maps droppable pages or fails: for pages that join a map that has them.
acre_status acre_linux_map_alike(const port_request *request, acre_mmap *out);

// Returns the flags for mmap that correspond to a map's flags.
int acre_linux_kind_of_map(uint32_t flags, size_t page_size);

// acre_mmap.private_[1] holds: node + 1, the exponent of the requested alignment, and whether the
// map must lie near an address.
enum { LINUX_NODE_BITS = 16, LINUX_ALIGNMENT_BITS = 6 };

static inline uint32_t
linux_node_of(const acre_mmap *map)
{
    return (uint32_t)(map->private_[1] & ((1u << LINUX_NODE_BITS) - 1));
}

// The page size when no alignment was requested.
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

// 0 when the map has no explicit huge pages.
static inline size_t
linux_huge_page_of(size_t page_size, uint32_t flags)
{
    return flags & ACRE_MAP_HUGE && (flags & ACRE_IS_RESERVATION) == 0 ? page_size : 0;
}

#endif  // ACRE_MMAP_PORT_LINUX_MAP_H_
