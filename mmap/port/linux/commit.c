// Linux: committing, decommitting, protecting.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/check.h"
#include "mmap/port/area.h"
#include "mmap/port/linux/demand.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/map.h"

#include <string.h>

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
    return acre_linux_map_alike(&fresh, &replaced);
}

// Maps huge pages where the range has none yet.  Records in `parts` each part that was mapped, or
// lost in a failed attempt, and stops after `capacity` parts.
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
            // Record it first: a kernel that cannot move huge pages removes the old mapping before
            // it notices that the pool is short.
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

// The kernel locks accessible pages only.  Locking takes pages that are missing out of the pool, or
// is refused; without it they would be missed by the first touch, which then raises SIGBUS.
static acre_status
lock_huge_parts(const acre_mmap *map, const acre_range *parts, size_t count, uint32_t access)
{
    acre_status status = ACRE_OK;
    for (size_t i = 0; i < count && status == ACRE_OK && map->flags & LOCKS; i++) {
        status =
            linux_explain(sys_mprotect(parts[i].base, parts[i].length, posix_protection(access)));
        if (status == ACRE_OK)
            status = acre_linux_lock_as(parts[i].base, parts[i].length, map->flags);
    }
    return status;
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
            status = lock_huge_parts(map, parts, count, access);
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

// ---- all or nothing -----------------------------------------------------------------------------

// The kernel changes the access of one area completely or not at all.  With several areas, or with
// locks, which are separate steps, a step may be refused after others succeeded; those are undone.
typedef struct change {
    uint32_t access;
    uint32_t locks;  // lock flags for pages that become accessible
} change;

static acre_status
do_step(const change *to, void *start, size_t length)
{
    // Lock the pages on fault, before any of them can be touched.
    acre_status status = to->locks != 0 ? sys_mlock_on_fault(start, length) : ACRE_OK;
    if (status == ACRE_OK)
        status = sys_mprotect(start, length, posix_protection(to->access));
    if (status == ACRE_OK)
        status = acre_linux_lock_as(start, length, to->locks);
    return linux_explain(status);  // before anything is undone, while the cause is still there
}

// On old kernels the pages stay accounted until they are decommitted.
static void
undo_step(const change *to, void *start, size_t length, uint32_t former)
{
    (void)sys_mprotect(start, length, posix_protection(former));
    if (to->locks != 0 && former == ACRE_NONE)
        (void)sys_munlock(start, length);
}

// Whether the range lies within one area, determined without opening a file.  Where the map
// continues behind the range, the kernel refuses to grow the range by a page: with -EFAULT when the
// range spans several areas, else with -ENOMEM or -EAGAIN.  Explicit huge pages are not tried with
// such a size.
static int
is_one_area(const acre_mmap *map, void *start, size_t length)
{
    enum { OTHER = ACRE_MAP_HUGE | ACRE_MAP_SHARED | ACRE_IS_FILE | ACRE_IS_CLONE };
    int goes_on = (char *)start + length < (char *)map->base + map->size;
    if (!goes_on || map->flags & (OTHER | ACRE_IS_RING | ACRE_IS_TWIN))
        return 0;
    int saved = errno;
    void *grown = mremap(start, length, length + acre_port_page_size(), 0);
    acre_status status = status_of(grown == MAP_FAILED ? -1 : 0, saved);
    return status == -ENOMEM || status == -EAGAIN;
}

// Whether the kernel would refuse to account `size` more bytes now.  When a part is undone, an old
// kernel keeps it accounted (seen in 6.1, not in 6.18), so before it commits several areas, acre
// asks for their total.  A trial that fails for another reason, such as too few addresses, decides
// nothing.
static int
is_memory_refused(const acre_mmap *map, const change *to, size_t size)
{
    int kind = MAP_PRIVATE | MAP_ANONYMOUS | (map->flags & ACRE_MAP_NO_RESERVE ? MAP_NORESERVE : 0);
    void *trial = NULL;
    if (map->flags & ACRE_MAP_SHARED ||
        sys_mmap(NULL, size, PROT_NONE, kind, -1, 0, &trial) != ACRE_OK)
        return 0;
    (void)sys_munlock(trial, size);  // else MCL_FUTURE would populate it
    acre_status status = linux_explain(sys_mprotect(trial, size, posix_protection(to->access)));
    (void)sys_munmap(trial, size);
    return status == -ENOMEM;
}

// Changes a range whose pages all have the access `former`.
static acre_status
change_alike(const acre_mmap *map, const change *to, void *start, size_t length, uint32_t former)
{
    int accounts = (to->access & ~former & ACRE_WRITE) != 0;
    if (accounts && map->private_[0] & UNEVEN && !is_one_area(map, start, length) &&
        is_memory_refused(map, to, length))
        return -ENOMEM;
    acre_status status = do_step(to, start, length);
    if (status != ACRE_OK)
        undo_step(to, start, length, former);
    return status;
}

// The part of the range that lay in one area.
typedef struct part {
    uintptr_t start;
    uint32_t access;
} part;

typedef struct part_list {
    part few[64];
    part *parts;
    size_t count, capacity;
    void *pages;  // mapped for a longer list
    size_t size;
} part_list;

// Provides room for one more part; the first time `few` is full, for as many as `length` may hold.
static acre_status
make_room(part_list *list, size_t length)
{
    if (list->count < list->capacity)
        return ACRE_OK;
    size_t page = acre_port_page_size();
    list->capacity = list->count + length / page;
    list->size = (list->capacity * sizeof(part) + page - 1) & ~(page - 1);
    acre_status status = sys_mmap(NULL, list->size, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &list->pages);
    if (status != ACRE_OK)
        return linux_explain(status);
    list->parts = memcpy(list->pages, list->few, sizeof list->few);
    return ACRE_OK;
}

static acre_status
note_part(part_list *list, uintptr_t start, uintptr_t end, uint32_t access)
{
    acre_status status = make_room(list, end - start);
    if (status == ACRE_OK) {
        list->parts[list->count].start = start;
        list->parts[list->count++].access = access;
    }
    return status;
}

// Lists the areas in [start, rest) as parts; [rest, end) is one part with the access `known`.
static acre_status
look_at_parts(part_list *list, uintptr_t start, uintptr_t rest, uintptr_t end, int known)
{
    acre_status status = ACRE_OK;
    for (uintptr_t at = start; at < rest && status == ACRE_OK;) {
        acre_area area;
        status = acre_port_area_at(at, &area);
        if (status == ACRE_OK)
            status = note_part(list, at, end, area.access);
        at = status == ACRE_OK && area.end < rest ? area.end : rest;
    }
    if (status == ACRE_OK && rest < end)
        status = note_part(list, rest, end, (uint32_t)known);
    return status;
}

static uintptr_t
end_of_part(const part_list *list, size_t which, uintptr_t end)
{
    return which + 1 < list->count ? list->parts[which + 1].start : end;
}

static acre_status
change_parts(const acre_mmap *map, const change *to, const part_list *list, uintptr_t end)
{
    size_t inaccessible = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->parts[i].access == ACRE_NONE)
            inaccessible += end_of_part(list, i, end) - list->parts[i].start;
    }
    if (list->count > 1 && inaccessible != 0 && to->access & ACRE_WRITE &&
        is_memory_refused(map, to, inaccessible))
        return -ENOMEM;
    acre_status status = ACRE_OK;
    size_t next = 0;
    for (; next < list->count && status == ACRE_OK; next++) {
        uintptr_t start = list->parts[next].start;
        status = do_step(to, (void *)start, end_of_part(list, next, end) - start);
    }
    while (status != ACRE_OK && next-- > 0) {
        uintptr_t start = list->parts[next].start;
        undo_step(to, (void *)start, end_of_part(list, next, end) - start,
                  list->parts[next].access);
    }
    return status;
}

