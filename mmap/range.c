// Calls on a range of a map: access, contents, residency.
//
// Each checks range, option and state in this order; length 0 is checked and then does nothing.
#include "acre/mmap.h"

#include "mmap/check.h"

#include <errno.h>

static void *
address_at(const acre_mmap *map, size_t offset)
{
    return (char *)map->base + offset;
}

// Reservations and private anonymous maps can be committed; adopted maps only as a reservation.
static acre_status
check_committable(const acre_mmap *map)
{
    enum { NEVER = ACRE_MAP_SHARED | ACRE_IS_FILE | ACRE_IS_RING | ACRE_IS_TWIN | ACRE_IS_CLONE };
    if (map->flags & ACRE_IS_SEALED)
        return ACRE_SEALED;
    if (map->flags & NEVER ||
        (map->flags & (ACRE_IS_ADOPTED | ACRE_IS_RESERVATION)) == ACRE_IS_ADOPTED)
        return ACRE_BAD_STATE;
    return ACRE_OK;
}

// Contents may still be destroyed in a sealed map that is writable.
static acre_status
check_destroyable(const acre_mmap *map)
{
    return map->flags & ACRE_IS_SEALED && (map->access & ACRE_WRITE) == 0 ? ACRE_SEALED : ACRE_OK;
}

// Turns the system's refusal on a sealed map into ACRE_SEALED.
static acre_status
status_on_sealed(const acre_mmap *map, acre_status status)
{
    return status == -EPERM && map->flags & ACRE_IS_SEALED ? ACRE_SEALED : status;
}

// ---- access -------------------------------------------------------------------------------------

// Whether every page is known to have map->access.
static int
is_uniform(const acre_mmap *map)
{
    return (map->private_[0] & MIXED) == 0;
}

// Flushes all pages between guard markers.  Flushing reads the code, and to read a guard would
// fault.  Pages that are not present hold no new code.  Where that is unknown, or known of the page
// cache only, populate decides: it fails for a guard, and changes nothing for a present page.
static acre_status
flush_between_markers(char *start, size_t length)
{
    acre_mmap reader = {.flags = ACRE_IS_FILE};  // pages of files are only read
    size_t page = acre_port_page_size();
    for (size_t done = 0; done < length; done += page) {
        size_t present = 0;
        if (acre_port_resident(start + done, page, &present) == ACRE_OK && present == 0)
            continue;
        acre_status status = acre_port_populate(&reader, start + done, page);
        if (status == ACRE_OK)
            acre_port_icache_flush(start + done, page);
        else if (status != -EFAULT)
            return status;
    }
    return ACRE_OK;
}

// Guards by protection are gone when a range is executable.
static acre_status
flush_code(const acre_mmap *map, char *start, size_t length)
{
    if (map->flags & ACRE_HAS_MARKER_GUARDS)
        return flush_between_markers(start, length);
    acre_port_icache_flush(start, length);
    return ACRE_OK;
}

static void
note_access(acre_mmap *map, size_t offset, size_t length, uint32_t access, int committing)
{
    int whole = length == map->size && (!committing || access == map->access);
    if (whole) {
        map->private_[0] &= ~(uintptr_t)MIXED;
        set_end_of_changed(map, map->flags & ACRE_IS_RESERVATION ? map->size : 0);
        map->access = access;
    } else if (access != map->access || map->flags & ACRE_IS_RESERVATION) {
        note_change(map, offset + length);
        map->private_[0] |= access != map->access ? MIXED : 0;
    } else if (offset < end_of_changed(map) && offset + length >= end_of_changed(map)) {
        set_end_of_changed(map, offset);
    }
}

// Common part of commit and protect: gives the range its access and records whether all of the map
// has the same access.
static acre_status
give_access(acre_mmap *map, size_t offset, size_t length, uint32_t access, int committing)
{
    void *start = address_at(map, offset);
    int before = known_access(map, start);
    // The flush reads the code, so execute-only memory must be readable first.
    uint32_t first = access & ACRE_EXEC ? access | ACRE_READ : access;
    acre_status status = committing ? acre_port_commit(map, start, length, first)
                                    : acre_port_protect(map, start, length, first);
    if (status != ACRE_OK)
        return status;
    if (access & ACRE_EXEC)
        status = flush_code(map, start, length);
    if (status == ACRE_OK && first != access)
        status = acre_port_protect(map, start, length, access);
    if (status == ACRE_OK)
        note_access(map, offset, length, access, committing);
    else if (before >= 0)
        (void)acre_port_protect(map, start, length, (uint32_t)before);
    else
        note_access(map, offset, length, first, 1);
    return status;
}

static acre_status
commit_range(acre_mmap *map, size_t offset, size_t length, uint32_t access)
{
    acre_status status = check_committable(map);
    return status != ACRE_OK || length == 0 ? status : give_access(map, offset, length, access, 1);
}

acre_status
acre_mmap_commit(acre_mmap *map, size_t offset, size_t length)
{
    acre_status status = check_pages(map, offset, length);
    if (status != ACRE_OK)
        return status;
    if (map->access == ACRE_NONE && map->size != 0 && (map->flags & ACRE_IS_SEALED) == 0)
        return ACRE_BAD_STATE;
    return commit_range(map, offset, length, map->access);
}

