// Linux: mapping, committing, protecting, guarding.
//
// Why these calls and no others (measured on Linux 6.18)
//   1. A reservation is PROT_NONE without MAP_NORESERVE: free in every overcommit mode.  NORESERVE would stay with the area and
//      exempt the later commit from accounting.
//   2. Commit is mprotect, which accounts.
//   3. Decommit maps the range anew.  MADV_DONTNEED and mprotect return neither the accounting nor the areas.
//   4. Demands (dump, fork, huge pages) are put on pages when they are mapped, at creation and at decommit, so that every page of
//      a map carries them and a commit has nothing to do.  Where pages are replaced they are mapped and prepared elsewhere and then
//      moved into place, so that a refused demand has destroyed nothing.
//   5. Guards are markers in the page tables, which cost no area; where there are none, protected pages.
#include "mmap/port_linux.h"

#include <string.h>

static int
protection_of(uint32_t access)
{
    return (access & ACRE_READ ? PROT_READ : 0) | (access & ACRE_WRITE ? PROT_WRITE : 0) |
           (access & ACRE_EXEC ? PROT_EXEC : 0);
}

// ENOMEM, and EAGAIN from madvise, may mean the limit of areas.
static acre_status
explain(acre_status status)
{
    return status == -ENOMEM || status == -EAGAIN ? linux_out_of_memory() : status;
}

// ---- demands and wishes -----------------------------------------------------------------------------------------------

enum {
    DEMANDS = ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_NO_HUGE
};

static acre_status
demand(void *base, size_t size, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        int advice;
    } table[] = {
        {ACRE_MAP_NO_DUMP, MADV_DONTDUMP},
        {ACRE_MAP_DONT_FORK, MADV_DONTFORK},
        {ACRE_MAP_WIPE_ON_FORK, MADV_WIPEONFORK},
        {ACRE_MAP_NO_HUGE, MADV_NOHUGEPAGE},
    };
    // A system that takes any advice for granted keeps none of it.
    if (flags & (DEMANDS & ~ACRE_MAP_NO_HUGE) && !port_can(ACRE_CAN_EXCLUDE_FROM_DUMPS))
        return -ENOTSUP;
    if (flags & ACRE_MAP_WIPE_ON_FORK && !port_can(ACRE_CAN_WIPE_ON_FORK))
        return -ENOTSUP;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if ((flags & table[i].flag) == 0)
            continue;
        acre_status status = sys_madvise(base, size, table[i].advice);
        // A kernel built without transparent huge pages does not know that advice, and keeps to it.
        if (status == -EINVAL && table[i].flag == ACRE_MAP_NO_HUGE)
            continue;
        if (status != ACRE_OK)
            return explain(status);
    }
    return ACRE_OK;
}

// Whether the wish was granted.  MAP_POPULATE would not tell, and copies the pages of private files.
static int
populate(void *base, size_t size, uint32_t access, int anonymous)
{
    if ((access & (ACRE_READ | ACRE_WRITE)) == 0)
        return 0;
    int advice = anonymous && access & ACRE_WRITE ? LINUX_MADV_POPULATE_WRITE : LINUX_MADV_POPULATE_READ;
    return sys_madvise(base, size, advice) == ACRE_OK;
}

// ---- map and unmap ----------------------------------------------------------------------------------------------------

static acre_status
map_at(const port_request *request, void *address, int placement, void **base)
{
    uint32_t flags = request->flags;
    int file = flags & ACRE_IS_FILE ? (int)request->file : -1;
    int how = placement | (flags & ACRE_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE) |
              (flags & ACRE_IS_FILE ? 0 : MAP_ANONYMOUS) |
              (flags & ACRE_MAP_NO_RESERVE ? MAP_NORESERVE : 0) |
              (flags & ACRE_MAP_STACK ? MAP_STACK : 0);
    int protection = flags & ACRE_IS_RESERVATION ? PROT_NONE : protection_of(request->access);
    return explain(sys_mmap(address, request->size, protection, how, file, request->offset, base));
}

// Where `size` bytes fit at a multiple of `alignment`: addresses that are held by an inaccessible map.
static acre_status
hold_aligned(size_t size, size_t alignment, void *wish, void **base)
{
    // Aligned pages lie somewhere in a range that is larger by less than the alignment.
    size_t slack = alignment - port_page_size();
    if (size > SIZE_MAX - slack)
        return -ENOMEM;
    void *range;
    acre_status status = sys_mmap(wish, size + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                                  -1, 0, &range);
    if (status != ACRE_OK)
        return explain(status);

    size_t before = (size_t)(-(uintptr_t)range & (alignment - 1));
    size_t after = slack - before;
    char *start = (char *)range + before;
    if (before != 0 && sys_munmap(range, before) != ACRE_OK) {
        // Only at the limit of areas, and where the range had merged with a neighbour; then this may fail as well.
        (void)sys_munmap(range, size + slack);
        return ACRE_TOO_MANY_AREAS;
    }
    if (after != 0 && sys_munmap(start + size, after) != ACRE_OK) {
        (void)sys_munmap(start, size + after);
        return ACRE_TOO_MANY_AREAS;
    }
    *base = start;
    return ACRE_OK;
}

