// macOS, iOS, FreeBSD: growing, shrinking, moving, and which maps continue others.
#include "mmap/port/system.h"

#if ACRE_ON_BSD

#include "mmap/port/bsd/bsd.h"

static acre_status
shrink_map(acre_mmap *map, size_t size)
{
    acre_mmap rest = *map;
    rest.base = (char *)map->base + size;
    rest.size = map->size - size;
    acre_status status = acre_port_unmap(&rest);
    if (status == ACRE_OK)
        map->size = size;
    return status;
}

// Makes a map of the same kind, with the same demands.
static acre_status
map_another(const acre_mmap *map, void *address, size_t size, uint32_t placement, void **base)
{
    port_request request = {
        .address = address,
        .size = size,
        .alignment = map->page_size,
        .page_size = map->page_size,
        .access = map->access,
        .flags = (map->flags & (BSD_KEPT | BSD_LOCKS | ACRE_MAP_POPULATE |
                                ACRE_MAP_HUGE_TRANSPARENT | ACRE_IS_RESERVATION)) |
                 placement,
    };
    acre_mmap another = {0};
    acre_status status = acre_port_map(&request, &another);
    *base = another.base;
    return status == -EEXIST ? -ENOMEM : status;
}

static acre_status
move_map(acre_mmap *map, size_t size)
{
    void *base;
    acre_status status = map_another(map, NULL, size, 0, &base);
    if (status != ACRE_OK)
        return status;
    status = acre_bsd_move_pages(map, base);
    if (status == ACRE_OK && map->flags & ACRE_MAP_LOCKED && map->access != ACRE_NONE &&
        (map->flags & ACRE_IS_RESERVATION) == 0)
        status = acre_bsd_lock(base, map->size);
    if (status == ACRE_OK)
        status = sys_munmap(map->base, map->size);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, size);
        return status;
    }
    map->base = base;
    map->size = size;
    return ACRE_OK;
}

acre_status
acre_port_resize(acre_mmap *map, size_t size, uint32_t how)
{
    if (size < map->size)
        return shrink_map(map, size);
    // More of a file cannot be mapped without the file.
    if (map->flags & ACRE_IS_FILE)
        return -ENOTSUP;
    void *added;
    char *end = (char *)map->base + map->size;
    acre_status status = map_another(map, end, size - map->size, ACRE_MAP_FIXED, &added);
    if (status == ACRE_OK)
        map->size = size;
    if (status == ACRE_OK || how != ACRE_RESIZE_MAY_MOVE)
        return status;
    // Pages that differ from one another would be alike after a move.
    uint32_t access;
    size_t areas;
    if (map->private_[1] & BSD_CHANGED || map->flags & ACRE_HAS_PAGE_GUARDS)
        return ACRE_BAD_STATE;
    status = posix_check_alike(map, &access, &areas);
    return status == ACRE_OK ? move_map(map, size) : status;
}

acre_status
acre_port_seal(acre_mmap *map)
{
    (void)map;
    return -ENOTSUP;
}

static acre_status
check_same_backing(const acre_mmap *map, const acre_mmap *next)
{
    // Without a file, the kernel tracks pages one by one.
    if ((map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0)
        return ACRE_OK;
    uint64_t end = map->offset + map->size;
    if (map->flags & ACRE_IS_CLONE)
        return map->backing != 0 && map->backing == next->backing && end == next->offset
                   ? ACRE_OK
                   : ACRE_BACKING_MISMATCH;

    acre_area first;
    acre_area second;
    acre_status status = acre_port_area_at((uintptr_t)map->base + map->size - 1, &first);
    if (status == ACRE_OK)
        status = acre_port_area_at((uintptr_t)next->base, &second);
    if (status != ACRE_OK)
        return status;
    // Offsets of adopted maps are unknown.  For other maps, the handles are right, while some
    // systems report offsets within the copies of changed pages.
    uint64_t start = next->offset;
    if (map->flags & ACRE_IS_ADOPTED) {
        end = first.file_offset + ((uintptr_t)map->base + map->size - first.start);
        start = second.file_offset + ((uintptr_t)next->base - second.start);
    }
    int same = first.device == second.device && first.inode == second.inode && first.inode != 0 &&
               end == start;
    return same ? ACRE_OK : ACRE_BACKING_MISMATCH;
}

acre_status
acre_port_continues(acre_mmap *map, const acre_mmap *next)
{
    acre_status status = check_same_backing(map, next);
    if (status == ACRE_OK)
        map->private_[1] |= next->private_[1];
    return status;
}

#endif  // ACRE_ON_BSD
