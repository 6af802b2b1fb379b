// macOS, iOS, FreeBSD: the port functions that are the same on these systems.
//
//   1. A reservation is inaccessible pages without memory.  Each system decides how it is made and
//      how it gets access (acre_bsd_map, acre_bsd_give_access).
//   2. On none of these systems does advice empty pages at once (MADV_FREE and MADV_DONTNEED leave
//      old bytes readable), so decommit, guard and discard map the range anew.
//   3. Mapping anew loses what was done to pages since they were mapped.  Access is known, part by
//      part.  Locks and fork behaviour are not: if a handle says that pages may have such, writable
//      pages are zeroed by hand instead, and then freed lazily.  That makes everything it zeroes
//      present (FreeBSD), so parts that were never touched are skipped.
//   4. Guards are pages without access.
#include "mmap/port/system.h"

#if ACRE_ON_BSD

#include "mmap/port/bsd/bsd.h"

#include <stdatomic.h>
#include <string.h>

// ---- facts --------------------------------------------------------------------------------------

void *
acre_bsd_scratch_page(int protection)
{
    void *page = NULL;
    acre_status status =
        sys_mmap(NULL, acre_port_page_size(), protection, MAP_PRIVATE | MAP_ANON, -1, 0, &page);
    return status == ACRE_OK ? page : NULL;
}

// ---- mapping ------------------------------------------------------------------------------------

acre_status
acre_bsd_explain_file(acre_status status, acre_file file)
{
    struct stat found;
    int saved = errno;
    int other = status == -EINVAL && fstat(posix_descriptor(file), &found) == 0 &&
                !S_ISREG(found.st_mode) && !S_ISCHR(found.st_mode);
    errno = saved;
    return other ? -ENODEV : status;
}

static acre_status
touch_pages(const char *start, size_t length)
{
    acre_status status = ACRE_OK;
    for (size_t done = 0; done < length && status == ACRE_OK; done += acre_port_page_size())
        status = acre_bsd_touch(start + done);
    return status;
}

acre_status
acre_bsd_prepare(const port_request *request, void *base, uint32_t *flags)
{
    int accessible = request->access != ACRE_NONE && (*flags & ACRE_IS_RESERVATION) == 0;
    if (*flags & ACRE_MAP_LOCKED && accessible) {
        acre_status status = acre_bsd_lock(base, request->size);
        if (status != ACRE_OK)
            return status;
    }
    if (*flags & ACRE_MAP_HUGE_TRANSPARENT && !acre_bsd_huge(request))
        *flags &= ~(uint32_t)ACRE_MAP_HUGE_TRANSPARENT;
    if (*flags & ACRE_MAP_POPULATE && (*flags & ACRE_IS_RESERVATION) == 0 &&
        ((request->access & ACRE_READ) == 0 || touch_pages(base, request->size) != ACRE_OK))
        *flags &= ~(uint32_t)ACRE_MAP_POPULATE;
    return ACRE_OK;
}

acre_status
acre_port_map(const port_request *request, acre_mmap *out)
{
    uint32_t flags =
        request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE | ACRE_MAP_DROPPABLE);
    // Inaccessible pages cannot be locked; those that can be committed are locked at the commit.
    int lockable = request->access != ACRE_NONE || posix_is_committable(flags);
    if (flags & acre_bsd_refused_flags || (flags & ACRE_MAP_LOCKED && !lockable))
        return -ENOTSUP;

    void *base = NULL;
    acre_status status = acre_bsd_map(request, &base);
    if (status != ACRE_OK)
        return status;
    status = acre_bsd_prepare(request, base, &flags);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, request->size);
        return status;
    }
    if (flags & ACRE_IS_CLONE) {
        acre_bsd_image_hold(bsd_image_of(request->file), request->size);
        out->backing = (uintptr_t)request->file;
    }
    out->base = base;
    out->flags = flags;
    out->private_[1] = 0;
    return ACRE_OK;
}

acre_status
acre_bsd_map_fresh(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    port_request request = {
        .address = start,
        .size = length,
        .alignment = map->page_size,
        .page_size = map->page_size,
        .offset = map->offset + ((uintptr_t)start - (uintptr_t)map->base),
        .access = access,
        .flags = (map->flags & (BSD_KEPT | ACRE_IS_CLONE | ACRE_IS_FILE)) | ACRE_MAP_REPLACE,
    };
    void *base;
    if (posix_is_anonymous(map->flags)) {
        request.offset = 0;
        request.flags |= access == ACRE_NONE ? ACRE_IS_RESERVATION : 0;
        return acre_bsd_map(&request, &base);
    }
    // For an adopted map, its file or image is unknown.
    if (map->flags & ACRE_IS_ADOPTED)
        return -ENOTSUP;
    if (map->flags & ACRE_IS_CLONE) {
        request.file = (acre_file)map->backing;
        return acre_bsd_map(&request, &base);
    }
    int file = acre_bsd_open_again(start);
    if (file < 0)
        return file;
    request.file = file;
    acre_status status = acre_bsd_map(&request, &base);
    sys_close(file);
    return status;
}