static acre_status
map_fixed(const port_request *request, void **base)
{
    acre_status status = map_at(request, request->address, LINUX_MAP_FIXED_NOREPLACE, base);
    if (status != ACRE_OK || *base == request->address)
        return status;
    // Old kernels and emulators take the address for a wish.
    status = sys_munmap(*base, request->size);
    return status == ACRE_OK ? -EEXIST : explain(status);
}

static acre_status
map_aligned(const port_request *request, void **base)
{
    void *held = NULL;
    acre_status status = hold_aligned(request->size, request->alignment, request->address, &held);
    if (status != ACRE_OK)
        return status;
    status = map_at(request, held, MAP_FIXED, base);
    if (status != ACRE_OK)
        (void)sys_munmap(held, request->size);
    return status;
}

// A map with all its demands, wherever the request wants it (REPLACE: anywhere).
static acre_status
build(const port_request *request, void **base, uint32_t *granted)
{
    uint32_t flags = request->flags;
    acre_status status;
    if (flags & ACRE_MAP_FIXED)
        status = map_fixed(request, base);
    else if (flags & ACRE_MAP_REPLACE)
        status = map_at(request, NULL, 0, base);
    else if (request->alignment > port_page_size())
        status = map_aligned(request, base);
    else
        status = map_at(request, request->address, 0, base);
    if (status != ACRE_OK)
        return status;

    status = demand(*base, request->size, flags);
    if (status != ACRE_OK) {
        (void)sys_munmap(*base, request->size);
        return status;
    }

    if (flags & ACRE_MAP_POPULATE && (flags & ACRE_IS_RESERVATION) == 0 &&
        !populate(*base, request->size, request->access, (flags & ACRE_IS_FILE) == 0))
        flags &= ~(uint32_t)ACRE_MAP_POPULATE;
    *granted = flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
    return ACRE_OK;
}

static acre_status
move_into_place(void *built, size_t size, void *address)
{
    int saved = errno;
    void *moved = mremap(built, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, address);
    if (moved == address)
        return ACRE_OK;
    acre_status status = explain(status_of(-1, saved));
    (void)sys_munmap(built, size);
    return status;
}

acre_status
port_map(const port_request *request, acre_mmap *out)
{
    void *base;
    uint32_t granted;
    acre_status status;
    if (request->flags & ACRE_MAP_REPLACE && (request->flags & (DEMANDS | ACRE_MAP_POPULATE)) == 0) {
        status = map_at(request, request->address, MAP_FIXED, &base);
        granted = request->flags & ~(uint32_t)ACRE_MAP_REPLACE;
    } else {
        status = build(request, &base, &granted);
        if (status == ACRE_OK && request->flags & ACRE_MAP_REPLACE) {
            status = move_into_place(base, request->size, request->address);
            base = request->address;
        }
    }
    if (status != ACRE_OK)
        return status;
    out->base = base;
    out->flags = granted;
    return ACRE_OK;
}

acre_status
port_unmap(acre_mmap *map)
{
    // Cutting an area in two at the limit of areas is the only cause of ENOMEM.
    acre_status status = sys_munmap(map->base, map->size);
    return status == -ENOMEM ? ACRE_TOO_MANY_AREAS : status;
}

// ---- commit, decommit, protect ----------------------------------------------------------------------------------------

acre_status
port_protect(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    (void)map;
    int saved = errno;
    return explain(status_of(mprotect(start, length, protection_of(access)), saved));
}

acre_status
port_commit(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    acre_status status = port_protect(map, start, length, access);
    if (status == ACRE_OK && map->flags & ACRE_MAP_POPULATE)
        (void)populate(start, length, access, 1);
    return status;
}

acre_status
port_decommit(acre_mmap *map, void *start, size_t length)
{
    port_request fresh = {
        .address = start,
        .size = length,
        .alignment = map->page_size,
        .page_size = map->page_size,
        .flags = (map->flags & (DEMANDS | ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK)) | ACRE_IS_RESERVATION |
                 ACRE_MAP_REPLACE,
    };
    acre_mmap replaced;
    return port_map(&fresh, &replaced);
}

// ---- guards and contents ----------------------------------------------------------------------------------------------

