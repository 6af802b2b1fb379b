#include "watch.h"

// Zeroed pages from the one at `address` on.  They belong to the map: unmapping it takes them
// along.
int
watch_replace_rest(watched_map *watching, const void *address)
{
    const acre_mmap *map = &watching->map;
    size_t offset = (uintptr_t)address - (uintptr_t)map->base;
    if (offset >= map->size)
        return 0;

    // In a signal handler: on Linux this is one system call, and takes no lock.
    offset -= offset % map->page_size;
    acre_mmap_opts opts = {.address = (char *)map->base + offset, .flags = ACRE_MAP_REPLACE};
    acre_mmap zeros;
    if (acre_mmap_anon(map->size - offset, ACRE_READ, &opts, &zeros) != ACRE_OK)
        return 0;
    if (watching->readable > offset)
        watching->readable = offset;
    return 1;
}
