// Linux: committing, decommitting, protecting.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/area.h"
#include "mmap/port/linux/demand.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/map.h"

acre_status
acre_port_decommit(acre_mmap *map, void *start, size_t length)
{
    uint32_t kept = DEMANDS | ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_DROPPABLE |
                    ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_HUGE | ACRE_HAS_MARKER_GUARDS;
    port_request fresh = {
        .address = start,
        .size = length,
        .alignment = map->page_size,
        .page_size = map->page_size,
        .flags = (map->flags & kept) | ACRE_IS_RESERVATION | ACRE_MAP_REPLACE,
        .node_plus_one = linux_node_of(map),
    };
    acre_mmap replaced;
    return acre_port_map(&fresh, &replaced);
}

int
acre_port_is_reserved(const void *start, size_t length)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    acre_area area;
    while (at < end) {
        if (acre_port_area_at(at, &area) != ACRE_OK || area.access != ACRE_NONE)
            return 0;
        at = area.end;
    }
    // What was hidden by a protection has pages, which a reservation has not.
    const void *lowest;
    return acre_port_lowest_touched(start, length, &lowest) == ACRE_OK && (uintptr_t)lowest == end;
}

acre_status
acre_port_can_account(size_t length)
{
    void *trial = NULL;
    acre_status status =
        sys_mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &trial);
    if (status == ACRE_OK)
        status = sys_munmap(trial, length);
    return linux_explain(status);
}

// Maps huge pages where the range has none yet.  What was mapped, or lost in a failed attempt, at
// most `capacity` parts, is noted in `parts`.
static acre_status
map_huge_parts(acre_mmap *map, uintptr_t start, uintptr_t end, acre_range *parts, size_t capacity,
               size_t *count, uintptr_t *reached)
{
    port_request request = {
        .alignment = map->page_size,
        .page_size = map->page_size,
        .flags = (map->flags & (DEMANDS | ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK)) | ACRE_MAP_HUGE |
                 ACRE_MAP_REPLACE,
        .node_plus_one = linux_node_of(map),
    };
    uintptr_t at = start;
    while (at < end && *count < capacity) {
        acre_area area;
        acre_status status = acre_port_area_at(at, &area);
        if (status != ACRE_OK)
            return status;
        uintptr_t part_end = area.end < end ? area.end : end;
        if (area.page_size != map->page_size) {
            acre_mmap mapped;
            request.address = (void *)at;
            request.size = part_end - at;
            // Noted before: a kernel that does not move huge pages takes the old ones away first,
            // and only then sees that the pool is short.
            parts[*count].base = (void *)at;
            parts[(*count)++].length = part_end - at;
            status = acre_port_map(&request, &mapped);
            if (status != ACRE_OK)
                return status;
        }
        at = part_end;
    }
    *reached = at;
    return ACRE_OK;
}

static acre_status
commit_huge(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    enum { PARTS = 16 };
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (at < end) {
        acre_range parts[PARTS];
        size_t count = 0;
        uintptr_t reached = at;
        acre_status status = map_huge_parts(map, at, end, parts, PARTS, &count, &reached);
        if (status == ACRE_OK)
            status =
                linux_explain(sys_mprotect((void *)at, reached - at, posix_protection(access)));
        if (status != ACRE_OK) {
            while (count-- > 0)
                (void)acre_port_decommit(map, parts[count].base, parts[count].length);
            return status;
        }
        at = reached;
    }
    return ACRE_OK;
}

static acre_status
commit_locked(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    acre_status status = sys_mlock_on_fault(start, length);
    if (status == ACRE_OK)
        status = sys_mprotect(start, length, posix_protection(access));
    if (status == ACRE_OK)
        status = acre_linux_lock_as(start, length, map->flags);
    return linux_explain(status);
}

acre_status
acre_port_commit(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    acre_status status;
    if (map->flags & ACRE_MAP_HUGE)
        status = commit_huge(map, start, length, access);
    else if (map->flags & LOCKS)
        status = commit_locked(map, start, length, access);
    else
        status = linux_explain(sys_mprotect(start, length, posix_protection(access)));
    if (status == ACRE_OK && map->flags & ACRE_MAP_POPULATE)
        (void)acre_linux_populate(start, length, access, map->flags);
    return status;
}

acre_status
acre_port_protect(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    // What is committed by the way is committed in full.
    int commits = access != ACRE_NONE && map->flags & (ACRE_MAP_HUGE | LOCKS | ACRE_MAP_POPULATE) &&
                  posix_is_committable(map->flags);
    return commits ? acre_port_commit(map, start, length, access)
                   : linux_explain(sys_mprotect(start, length, posix_protection(access)));
}

#endif  // ACRE_ON_LINUX