int
acre_bsd_open_same(const char *path, uint64_t device, uint64_t inode)
{
    int file = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return file == -EMFILE || file == -ENFILE ? file : -ENOTSUP;
    struct stat found;
    int saved = errno;
    int same = fstat(file, &found) == 0 && (uint64_t)found.st_ino == inode &&
               (uint64_t)found.st_dev == device;
    errno = saved;
    if (same)
        return file;
    sys_close(file);
    return -ENOTSUP;
}

acre_status
acre_port_decommit(acre_mmap *map, void *start, size_t length)
{
    return acre_bsd_map_fresh(map, start, length, ACRE_NONE);
}

int
acre_bsd_is_reserved(const void *start, size_t length)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    bsd_walk walk;
    if (acre_bsd_walk_begin(&walk) != ACRE_OK)
        return 0;
    acre_area area;
    while (at < end && acre_bsd_walk_next(&walk, at, &area) == 1 && area.start <= at &&
           area.flags & ACRE_AREA_RESERVED)
        at = area.end;
    acre_bsd_walk_end(&walk);
    // Memory that was only made inaccessible has pages; a reservation has none.
    const void *lowest;
    return at >= end && acre_port_lowest_touched(start, length, &lowest) == ACRE_OK &&
           (uintptr_t)lowest == end;
}

// Undoes a refused change of a range that had one access.
static acre_status
undo_change(acre_mmap *map, void *start, size_t length, int reserved, acre_status status)
{
    if (reserved)
        (void)acre_port_decommit(map, start, length);
    else if (known_access(map, start) >= 0)
        (void)sys_mprotect(start, length, posix_protection((uint32_t)known_access(map, start)));
    return status;
}

acre_status
acre_port_commit(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    int reserved = is_as_made(map, start)
                       ? (map->flags & ACRE_IS_RESERVATION) != 0
                       : map->flags & ACRE_MAP_LOCKED && acre_bsd_is_reserved(start, length);
    acre_status status = acre_bsd_give_access(map, start, length, access);
    if (status == ACRE_OK && map->flags & ACRE_MAP_LOCKED)
        status = acre_bsd_lock(start, length);
    if (status != ACRE_OK)
        return undo_change(map, start, length, reserved, status);
    if (map->flags & ACRE_MAP_POPULATE && access & ACRE_READ)
        (void)touch_pages(start, length);
    return ACRE_OK;
}

acre_status
acre_port_protect(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    // Where this commits pages, it commits them in full: locked and populated.
    if (access != ACRE_NONE && posix_is_committable(map->flags))
        return acre_port_commit(map, start, length, access);
    acre_status status = access != ACRE_NONE && posix_is_anonymous(map->flags)
                             ? acre_bsd_give_access(map, start, length, access)
                             : sys_mprotect(start, length, posix_protection(access));
    return status == ACRE_OK ? status : undo_change(map, start, length, 0, status);
}

// ---- contents -----------------------------------------------------------------------------------

acre_status
acre_port_guard_many(const acre_range *ranges, size_t count, size_t *done)
{
    (void)ranges;
    (void)count;
    *done = 0;
    return -ENOTSUP;  // there are no markers
}

// Queries mincore for a range in blocks, with one byte for each page of the block.
typedef struct pages {
    uintptr_t start, end;
    size_t count;
    unsigned char present[512];
} pages;

// Reads the next block of [block->start, end): 1, 0 at the end, or a failure.
static acre_status
next_block(pages *block)
{
    block->start += block->count * acre_port_page_size();
    if (block->start >= block->end)
        return 0;
    block->count = (block->end - block->start) / acre_port_page_size();
    if (block->count > sizeof block->present)
        block->count = sizeof block->present;
    int saved = errno;
    // The last parameter's type differs in sign between systems.
    acre_status status = status_of(
        mincore((void *)block->start, block->count * acre_port_page_size(), (void *)block->present),
        saved);
    return status == ACRE_OK ? 1 : status;
}

enum { IN_CORE = 1 };

