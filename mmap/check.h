// mmap/check.h - argument checks that all calls share, and what a handle knows of its pages.
#ifndef ACRE_MMAP_CHECK_H_
#define ACRE_MMAP_CHECK_H_

#include "acre/mmap.h"
#include "mmap/debug.h"
#include "mmap/port/memory.h"

// acre_mmap.private_[0]: how many bytes at the beginning of the map may have changed since it was
// made, a multiple of the page size, and what may have happened to parts of the map.
enum {
    MIXED = 1,   // their access may differ from map->access; if not set, every page has that access
    WIPED = 2,   // a part may be wiped in the child of a fork
    UNEVEN = 4,  // advice or locks may differ, so one access does not mean one area
    CHANGES = 7
};

// From this offset on all is as it was made: reserved in a reservation, else with the map's access.
static inline size_t
end_of_changed(const acre_mmap *map)
{
    return map->private_[0] & ~(uintptr_t)CHANGES;
}

static inline void
set_end_of_changed(acre_mmap *map, size_t end)
{
    map->private_[0] = (map->private_[0] & CHANGES) | end;
}

static inline void
note_change(acre_mmap *map, size_t end)
{
    if (end > end_of_changed(map))
        set_end_of_changed(map, end);
}

// Whether everything from `start`, an address in the map, to the end is as it was made.
static inline int
is_as_made(const acre_mmap *map, const void *start)
{
    return (size_t)((const char *)start - (const char *)map->base) >= end_of_changed(map);
}

// Returns the access of everything from `start` on; -1 when unknown.
static inline int
known_access(const acre_mmap *map, const void *start)
{
    if ((map->private_[0] & MIXED) == 0)
        return (int)map->access;
    if (!is_as_made(map, start))
        return -1;
    return map->flags & ACRE_IS_RESERVATION ? ACRE_NONE : (int)map->access;
}

// Rounds up to a multiple of a power of two; 0 when the result exceeds SIZE_MAX / 2.
static inline size_t
round_up_size(size_t size, size_t multiple)
{
    size_t largest = (SIZE_MAX / 2) & ~(multiple - 1);
    return size > largest ? 0 : (size + multiple - 1) & ~(multiple - 1);
}

static inline int
is_power_of_two(size_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static inline uint32_t
with_implied_read(uint32_t access)
{
    return access & ACRE_WRITE ? access | ACRE_READ : access;
}

// Refuses unknown bits, and writable and executable memory unless `flags` allow it.
static inline acre_status
check_access(uint32_t access, uint32_t flags)
{
    if (!IS_VALID((access & ~(uint32_t)ACRE_READ_WRITE_EXEC) == 0))
        return ACRE_BAD_ACCESS;
    uint32_t unsafe = access & (ACRE_WRITE | ACRE_EXEC);
    if (!IS_VALID(unsafe != (ACRE_WRITE | ACRE_EXEC) || flags & ACRE_MAP_JIT))
        return ACRE_UNSAFE_FLAG_NEEDED;
    return ACRE_OK;
}

// Refuses an empty handle: for what no empty handle can do.
static inline acre_status
check_filled(const acre_mmap *map)
{
    return IS_VALID(map->size != 0) ? ACRE_OK : ACRE_EMPTY_HANDLE;
}

// Refuses a range that is not inside the map.
static inline acre_status
check_bytes(const acre_mmap *map, size_t offset, size_t length)
{
    if (!IS_VALID(map != NULL))
        return ACRE_NULL_ARGUMENT;
    if (map->size == 0 && (offset | length) != 0)
        return check_filled(map);
    if (!IS_VALID(offset <= map->size) || !IS_VALID(length <= map->size - offset))
        return ACRE_BAD_RANGE;
    return ACRE_OK;
}

// Refuses a range that is not whole pages inside the map.
static inline acre_status
check_pages(const acre_mmap *map, size_t offset, size_t length)
{
    if (!IS_VALID(map != NULL))
        return ACRE_NULL_ARGUMENT;
    size_t page = map->page_size != 0 ? map->page_size : acre_port_page_size();
    if (!IS_VALID((offset & (page - 1)) == 0) || !IS_VALID((length & (page - 1)) == 0))
        return ACRE_BAD_OFFSET;
    return check_bytes(map, offset, length);
}

#endif  // ACRE_MMAP_CHECK_H_
