// Linux: growing, shrinking, moving.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/check.h"
#include "mmap/port/area.h"
#include "mmap/port/linux/demand.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/map.h"
#include "mmap/port/linux/move.h"
#include "mmap/port/linux/place.h"

static acre_status
shrink(acre_mmap *map, size_t size)
{
    acre_mmap rest = {.base = (char *)map->base + size, .size = map->size - size};
    acre_status status = acre_port_unmap(&rest);
    if (status == ACRE_OK)
        map->size = size;
    return status;
}

// What is added behind an anonymous map or a reservation is a map of the same kind.
static acre_status
map_added(const acre_mmap *map, void *address, size_t size, uint32_t placement)
{
    uint32_t kept = PREPARED | ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_DROPPABLE |
                    ACRE_MAP_HUGE | ACRE_IS_RESERVATION;
    port_request request = {
        .address = address,
        .size = size,
        .alignment = map->page_size,
        .page_size = map->page_size,
        .access = map->access,
        .flags = (map->flags & kept) | placement,
        .node_plus_one = (uint32_t)map->private_[1],
    };
    acre_mmap added;
    acre_status status = acre_port_map(&request, &added);
    return status == -EEXIST ? -ENOMEM : status;
}

// Pages and more of their kind behind them, one area of the kernel's.
static acre_status
stretch(void *base, size_t size, size_t stretched, int manner, void **result)
{
    int saved = errno;
    *result = mremap(base, size, stretched, manner);
    acre_status status = linux_explain(status_of(*result == MAP_FAILED ? -1 : 0, saved));
    return status == -EINVAL ? -ENOMEM : status;  // told of a size beyond all addresses
}

// What is added to locked memory is brought or refused, and explicit huge pages do not stretch.
static int
is_stretchable(const acre_mmap *map)
{
    return (map->flags & (LOCKS | ACRE_MAP_HUGE)) == 0;
}

static uint32_t
access_of_added(const acre_mmap *map)
{
    return map->flags & ACRE_IS_RESERVATION ? ACRE_NONE : map->access;
}

static void
populate_added(const acre_mmap *map, char *end, size_t more)
{
    if (map->flags & ACRE_MAP_POPULATE)
        (void)acre_linux_populate(end, more, access_of_added(map), map->flags);
}

// The last `size` bytes of a map, stretched where they are.
static acre_status
stretch_end(const acre_mmap *map, size_t size, size_t more)
{
    char *end = (char *)map->base + map->size;
    void *result;
    acre_status status = stretch(end - size, size, size + more, 0, &result);
    if (status != ACRE_OK)
        return status;
    status = sys_mprotect(end, more, posix_protection(access_of_added(map)));
    if (status != ACRE_OK)
        (void)sys_munmap(end, more);
    else
        populate_added(map, end, more);
    return linux_explain(status);
}

// Memory that stays one area grows and moves without end: what is mapped behind memory that has
// moved is not merged with it.
static acre_status
grow_in_place(acre_mmap *map, size_t size)
{
    size_t more = size - map->size;
    acre_status status;
    if (map->flags & ACRE_IS_FILE) {
        status = stretch_end(map, map->page_size, more);
        status = status == -EFAULT ? -ENOMEM : status;
    } else {
        status = is_stretchable(map) ? stretch_end(map, map->size, more) : -ENOMEM;
        if (status != ACRE_OK)
            status = map_added(map, (char *)map->base + map->size, more, ACRE_MAP_FIXED);
    }
    if (status == ACRE_OK)
        map->size = size;
    return status;
}

static acre_status
move_stretched(acre_mmap *map, size_t size)
{
    void *moved;
    acre_status status = stretch(map->base, map->size, size, MREMAP_MAYMOVE, &moved);
    if (status != ACRE_OK)
        return status;
    populate_added(map, (char *)moved + map->size, size - map->size);
    map->base = moved;
    map->size = size;
    return ACRE_OK;
}

// Area by area, all with the same access.  A failure leaves them where they were.
static acre_status
move_areas(char *base, size_t size, char *target, size_t huge, uint32_t access)
{
    acre_status status = ACRE_OK;
    size_t moved = 0;
    while (moved < size && status == ACRE_OK) {
        uintptr_t at = (uintptr_t)base + moved;
        acre_area area;
        status = acre_port_area_at(at, &area);
        if (status == ACRE_OK) {
            size_t part = area.end - at < size - moved ? area.end - at : size - moved;
            status = acre_linux_move(base + moved, part, target + moved, huge, access);
            moved += status == ACRE_OK ? part : 0;
        }
    }
    if (status != ACRE_OK && moved != 0)
        (void)move_areas(target, moved, base, huge, access);
    return status;
}

// Room for all, the new part at its end, then the old pages to its beginning: each step can be
// undone but the last.
static acre_status
move_memory(acre_mmap *map, size_t size, uint32_t access)
{
    size_t huge = linux_huge_page_of(map->page_size, map->flags);
    size_t alignment = map->page_size;
    if (map->flags & ACRE_MAP_HUGE_TRANSPARENT) {
        size_t wanted = acre_port_transparent_huge_size();
        alignment = wanted > alignment && size >= wanted ? wanted : alignment;
    }
    void *room = NULL;
    acre_status status = huge != 0 ? acre_linux_hold_for_huge(map->base, size, huge, &room)
                                   : acre_linux_hold(size, alignment, NULL, &room);
    if (status != ACRE_OK)
        return status;
    status = map_added(map, (char *)room + map->size, size - map->size, ACRE_MAP_REPLACE);
    if (status == ACRE_OK)
        status = move_areas(map->base, map->size, room, huge, access);
    if (status != ACRE_OK) {
        (void)sys_munmap(room, size);
        return status;
    }
    map->base = room;
    map->size = size;
    return ACRE_OK;
}

acre_status
acre_port_resize(acre_mmap *map, size_t size, uint32_t how)
{
    if (size < map->size)
        return shrink(map, size);
    acre_status status = grow_in_place(map, size);
    if (status == ACRE_OK || how != ACRE_RESIZE_MAY_MOVE)
        return status;
    if (map->flags & (ACRE_HAS_MARKER_GUARDS | ACRE_HAS_PAGE_GUARDS))
        return ACRE_BAD_STATE;
    // The kernel chooses places without regard to alignment, gives the added pages the access of
    // the last, and moves one area.
    int file = (map->flags & ACRE_IS_FILE) != 0;
    int stretches = is_stretchable(map) && (map->flags & ACRE_MAP_HUGE_TRANSPARENT) == 0;
    int uniform = (map->flags & ACRE_IS_RESERVATION) == 0 && (map->private_[0] & MIXED) == 0;
    if (stretches && !file && uniform) {
        status = move_stretched(map, size);
        if (status != -EFAULT)
            return status;
    }
    uint32_t access = ACRE_NONE;
    size_t areas = 0;
    if (!posix_is_alike(map, &access, &areas) || (file && areas != 1))
        return ACRE_BAD_STATE;
    if (!file && (!stretches || areas != 1 || access != access_of_added(map)))
        return move_memory(map, size, access);
    status = move_stretched(map, size);
    return status == -EFAULT ? -ENOMEM : status;
}

#endif  // ACRE_ON_LINUX