static int
is_shared_memory(const acre_mmap *map)
{
    return (map->flags & (ACRE_MAP_SHARED | ACRE_IS_FILE)) == ACRE_MAP_SHARED;
}

// The range back to its first contents.  A shared file keeps its own.
static acre_status
empty(const acre_mmap *map, void *start, size_t length)
{
    if (is_shared_memory(map))
        return sys_madvise(start, length, MADV_REMOVE);
    acre_status status = sys_madvise(start, length, MADV_DONTNEED);
    return status == -EINVAL ? sys_madvise(start, length, LINUX_MADV_DONTNEED_LOCKED) : status;
}

acre_status
port_guard(acre_mmap *map, void *start, size_t length, uint32_t *kind)
{
    acre_status status = -EINVAL;
    if (port_can(ACRE_CAN_GUARD_WITH_MARKERS))
        status = explain(sys_madvise(start, length, LINUX_MADV_GUARD_INSTALL));
    if (status == ACRE_OK) {
        // Markers drop a process's pages; the memory behind shared ones is emptied besides.
        if (is_shared_memory(map))
            status = empty(map, start, length);
        *kind = ACRE_HAS_MARKER_GUARDS;
        return status;
    }
    if (status != -EINVAL)
        return status;

    // Locked pages refuse markers too.  Shared memory can only be emptied while it is writable; private pages
    // are dropped once the guard stands.
    if (is_shared_memory(map) && (status = empty(map, start, length)) != ACRE_OK)
        return status;
    status = port_protect(map, start, length, ACRE_NONE);
    if (status != ACRE_OK)
        return status;
    *kind = ACRE_HAS_PAGE_GUARDS;
    return is_shared_memory(map) ? ACRE_OK : empty(map, start, length);
}

acre_status
port_unguard(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    // Access first: when it is refused, all is still guarded.
    if (access != ACRE_NONE) {
        acre_status status = port_protect(map, start, length, access);
        if (status != ACRE_OK)
            return status;
    }
    if ((map->flags & ACRE_HAS_MARKER_GUARDS) == 0)
        return ACRE_OK;
    return explain(sys_madvise(start, length, LINUX_MADV_GUARD_REMOVE));
}

acre_status
port_discard(acre_mmap *map, void *start, size_t length, uint32_t when)
{
    if (when == ACRE_DISCARD_LAZY && (map->flags & (ACRE_MAP_SHARED | ACRE_IS_FILE)) == 0) {
        acre_status status = sys_madvise(start, length, MADV_FREE);
        if (status != -EINVAL)
            return explain(status);
    }
    return explain(empty(map, start, length));
}

// ---- residency --------------------------------------------------------------------------------------------------------

// From linux/fs.h of 6.7.
struct page_region {
    uint64_t start, end, categories;
};
struct pagemap_scan {
    uint64_t size, flags, start, end, walk_end, regions, region_count, max_pages, inverted, all_of, any_of,
        returned;
};
#define PAGEMAP_SCAN_REQUEST _IOWR('f', 16, struct pagemap_scan)
enum { PAGE_PRESENT = 1 << 3, PAGE_SWAPPED = 1 << 4 };

// Pages found in [start, start + length): how many bytes, and the lowest.
typedef struct found {
    size_t bytes;
    uintptr_t lowest;
} found;

static void
find_run(found *result, uintptr_t start, uintptr_t end)
{
    if (result->bytes == 0)
        result->lowest = start;
    result->bytes += end - start;
}

// One call for many pages.
static acre_status
scan_by_ioctl(int file, uintptr_t start, uintptr_t end, int swapped_too, int first_only, found *result)
{
    struct page_region regions[32];
    struct pagemap_scan scan = {
        .size = sizeof scan,
        .start = start,
        .end = end,
        .regions = (uintptr_t)regions,
        .region_count = sizeof regions / sizeof regions[0],
        .max_pages = first_only ? 1 : 0,
        .any_of = PAGE_PRESENT | (swapped_too ? PAGE_SWAPPED : 0),
        .returned = PAGE_PRESENT | PAGE_SWAPPED,
    };
    while (scan.start < end) {
        int count;
        acre_status status = sys_ioctl(file, PAGEMAP_SCAN_REQUEST, &scan, &count);
        if (status != ACRE_OK)
            return status;
        for (int i = 0; i < count; i++)
            find_run(result, (uintptr_t)regions[i].start, (uintptr_t)regions[i].end);
        if (first_only && count > 0)
            break;
        scan.start = scan.walk_end;
    }
    return ACRE_OK;
}

