// Windows: what is in the way of a map, and its return.
//
// 1. Nothing moves, and what is unmapped is gone.  So a range is looked at before it is touched: a
//    part of a view cannot be unmapped alone, and a view whose section acre does not have cannot
//    come back.
// 2. What is in the way is noted region by region.  Views come back with what their section holds
//    (a copying view without its copies), private memory with fresh pages.
// 3. The note is dropped once the new map is complete, with its access and its demands.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

struct windows_displaced {
    uintptr_t start;
    uintptr_t end;  // of what has been taken away
    size_t count;
    windows_region regions[];
};

void
acre_windows_displaced_drop(windows_displaced *displaced)
{
    // Memory of acre's own: its release cannot fail.
    if (displaced != NULL)
        (void)sys_free(displaced, 0, MEM_RELEASE);
}

static acre_status
note_regions(uintptr_t start, size_t size, windows_displaced **out)
{
    windows_region region;
    uintptr_t at = start;
    size_t count = 0;
    while (acre_windows_next_region(&at, start + size, &region))
        count++;
    void *base;
    size_t bytes = sizeof(windows_displaced) + count * sizeof(windows_region);
    acre_status status = sys_alloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, &base);
    if (status != ACRE_OK)
        return status;
    windows_displaced *displaced = base;
    displaced->start = displaced->end = start;
    at = start;
    while (displaced->count < count &&
           acre_windows_next_region(&at, start + size, &displaced->regions[displaced->count]))
        displaced->count++;
    *out = displaced;
    return ACRE_OK;
}

static windows_record *
owner_with_section(const windows_region *view)
{
    windows_record *owner = acre_windows_owner_of((uintptr_t)view->allocation);
    return owner != NULL && owner->section != NULL ? owner : NULL;
}

// Whether all of the range can be unmapped, and put back.
static int
can_displace(uintptr_t start, size_t size)
{
    windows_region part;
    uintptr_t at = start;
    while (acre_windows_next_allocation(&at, start + size, &part)) {
        if (part.state == MEM_FREE || part.type == MEM_IMAGE)
            return 0;
        if (part.type == MEM_MAPPED &&
            (!acre_windows_is_whole_allocation(&part) || owner_with_section(&part) == NULL))
            return 0;
    }
    return 1;
}

static acre_status
free_part(const windows_region *part)
{
    return part->type == MEM_PRIVATE
               ? sys_free(part->start, part->length, MEM_RELEASE | WINDOWS_PRESERVE_PLACEHOLDER)
               : acre_windows_unmap_view(part->start, WINDOWS_PRESERVE_PLACEHOLDER);
}

acre_status
acre_windows_displace(uintptr_t start, size_t size, windows_displaced **out)
{
    if (!can_displace(start, size))
        return -ENOTSUP;
    windows_displaced *displaced;
    acre_status status = note_regions(start, size, &displaced);
    if (status != ACRE_OK)
        return status;
    windows_region part;
    uintptr_t at = start;
    size_t parts = 0;
    while (status == ACRE_OK && acre_windows_next_allocation(&at, start + size, &part)) {
        status = free_part(&part);
        if (status == ACRE_OK)
            displaced->end = at;
        parts++;
    }
    if (status == ACRE_OK && parts > 1)
        status = sys_free((void *)start, size, MEM_RELEASE | WINDOWS_COALESCE_PLACEHOLDERS);
    if (status != ACRE_OK) {
        acre_windows_put_back(displaced);
        // What is no placeholder's (large pages) cannot be cut.
        return status == -EINVAL ? -ENOTSUP : status;
    }
    *out = displaced;
    return ACRE_OK;
}

// ---- back ---------------------------------------------------------------------------------------

// Removes what was made, so that the range is one placeholder.
static acre_status
clear_place(uintptr_t start, uintptr_t end)
{
    windows_region part;
    uintptr_t at = start;
    size_t parts = 0;
    while (acre_windows_next_allocation(&at, end, &part)) {
        // Refused for placeholders, which cannot be told from reserved memory.
        (void)free_part(&part);
        parts++;
    }
    return parts > 1
               ? sys_free((void *)start, end - start, MEM_RELEASE | WINDOWS_COALESCE_PLACEHOLDERS)
               : ACRE_OK;
}

// A placeholder has no owner: what could not come back is reserved.
static void
reserve_place(uintptr_t start, uintptr_t end)
{
    windows_region part;
    uintptr_t at = start;
    while (acre_windows_next_allocation(&at, end, &part))
        (void)acre_windows_fill(part.start, part.length, 0);  // refused for all but placeholders
}

// Makes an allocation again, in a placeholder of its size.
static void
make_again(const windows_region *first, size_t length)
{
    windows_record *owner = first->type == MEM_PRIVATE ? NULL : owner_with_section(first);
    if (owner != NULL) {
        windows_piece view = {
            .section = owner->section,
            .offset = owner->offset,
            .size = length,
            .bytes = owner->viewed,
            .protection = first->first_protection,
        };
        if (acre_windows_make_view(&view, first->start, 1) == ACRE_OK)
            return;
    }
    (void)acre_windows_fill(first->start, length, 0);
}

// Gives a region the access that it had.
static void
open_again(const windows_region *was)
{
    void *same;
    int copies = (was->first_protection & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)) != 0;
    DWORD protection = copies ? acre_windows_as_copying(was->protection) : was->protection;
    if (was->state != MEM_COMMIT)
        return;
    // Each is refused where the region did not come back.
    if (was->type == MEM_PRIVATE)
        (void)sys_alloc(was->start, was->length, MEM_COMMIT, protection, &same);
    else if (protection != was->first_protection)
        (void)sys_protect(was->start, was->length, protection);
}

// Finds where the allocation of `regions[i]` ends, among those that were taken away.
static size_t
end_of_allocation(const windows_displaced *displaced, size_t i)
{
    char *allocation = displaced->regions[i].allocation;
    while (i < displaced->count && displaced->regions[i].allocation == allocation)
        i++;
    return i;
}

void
acre_windows_put_back(windows_displaced *displaced)
{
    // Whatever is refused here, the rest comes back.
    uintptr_t end = displaced->end;
    size_t i = 0;
    int cleared = end != displaced->start && clear_place(displaced->start, end) == ACRE_OK;
    while (cleared && i < displaced->count && (uintptr_t)displaced->regions[i].start < end) {
        const windows_region *first = &displaced->regions[i];
        i = end_of_allocation(displaced, i);
        const windows_region *last = &displaced->regions[i - 1];
        size_t length = (size_t)(last->start + last->length - first->start);
        int cut =
            first->start + length != (char *)end &&
            sys_free(first->start, length, MEM_RELEASE | WINDOWS_PRESERVE_PLACEHOLDER) != ACRE_OK;
        if (!cut)
            make_again(first, length);
    }
    reserve_place(displaced->start, end);
    for (size_t region = 0; region < i; region++)
        open_again(&displaced->regions[region]);
    acre_windows_displaced_drop(displaced);
}

#endif  // ACRE_ON_WINDOWS
