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
shrink_map(acre_mmap *map, size_t size)
{
    acre_mmap rest = {.base = (char *)map->base + size, .size = map->size - size};
    acre_status status = acre_port_unmap(&rest);
    if (status == ACRE_OK)
        map->size = size;
    return status;
}

static uint32_t
access_of_added(const acre_mmap *map)
{
    return map->flags & ACRE_IS_RESERVATION ? ACRE_NONE : map->access;
}

// The request for a map of the same kind, to be added behind an anonymous map or a reservation.
static port_request
request_of_added(const acre_mmap *map, void *address, size_t size, uint32_t placement)
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
        .node_plus_one = linux_node_of(map),
    };
    return request;
}

static acre_status
map_added(const acre_mmap *map, void *address, size_t size, uint32_t placement)
{
    port_request request = request_of_added(map, address, size, placement);
    acre_mmap added;
    acre_status status = acre_linux_map_alike(&request, &added);
    return status == -EEXIST ? -ENOMEM : status;
}

// Resizes one area by mremap, from `size` to `stretched` bytes.
static acre_status
stretch_area(void *base, size_t size, size_t stretched, int manner, void **result)
{
    int saved = errno;
    *result = mremap(base, size, stretched, manner);
    acre_status status = linux_explain(status_of(*result == MAP_FAILED ? -1 : 0, saved));
    return status == -EINVAL ? -ENOMEM : status;  // EINVAL: the size exceeds all addresses
}

// Memory added to a locked map must be present or be refused; explicit huge pages do not stretch.
static int
is_stretchable(const acre_mmap *map)
{
    return (map->flags & (LOCKS | ACRE_MAP_HUGE)) == 0;
}

static void
populate_added(const acre_mmap *map, char *end, size_t more)
{
    if (map->flags & ACRE_MAP_POPULATE)
        (void)acre_linux_populate(end, more, access_of_added(map), map->flags);
}

// Stretches the last `size` bytes of a map in place.
static acre_status
stretch_end(const acre_mmap *map, size_t size, size_t more)
{
    char *end = (char *)map->base + map->size;
    void *result;
    acre_status status = stretch_area(end - size, size, size + more, 0, &result);
    if (status != ACRE_OK)
        return status;
    status = sys_mprotect(end, more, posix_protection(access_of_added(map)));
    if (status != ACRE_OK)
        (void)sys_munmap(end, more);
    else
        populate_added(map, end, more);
    return linux_explain(status);
}

// Stretching comes first, because it keeps the memory one area, which can be stretched and moved
// again.  A new map does not merge with memory in front of it that has been moved.
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

// Moves the map to where the kernel finds room.  The kernel does not keep its alignment.
static acre_status
move_stretched(acre_mmap *map, size_t size)
{
    void *moved;
    acre_status status = stretch_area(map->base, map->size, size, MREMAP_MAYMOVE, &moved);
    if (status != ACRE_OK)
        return status;
    populate_added(map, (char *)moved + map->size, size - map->size);
    map->base = moved;
    map->size = size;
    return ACRE_OK;
}

// How to move pages: `keeping` leaves their old addresses mapped; `huge` is the size of explicit
// huge pages, or 0.
typedef struct manner {
    int keeping;
    size_t huge;
    uint32_t access;
} manner;

static acre_status
move_area(const manner *how, char *base, size_t size, char *target)
{
    if (how->huge != 0)
        return acre_linux_move(base, size, target, how->huge, how->access);
    return how->keeping ? sys_move_and_keep(base, size, target) : sys_move(base, size, target);
}

// Moves areas, all with the same access, one by one onto a hold.  Sets *moved to the bytes that
// were moved and *refused to the size of the part behind them whose move failed.
static acre_status
move_areas(const manner *how, char *base, size_t size, char *target, size_t *moved, size_t *refused)
{
    acre_status status = ACRE_OK;
    *moved = 0;
    *refused = 0;
    while (*moved < size && status == ACRE_OK) {
        uintptr_t at = (uintptr_t)base + *moved;
        acre_area area;
        status = acre_port_area_at(at, &area);
        if (status != ACRE_OK)
            return status;
        size_t part = area.end - at < size - *moved ? area.end - at : size - *moved;
        status = move_area(how, base + *moved, part, target + *moved);
        *moved += status == ACRE_OK ? part : 0;
        *refused = status == ACRE_OK ? 0 : part;
    }
    return status;
}

// Moves pages back to where they were, if that is still free.
static void
move_back(const manner *how, char *base, size_t moved, char *target)
{
    manner plain = {.huge = how->huge, .access = how->access};
    void *again = base;
    if (!how->keeping &&
        sys_mmap(base, moved, PROT_NONE, LINUX_PLAIN_HOLD | LINUX_MAP_FIXED_NOREPLACE, -1, 0,
                 &again) != ACRE_OK)
        return;
    size_t back, refused;
    if (again == base)
        (void)move_areas(&plain, target, moved, base, &back, &refused);
    else
        (void)sys_munmap(again, moved);
}

