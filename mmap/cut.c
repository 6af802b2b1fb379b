// Splitting and merging, which are only bookkeeping; resizing and sealing.
#include "acre/mmap.h"

#include "mmap/check.h"

enum {
    // Granted wishes.  Merged maps may differ in these; the result has those that both had.
    WISHES = ACRE_MAP_POPULATE | ACRE_MAP_HUGE_TRANSPARENT | ACRE_GOT_NODE | ACRE_GOT_NAME,
    // Set for the whole if set for a part.
    OF_ANY_PART = ACRE_HAS_MARKER_GUARDS | ACRE_HAS_PAGE_GUARDS
};

static acre_status
check_whole(const acre_mmap *map)
{
    if (map->flags & ACRE_IS_SEALED)
        return ACRE_SEALED;
    return map->flags & (ACRE_IS_RING | ACRE_IS_TWIN) ? ACRE_BAD_STATE : ACRE_OK;
}

acre_status
acre_mmap_split(acre_mmap *map, size_t at, acre_mmap *tail)
{
    if (!IS_VALID(tail != NULL))
        return ACRE_NULL_ARGUMENT;
    acre_status status = check_pages(map, at, 0);
    if (status == ACRE_OK)
        status = check_filled(map);
    if (status != ACRE_OK)
        return status;
    if (!IS_VALID(at != 0) || !IS_VALID(at < map->size))
        return ACRE_BAD_RANGE;
    status = check_whole(map);
    if (status != ACRE_OK)
        return status;

    *tail = *map;
    tail->base = (char *)map->base + at;
    tail->size = map->size - at;
    tail->offset = map->offset + at;
    size_t changed = end_of_changed(map);
    set_end_of_changed(tail, changed > at ? changed - at : 0);
    set_end_of_changed(map, changed < at ? changed : at);
    map->size = at;
    return ACRE_OK;
}

acre_status
acre_mmap_merge(acre_mmap *map, acre_mmap *next)
{
    if (!IS_VALID(map != NULL) || !IS_VALID(next != NULL))
        return ACRE_NULL_ARGUMENT;
    acre_status status = check_filled(map);
    if (status == ACRE_OK)
        status = check_filled(next);
    if (status != ACRE_OK)
        return status;
    if ((uintptr_t)map->base + map->size != (uintptr_t)next->base)
        return ACRE_NOT_ADJACENT;
    if ((map->flags | next->flags) & ACRE_IS_SEALED)
        return ACRE_SEALED;
    status = check_whole(map);
    if (status == ACRE_OK)
        status = check_whole(next);
    if (status != ACRE_OK)
        return status;
    uint32_t differing = (map->flags ^ next->flags) & ~(uint32_t)(WISHES | OF_ANY_PART);
    if (map->access != next->access || map->page_size != next->page_size || differing != 0)
        return ACRE_ATTRIBUTE_MISMATCH;
    status = acre_port_continues(map, next);
    if (status != ACRE_OK)
        return status;

    uint32_t wishes = map->flags & next->flags & WISHES;
    if (wishes != ((map->flags | next->flags) & WISHES) || map->private_[1] != next->private_[1])
        map->private_[0] |= UNEVEN;
    map->flags = (map->flags & ~(uint32_t)WISHES) | wishes | (next->flags & OF_ANY_PART);
    map->private_[0] |= next->private_[0] & CHANGES;
    if (end_of_changed(next) != 0)
        set_end_of_changed(map, map->size + end_of_changed(next));
    map->size += next->size;
    *next = (acre_mmap){0};
    return ACRE_OK;
}

acre_status
acre_mmap_resize(acre_mmap *map, size_t size, uint32_t how)
{
    if (!IS_VALID(map != NULL))
        return ACRE_NULL_ARGUMENT;
    size_t page = map->page_size != 0 ? map->page_size : acre_port_page_size();
    if (round_up_size(size, page) == 0)
        return ACRE_BAD_SIZE;
    if (!IS_VALID(how <= ACRE_RESIZE_MAY_MOVE))
        return ACRE_BAD_OPTION;
    acre_status status = check_filled(map);
    if (status == ACRE_OK)
        status = check_whole(map);
    if (status != ACRE_OK)
        return status;
    size = round_up_size(size, page);
    if (size == map->size)
        return ACRE_OK;
    if (size > map->size && (map->flags & ACRE_IS_CLONE ||
                             (map->flags & (ACRE_MAP_SHARED | ACRE_IS_FILE)) == ACRE_MAP_SHARED))
        return ACRE_BAD_STATE;
    status = acre_port_resize(map, size, how);
    if (status != ACRE_OK)
        return status;
    if (end_of_changed(map) > size)
        set_end_of_changed(map, size);
    // The part added to a reservation is not committed.
    map->private_[0] |= UNEVEN | (map->flags & ACRE_IS_RESERVATION ? MIXED : 0);
    return ACRE_OK;
}

acre_status
acre_mmap_seal(acre_mmap *map)
{
    if (!IS_VALID(map != NULL))
        return ACRE_NULL_ARGUMENT;
    acre_status status = check_filled(map);
    if (status != ACRE_OK || map->flags & ACRE_IS_SEALED)
        return status;
    status = acre_port_seal(map);
    if (status == ACRE_OK)
        map->flags |= ACRE_IS_SEALED;
    return status;
}