acre_status
acre_mmap_commit_as(acre_mmap *map, size_t offset, size_t length, uint32_t access)
{
    acre_status status = check_pages(map, offset, length);
    if (status == ACRE_OK)
        status = IS_VALID(access != ACRE_NONE) ? check_access(access, map->flags) : ACRE_BAD_ACCESS;
    return status == ACRE_OK ? commit_range(map, offset, length, with_implied_read(access))
                             : status;
}

acre_status
acre_mmap_decommit(acre_mmap *map, size_t offset, size_t length)
{
    acre_status status = check_pages(map, offset, length);
    if (status == ACRE_OK)
        status = check_committable(map);
    if (status != ACRE_OK || length == 0)
        return status;
    status = acre_port_decommit(map, address_at(map, offset), length);
    if (status != ACRE_OK)
        return status;
    if (length == map->size) {
        map->private_[0] = 0;
        map->flags &= ~(uint32_t)(ACRE_HAS_MARKER_GUARDS | ACRE_HAS_PAGE_GUARDS);
    }
    map->private_[0] |= MIXED;
    // In a reservation, decommitted pages are again as they were made.
    if ((map->flags & ACRE_IS_RESERVATION) == 0)
        note_change(map, offset + length);
    else if (offset + length >= end_of_changed(map) && offset < end_of_changed(map))
        set_end_of_changed(map, offset);
    return ACRE_OK;
}

acre_status
acre_mmap_protect(acre_mmap *map, size_t offset, size_t length, uint32_t access)
{
    acre_status status = check_pages(map, offset, length);
    if (status == ACRE_OK)
        status = check_access(access, map->flags);
    if (status != ACRE_OK)
        return status;
    if (map->flags & ACRE_IS_SEALED)
        return ACRE_SEALED;
    return length == 0 ? ACRE_OK : give_access(map, offset, length, with_implied_read(access), 0);
}

// ---- contents -----------------------------------------------------------------------------------

acre_status
acre_mmap_discard(acre_mmap *map, size_t offset, size_t length, uint32_t when)
{
    acre_status status = check_pages(map, offset, length);
    if (status != ACRE_OK)
        return status;
    if (!IS_VALID(when <= ACRE_DISCARD_LAZY))
        return ACRE_BAD_OPTION;
    status = check_destroyable(map);
    if (status != ACRE_OK)
        return status;
    if ((map->flags & (ACRE_IS_FILE | ACRE_MAP_SHARED)) == (ACRE_IS_FILE | ACRE_MAP_SHARED))
        return ACRE_BAD_STATE;
    return length == 0 ? ACRE_OK
                       : status_on_sealed(
                             map, acre_port_discard(map, address_at(map, offset), length, when));
}

acre_status
acre_discard_many(const acre_range *ranges, size_t count, uint32_t when, size_t *done)
{
    if (done != NULL)
        *done = 0;
    if (!IS_VALID(count == 0 || ranges != NULL))
        return ACRE_NULL_ARGUMENT;
    for (size_t i = 0; i < count; i++) {
        uintptr_t both = (uintptr_t)ranges[i].base | ranges[i].length;
        if (!IS_VALID((both & (acre_port_page_size() - 1)) == 0))
            return ACRE_BAD_OFFSET;
    }
    if (!IS_VALID(when <= ACRE_DISCARD_LAZY))
        return ACRE_BAD_OPTION;
    size_t handled;
    acre_status status = acre_port_discard_many(ranges, count, when, &handled);
    if (done != NULL)
        *done = handled;
    return status;
}

// Where the system may empty pages by itself, it would remove their guards too.
static acre_status
check_guard(const acre_mmap *map, size_t offset, size_t length)
{
    acre_status status = check_pages(map, offset, length);
    if (status == ACRE_OK)
        status = check_destroyable(map);
    if (status != ACRE_OK)
        return status;
    int emptied = (map->flags & (ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_DROPPABLE)) != 0 ||
                  (map->private_[0] & WIPED) != 0;
    return emptied ? ACRE_BAD_STATE : ACRE_OK;
}

acre_status
acre_mmap_guard(acre_mmap *map, size_t offset, size_t length)
{
    acre_status status = check_guard(map, offset, length);
    if (status != ACRE_OK || length == 0)
        return status;

    uint32_t kind;
    status = acre_port_guard(map, address_at(map, offset), length, &kind);
    if (status != ACRE_OK) {
        if (is_uniform(map))
            (void)acre_port_protect(map, address_at(map, offset), length, map->access);
        return status_on_sealed(map, status);
    }
    map->flags |= kind;
    if (kind == ACRE_HAS_PAGE_GUARDS) {
        map->private_[0] |= MIXED;
        note_change(map, offset + length);
    }
    return ACRE_OK;
}