static acre_status
change_access(const acre_mmap *map, void *start, size_t length, uint32_t access, uint32_t locks)
{
    const change to = {.access = access, .locks = locks};
    int known = known_access(map, start);
    if (known >= 0)
        return change_alike(map, &to, start, length, (uint32_t)known);

    size_t changed = end_of_changed(map) - (size_t)((char *)start - (char *)map->base);
    char *rest = (char *)start + (changed < length ? changed : length);
    char *end = (char *)start + length;
    known = rest < end ? known_access(map, rest) : -1;
    if (locks == 0 && is_one_area(map, start, (size_t)(rest - (char *)start))) {
        // First the part that is as it was made: how to undo that is known.
        acre_status status =
            rest < end ? change_alike(map, &to, rest, (size_t)(end - rest), (uint32_t)known)
                       : ACRE_OK;
        if (status != ACRE_OK)
            return status;
        status = do_step(&to, start, (size_t)(rest - (char *)start));
        if (status != ACRE_OK && rest < end)
            undo_step(&to, rest, (size_t)(end - rest), (uint32_t)known);
        return status;
    }

    part_list list;
    list.parts = list.few;
    list.count = 0;
    list.capacity = sizeof list.few / sizeof list.few[0];
    list.pages = NULL;
    acre_status status =
        look_at_parts(&list, (uintptr_t)start, (uintptr_t)rest, (uintptr_t)end, known);
    // Without the list of areas nothing could be undone, so just try.
    status = status == ACRE_OK ? change_parts(map, &to, &list, (uintptr_t)end)
                               : do_step(&to, start, length);
    if (list.pages != NULL)
        (void)sys_munmap(list.pages, list.size);
    return status;
}

acre_status
acre_port_commit(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    acre_status status = map->flags & ACRE_MAP_HUGE ? commit_huge(map, start, length, access)
                                                    : change_access(map, start, length, access,
                                                                    map->flags & (uint32_t)LOCKS);
    if (status == ACRE_OK && map->flags & ACRE_MAP_POPULATE)
        (void)acre_linux_populate(start, length, access, map->flags);
    return status;
}

acre_status
acre_port_protect(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    // Pages that this commits get everything that a commit gives them.
    int commits = access != ACRE_NONE && map->flags & (ACRE_MAP_HUGE | LOCKS | ACRE_MAP_POPULATE) &&
                  posix_is_committable(map->flags);
    return commits ? acre_port_commit(map, start, length, access)
                   : change_access(map, start, length, access, 0);
}

#endif  // ACRE_ON_LINUX