// Pages that have contents, as far as the system reports it.
#ifdef MINCORE_PAGED_OUT
enum { HAS_CONTENTS = IN_CORE | MINCORE_PAGED_OUT, TELLS_OF_SWAP = 1 };
#else
enum { HAS_CONTENTS = IN_CORE, TELLS_OF_SWAP = 0 };
#endif

acre_status
acre_bsd_empty_in_place(void *start, size_t length)
{
    size_t page = acre_port_page_size();
    pages block = {.start = (uintptr_t)start, .end = (uintptr_t)start + length};
    acre_status status;
    while ((status = next_block(&block)) == 1) {
        for (size_t i = 0; i < block.count; i++) {
            if (!TELLS_OF_SWAP || block.present[i] & HAS_CONTENTS)
                memset((char *)block.start + i * page, 0, page);
        }
    }
    if (status == ACRE_OK)
        (void)acre_bsd_free_lazily(start, length);  // the bytes are gone already
    return status;
}

// Whether pages may have their own locks or fork behaviour.
static int
is_changed(const acre_mmap *map)
{
    return (map->private_[1] & BSD_CHANGED) != 0 || (map->flags & ACRE_IS_ADOPTED) != 0;
}

static acre_status
map_part_anew(acre_mmap *map, void *start, size_t length, uint32_t access, int locked)
{
    acre_status status = acre_bsd_map_fresh(map, start, length, access);
    // Some memory cannot be replaced.
    if (status == -ENOTSUP && access & ACRE_WRITE && posix_is_anonymous(map->flags))
        return acre_bsd_empty_in_place(start, length);
    return status == ACRE_OK && locked ? acre_bsd_lock(start, length) : status;
}

// Empties one area of a private map.
static acre_status
empty_part(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    int locked = access != ACRE_NONE && (map->flags & ACRE_MAP_LOCKED) != 0;
    return map_part_anew(map, start, length, access, locked);
}

static acre_status
empty_changed_part(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    if (access & ACRE_WRITE && posix_is_anonymous(map->flags))
        return acre_bsd_empty_in_place(start, length);
    int locked = access != ACRE_NONE ? acre_bsd_is_locked(start, length) : 0;
    return locked < 0 ? locked : map_part_anew(map, start, length, access, locked);
}

static acre_status
empty_shared_part(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    if (access & ACRE_WRITE)
        return acre_bsd_empty_in_place(start, length);
    // A guard was emptied when it was created.
    return access == ACRE_NONE && map->flags & ACRE_HAS_PAGE_GUARDS ? ACRE_OK : -EACCES;
}

// Apple's systems let a thread write to such memory only while acre_jit_write permits it, which
// cannot be asked, and do not map it anew.
static int
is_out_of_reach(uint32_t access)
{
    return ACRE_ON_DARWIN && (access & (ACRE_WRITE | ACRE_EXEC)) == (ACRE_WRITE | ACRE_EXEC);
}

typedef acre_status (*on_part)(acre_mmap *map, void *start, size_t length, uint32_t access);

// Calls `act` for each part of the range that has one access and may have contents.
static acre_status
for_each_part(acre_mmap *map, void *start, size_t length, on_part act)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    bsd_walk walk;
    acre_status status = acre_bsd_walk_begin(&walk);
    if (status != ACRE_OK)
        return status;
    while (at < end && status == ACRE_OK) {
        acre_area area;
        status = acre_bsd_walk_next(&walk, at, &area);
        if (status >= 0 && (status == 0 || area.start > at))
            status = -ENOMEM;  // a hole
        if (status < 0)
            break;
        uintptr_t part_end = area.end < end ? area.end : end;
        if (is_out_of_reach(area.access))
            status = -ENOTSUP;
        else if (area.flags & BSD_AREA_UNTOUCHED)
            status = ACRE_OK;
        else
            status = act(map, (void *)at, part_end - at, area.access);
        at = part_end;
    }
    acre_bsd_walk_end(&walk);
    return status;
}

// Whether every page has the map's own access, and nothing that the map's flags do not say.
static int
is_untouched(const acre_mmap *map)
{
    return (map->private_[0] & MIXED) == 0 && !is_changed(map);
}

static acre_status
empty_range(acre_mmap *map, void *start, size_t length)
{
    if (posix_is_shared_memory(map))
        return for_each_part(map, start, length, empty_shared_part);
    if (map->flags & ACRE_MAP_SHARED)
        return ACRE_OK;  // a shared file keeps its contents
    if (!is_untouched(map))
        return for_each_part(map, start, length, is_changed(map) ? empty_changed_part : empty_part);
    acre_status status = acre_bsd_map_fresh(map, start, length, map->access);
    return status == ACRE_OK && map->flags & ACRE_MAP_LOCKED && map->access != ACRE_NONE
               ? acre_bsd_lock(start, length)
               : status;
}