acre_status
acre_mmap_unguard(acre_mmap *map, size_t offset, size_t length)
{
    acre_status status = check_guard(map, offset, length);
    if (status != ACRE_OK || length == 0)
        return status;
    int uniform = is_uniform(map);
    status = acre_port_unguard(map, address_at(map, offset), length, !uniform);
    if (status == ACRE_OK && !uniform)
        note_change(map, offset + length);  // reserved pages now have the map's access
    return status_on_sealed(map, status);
}

// ---- residency ----------------------------------------------------------------------------------

// The whole base pages that contain a range of bytes.
typedef struct span {
    void *start;
    size_t length;
} span;

static span
pages_of(const acre_mmap *map, size_t offset, size_t length)
{
    size_t page = acre_port_page_size();
    size_t first = offset & ~(page - 1);
    // The map ends at a page boundary, so this does not overflow, even for maps above SIZE_MAX / 2.
    size_t end = (offset + length + page - 1) & ~(page - 1);
    span result = {address_at(map, first), end - first};
    return result;
}

acre_status
acre_mmap_resident(const acre_mmap *map, size_t offset, size_t length, size_t *bytes)
{
    acre_status status =
        IS_VALID(bytes != NULL) ? check_bytes(map, offset, length) : ACRE_NULL_ARGUMENT;
    if (status != ACRE_OK)
        return status;
    if (length == 0) {
        *bytes = 0;
        return ACRE_OK;
    }
    span pages = pages_of(map, offset, length);
    return acre_port_resident(pages.start, pages.length, bytes);
}

typedef acre_status (*on_pages)(acre_mmap *map, void *start, size_t length);

static acre_status
on_any_bytes(on_pages call, acre_mmap *map, size_t offset, size_t length)
{
    acre_status status = check_bytes(map, offset, length);
    if (status != ACRE_OK || length == 0)
        return status;
    span pages = pages_of(map, offset, length);
    return call(map, pages.start, pages.length);
}

static acre_status
note_parts(acre_mmap *map, size_t length, acre_status status)
{
    if (status == ACRE_OK && length != 0 && length != map->size)
        map->private_[0] |= UNEVEN;
    return status;
}

acre_status
acre_mmap_populate(acre_mmap *map, size_t offset, size_t length)
{
    return on_any_bytes(acre_port_populate, map, offset, length);
}

// The system would grant a lock on droppable pages but not keep it.
static acre_status
lock_range(on_pages call, acre_mmap *map, size_t offset, size_t length)
{
    acre_status status = check_bytes(map, offset, length);
    if (status == ACRE_OK && map->flags & ACRE_MAP_DROPPABLE)
        status = ACRE_BAD_STATE;
    if (status == ACRE_OK)
        status = on_any_bytes(call, map, offset, length);
    return note_parts(map, length, status);
}

acre_status
acre_mmap_lock(acre_mmap *map, size_t offset, size_t length)
{
    return lock_range(acre_port_lock, map, offset, length);
}

acre_status
acre_mmap_lock_on_fault(acre_mmap *map, size_t offset, size_t length)
{
    return lock_range(acre_port_lock_on_fault, map, offset, length);
}

acre_status
acre_mmap_unlock(acre_mmap *map, size_t offset, size_t length)
{
    return note_parts(map, length, on_any_bytes(acre_port_unlock, map, offset, length));
}

acre_status
acre_mmap_flush(acre_mmap *map, size_t offset, size_t length, uint32_t how)
{
    acre_status status = check_bytes(map, offset, length);
    if (status != ACRE_OK)
        return status;
    if (!IS_VALID(how <= ACRE_FLUSH_ASYNC))
        return ACRE_BAD_OPTION;
    uint32_t shared_file = ACRE_IS_FILE | ACRE_MAP_SHARED;
    if (length == 0 || (map->flags & shared_file) != shared_file)
        return ACRE_OK;
    span pages = pages_of(map, offset, length);
    return acre_port_flush(map, pages.start, pages.length, how);
}

acre_status
acre_mmap_advise(acre_mmap *map, size_t offset, size_t length, acre_advice advice)
{
    acre_status status = check_pages(map, offset, length);
    if (status != ACRE_OK)
        return status;
    if (!IS_VALID((unsigned)advice <= ACRE_ADVISE_KEEP_ON_FORK))
        return ACRE_BAD_OPTION;
    if ((advice == ACRE_ADVISE_DONT_FORK || advice == ACRE_ADVISE_WIPE_ON_FORK) &&
        check_destroyable(map) != ACRE_OK)
        return ACRE_SEALED;
    // Wiping would remove the markers in the child.
    if (advice == ACRE_ADVISE_WIPE_ON_FORK && map->flags & ACRE_HAS_MARKER_GUARDS)
        return ACRE_BAD_STATE;
    if (length == 0)
        return ACRE_OK;
    status =
        note_parts(map, length, acre_port_advise(map, address_at(map, offset), length, advice));
    if (status != ACRE_OK)
        return status;
    if (advice == ACRE_ADVISE_WIPE_ON_FORK)
        map->private_[0] |= WIPED;
    else if (advice == ACRE_ADVISE_KEEP_ON_FORK && length == map->size)
        map->private_[0] &= ~(uintptr_t)WIPED;
    return ACRE_OK;
}