// One entry of 8 bytes for each page.
static acre_status
scan_by_entries(int file, uintptr_t start, uintptr_t end, int swapped_too, int first_only, found *result)
{
    uint64_t entries[256];
    size_t page = port_page_size();
    uint64_t wanted = (uint64_t)1 << 63 | (uint64_t)(swapped_too != 0) << 62;
    while (start < end) {
        size_t count = (end - start) / page;
        if (count > sizeof entries / sizeof entries[0])
            count = sizeof entries / sizeof entries[0];
        int saved = errno;
        ssize_t got = pread(file, entries, count * sizeof entries[0],
                            (off_t)((uint64_t)start / page * sizeof entries[0]));
        if (got == -1)
            return status_of(-1, saved);
        if (got < (ssize_t)sizeof entries[0])
            return -EIO;
        count = (size_t)got / sizeof entries[0];
        for (size_t i = 0; i < count; i++, start += page) {
            if ((entries[i] & wanted) == 0)
                continue;
            find_run(result, start, start + page);
            if (first_only)
                return ACRE_OK;
        }
    }
    return ACRE_OK;
}

// Of a file's pages this tells what the page cache holds.
static acre_status
scan_by_mincore(uintptr_t start, uintptr_t end, int first_only, found *result)
{
    unsigned char present[512];
    size_t page = port_page_size();
    while (start < end) {
        size_t count = (end - start) / page;
        if (count > sizeof present)
            count = sizeof present;
        int saved = errno;
        acre_status status = status_of(mincore((void *)start, count * page, present), saved);
        if (status != ACRE_OK)
            return status;
        for (size_t i = 0; i < count; i++, start += page) {
            if ((present[i] & 1) == 0)
                continue;
            find_run(result, start, start + page);
            if (first_only)
                return ACRE_OK;
        }
    }
    return ACRE_OK;
}

static acre_status
scan(const void *start, size_t length, int swapped_too, int first_only, found *result)
{
    uintptr_t first = (uintptr_t)start;
    uintptr_t end = first + length;
    found none = {0, end};
    *result = none;
    if (!port_can(ACRE_CAN_COUNT_RESIDENT_EXACTLY))
        return scan_by_mincore(first, end, first_only, result);

    int file = sys_open("/proc/self/pagemap", O_RDONLY);
    if (file < 0)
        return file;
    acre_status status = scan_by_ioctl(file, first, end, swapped_too, first_only, result);
    if (status != ACRE_OK) {
        *result = none;
        status = scan_by_entries(file, first, end, swapped_too, first_only, result);
    }
    sys_close(file);
    return status;
}

acre_status
port_resident(const void *start, size_t length, size_t *bytes)
{
    found result;
    acre_status status = scan(start, length, 0, 0, &result);
    if (status == ACRE_OK)
        *bytes = result.bytes;
    return status;
}

acre_status
port_lowest_touched(const void *start, size_t length, const void **lowest)
{
    found result;
    acre_status status = scan(start, length, 1, 1, &result);
    if (status == ACRE_OK)
        *lowest = (const void *)result.lowest;
    return status;
}

// ---- the rest ---------------------------------------------------------------------------------------------------------

acre_status
port_continues(const acre_mmap *map, const acre_mmap *next)
{
    acre_area first;
    acre_area second;
    acre_status status = port_area_at((uintptr_t)map->base + map->size - 1, &first);
    if (status == ACRE_OK)
        status = port_area_at((uintptr_t)next->base, &second);
    if (status != ACRE_OK)
        return status;
    // By the kernel's offsets, not the handles': of adopted maps nobody told them.
    uint64_t first_at = first.file_offset + ((uintptr_t)map->base - first.start);
    uint64_t second_at = second.file_offset + ((uintptr_t)next->base - second.start);
    int same = first.device == second.device && first.inode == second.inode && first.inode != 0 &&
               first_at + map->size == second_at;
    return same ? ACRE_OK : ACRE_BACKING_MISMATCH;
}

void
port_icache_flush(void *start, size_t length)
{
    __builtin___clear_cache((char *)start, (char *)start + length);
}

void
port_jit_write(int allowed)
{
    (void)allowed;  // no such toggle here
}

acre_status
port_file_open(const char *path, int writable, acre_file *file, uint64_t *size)
{
    // NONBLOCK: what has no size, such as a pipe without a writer, is refused instead of waited for.
    int opened = sys_open(path, (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY);
    if (opened < 0)
        return opened;
    struct stat status;
    int saved = errno;
    acre_status result = status_of(fstat(opened, &status), saved);
    if (result != ACRE_OK) {
        sys_close(opened);
        return result;
    }
    *file = opened;
    *size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return ACRE_OK;
}

void
port_file_close(acre_file file)
{
    sys_close((int)file);
}

acre_process
port_process_id(void)
{
    return getpid();
}