acre_status
acre_port_discard(acre_mmap *map, void *start, size_t length, uint32_t when)
{
    int lazily = when == ACRE_DISCARD_LAZY && !posix_is_shared_memory(map) &&
                 (map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0;
    acre_status status = lazily ? acre_bsd_free_lazily(start, length) : -ENOTSUP;
    if (status == -ENOTSUP)
        return empty_range(map, start, length);
    map->private_[1] |= BSD_FREED;
    return status;
}

acre_status
acre_port_discard_many(const acre_range *ranges, size_t count, uint32_t when, size_t *done)
{
    // Nothing is known about these ranges.
    acre_mmap unknown = {
        .page_size = acre_port_page_size(),
        .private_ = {MIXED, BSD_CHANGED},
    };
    for (*done = 0; *done < count; ++*done) {
        const acre_range *range = &ranges[*done];
        acre_status status = range->length == 0
                                 ? ACRE_OK
                                 : acre_port_discard(&unknown, range->base, range->length, when);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

int
acre_port_discards_at_once(void)
{
    return 0;
}

// Pages mapped anew count as untouched.  Zeroing by hand would touch all of them where the system
// does not report untouched ones (FreeBSD).
acre_status
acre_port_shrink_stack(acre_mmap *map, void *start, size_t length, size_t keep)
{
    if (map->flags & ACRE_MAP_LOCKED || map->private_[1] & BSD_CHANGED)
        return acre_bsd_empty_in_place(start, length - keep);
    return acre_bsd_map_fresh(map, start, length - keep, ACRE_READ_WRITE);
}

acre_status
acre_port_guard(acre_mmap *map, void *start, size_t length, uint32_t *kind)
{
    int fresh = (map->flags & (ACRE_MAP_SHARED | ACRE_IS_RING | ACRE_IS_TWIN)) == 0 &&
                (map->private_[1] & BSD_CHANGED) == 0;
    acre_status status =
        fresh ? acre_bsd_map_fresh(map, start, length, ACRE_NONE) : empty_range(map, start, length);
    if (status == ACRE_OK)
        status = sys_mprotect(start, length, PROT_NONE);
    if (status == ACRE_OK)
        *kind = ACRE_HAS_PAGE_GUARDS;
    return status;
}

acre_status
acre_port_unguard(acre_mmap *map, void *start, size_t length, int set_access)
{
    // Always needed, since guards are inaccessible pages.
    (void)set_access;
    acre_status status = acre_port_protect(map, start, length, map->access);
    if (status != ACRE_OK)
        (void)sys_mprotect(start, length, PROT_NONE);
    return status;
}

acre_status
acre_port_populate(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    return touch_pages(start, length);
}

// ---- locks, files, residency --------------------------------------------------------------------

acre_status
acre_port_lock(acre_mmap *map, void *start, size_t length)
{
    acre_status status = acre_bsd_lock(start, length);
    if (status != ACRE_OK)
        (void)acre_bsd_unlock(start, length);  // a part may be locked
    map->private_[1] |= BSD_CHANGED;
    return status;
}

acre_status
acre_port_lock_on_fault(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    (void)start;
    (void)length;
    return -ENOTSUP;
}

acre_status
acre_port_unlock(acre_mmap *map, void *start, size_t length)
{
    map->private_[1] |= BSD_CHANGED;
    return acre_bsd_unlock(start, length);
}

acre_status
acre_port_resident(const void *start, size_t length, size_t *bytes)
{
    pages block = {.start = (uintptr_t)start, .end = (uintptr_t)start + length};
    size_t count = 0;
    acre_status status;
    while ((status = next_block(&block)) == 1) {
        for (size_t i = 0; i < block.count; i++)
            count += (block.present[i] & IN_CORE) != 0;
    }
    if (status == ACRE_OK)
        *bytes = count * acre_port_page_size();
    return status;
}

acre_status
acre_port_lowest_touched(const void *start, size_t length, const void **lowest)
{
    pages block = {.start = (uintptr_t)start, .end = (uintptr_t)start + length};
    acre_status status;
    while ((status = next_block(&block)) == 1) {
        for (size_t i = 0; i < block.count; i++) {
            if (block.present[i] & HAS_CONTENTS) {
                *lowest = (const void *)(block.start + i * acre_port_page_size());
                return ACRE_OK;
            }
        }
    }
    if (status == ACRE_OK)
        *lowest = (const void *)block.end;
    return status;
}

#endif  // ACRE_ON_BSD