// Moves the map onto a hold of the same size.  With several areas, keeps the old addresses until
// all have been moved, so that a failure can be undone; with one area there is nothing to undo.
static acre_status
move_pages(const acre_mmap *map, uint32_t access, size_t areas, char *target, size_t *moved,
           size_t *refused)
{
    manner how = {.huge = linux_huge_page_of(map->page_size, map->flags), .access = access};
    how.keeping = areas > 1 && how.huge == 0;
    char *base = map->base;
    acre_status status = move_areas(&how, base, map->size, target, moved, refused);
    if (status == ACRE_OK && how.keeping)
        status = sys_munmap(base, map->size);
    if (status != ACRE_OK && *moved != 0)
        move_back(&how, base, *moved, target);
    // Kernels before 5.7 cannot keep the old addresses.
    return status == -EINVAL && how.keeping ? ACRE_BAD_STATE : linux_explain(status);
}

// Turns the end of a hold of the map's kind into the added part.
static acre_status
add_in_hold(const acre_mmap *map, char *end, size_t more)
{
    port_request added = request_of_added(map, end, more, 0);
    uint32_t granted = added.flags;
    acre_status status = ACRE_OK;
    if (access_of_added(map) != ACRE_NONE)
        status = linux_explain(sys_mprotect(end, more, posix_protection(access_of_added(map))));
    return status == ACRE_OK ? acre_linux_prepare(end, &added, &granted) : status;
}

// Aligned for transparent huge pages if there is room for that.
static acre_status
hold_aligned(const acre_mmap *map, size_t size, void **hold)
{
    int kind = acre_linux_kind_of_map(map->flags, map->page_size);
    size_t demanded = linux_alignment_of(map);
    size_t wanted = map->flags & ACRE_MAP_HUGE_TRANSPARENT ? acre_port_transparent_huge_size() : 0;
    acre_status status = -ENOMEM;
    if (wanted > demanded && size >= wanted)
        status = acre_linux_hold(size, wanted, NULL, kind, hold);
    return status == ACRE_OK ? status : acre_linux_hold(size, demanded, NULL, kind, hold);
}

// Holds room for everything, builds the added part at its end, then moves the old pages before it.
static acre_status
move_memory(acre_mmap *map, size_t size, uint32_t access, size_t areas)
{
    size_t huge = linux_huge_page_of(map->page_size, map->flags);
    size_t more = size - map->size;
    void *hold = NULL;
    acre_status status = huge != 0 ? acre_linux_hold_for_huge(map->base, size, huge, &hold)
                                   : hold_aligned(map, size, &hold);
    if (status != ACRE_OK)
        return status;
    char *room = hold;
    char *end = room + map->size;
    status = huge != 0 ? map_added(map, end, more, ACRE_MAP_REPLACE) : add_in_hold(map, end, more);
    if (status != ACRE_OK) {
        acre_linux_drop_refused(end, more);
        (void)sys_munmap(room, map->size);
        return status;
    }
    size_t moved, refused;
    status = move_pages(map, access, areas, room, &moved, &refused);
    if (status != ACRE_OK) {
        // Where pages were moved in and back out, the hold now has a hole.
        if (refused != 0)
            acre_linux_drop_refused(room + moved, refused);
        (void)sys_munmap(room + moved + refused, size - moved - refused);
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
        return shrink_map(map, size);
    acre_status status = grow_in_place(map, size);
    if (status == ACRE_OK || how != ACRE_RESIZE_MAY_MOVE)
        return status;
    if (map->flags & (ACRE_HAS_MARKER_GUARDS | ACRE_HAS_PAGE_GUARDS))
        return ACRE_BAD_STATE;
    // Nothing may be free near the address that the map must be near, and the handle lacks it.
    if (linux_is_near(map))
        return status;
    // mremap ignores alignment, gives added pages the access of the last one, and moves one area.
    int file = (map->flags & ACRE_IS_FILE) != 0;
    int aligned = linux_alignment_of(map) > map->page_size;
    int stretches =
        is_stretchable(map) && (map->flags & ACRE_MAP_HUGE_TRANSPARENT) == 0 && !aligned;
    int uniform = (map->flags & ACRE_IS_RESERVATION) == 0 && (map->private_[0] & MIXED) == 0;
    if (file && aligned)
        return status;
    if (stretches && !file && uniform) {
        status = move_stretched(map, size);
        if (status != -EFAULT)
            return status;
    }
    uint32_t access = ACRE_NONE;
    size_t areas = 0;
    acre_status alike = posix_check_alike(map, &access, &areas);
    if (alike != ACRE_OK || (file && areas != 1))
        return alike != ACRE_OK ? alike : ACRE_BAD_STATE;
    int as_added = areas == 1 && access == access_of_added(map);
    if (!file && (!stretches || !as_added)) {
        status = move_memory(map, size, access, areas);
        // The alignment that was only a wish may have needed more addresses than are left.
        if (status == ACRE_OK || !is_stretchable(map) || !as_added || aligned)
            return status;
    }
    status = move_stretched(map, size);
    return status == -EFAULT ? -ENOMEM : status;
}

#endif  // ACRE_ON_LINUX
