// Linux: finds out which pages are present.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/files.h"
#include "mmap/port/memory.h"

// From linux/fs.h (6.7).
struct page_region {
    uint64_t start, end, categories;
};
struct pagemap_scan {
    uint64_t size, flags, start, end, walk_end, regions, region_count, max_pages, inverted, all_of,
        any_of, returned;
};
#define PAGEMAP_SCAN_REQUEST _IOWR('f', 16, struct pagemap_scan)
enum { PAGE_PRESENT = 1 << 3, PAGE_SWAPPED = 1 << 4 };

// The result of a scan: the number of bytes found, the lowest page, and the lowest page in each of
// `count` ranges in ascending order.
typedef struct found {
    size_t bytes;
    uintptr_t lowest;
    const acre_range *ranges;
    size_t count;
    const void **lowest_of;
} found;

static void
note_run(found *result, uintptr_t start, uintptr_t end)
{
    if (result->bytes == 0)
        result->lowest = start;
    result->bytes += end - start;
    // A range is finished when its lowest page is known or the run lies behind it.
    for (; result->count > 0; result->ranges++, result->lowest_of++, result->count--) {
        uintptr_t base = (uintptr_t)result->ranges->base;
        uintptr_t limit = base + result->ranges->length;
        if (base >= end)
            return;
        *result->lowest_of = (const void *)(start >= limit ? limit : start > base ? start : base);
    }
}

// One call for many pages.
static acre_status
scan_by_ioctl(int file, uintptr_t start, uintptr_t end, int swapped_too, int first_only,
              found *result)
{
    // Initialized for Valgrind, which does not know that the kernel writes to them.
    struct page_region regions[32] = {{0}};
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
        int count = 0;
        acre_status status = sys_ioctl(file, PAGEMAP_SCAN_REQUEST, &scan, &count);
        if (status != ACRE_OK)
            return status;
        for (int i = 0; i < count; i++)
            note_run(result, (uintptr_t)regions[i].start, (uintptr_t)regions[i].end);
        if (first_only && count > 0)
            break;
        scan.start = scan.walk_end;
    }
    return ACRE_OK;
}

// One entry of 8 bytes for each page.
static acre_status
scan_by_entries(int file, uintptr_t start, uintptr_t end, int swapped_too, int first_only,
                found *result)
{
    uint64_t entries[256];
    size_t page = acre_port_page_size();
    uint64_t wanted = (uint64_t)1 << 63 | (uint64_t)(swapped_too != 0) << 62;
    while (start < end) {
        size_t count = (end - start) / page;
        if (count > sizeof entries / sizeof entries[0])
            count = sizeof entries / sizeof entries[0];
        ssize_t got = sys_pread(file, entries, count * sizeof entries[0],
                                (uint64_t)start / page * sizeof entries[0]);
        if (got < 0)
            return (acre_status)got;
        if (got == 0)
            return -ESRCH;
        if (got < (ssize_t)sizeof entries[0])
            return -EIO;
        count = (size_t)got / sizeof entries[0];
        for (size_t i = 0; i < count; i++, start += page) {
            if ((entries[i] & wanted) == 0)
                continue;
            note_run(result, start, start + page);
            if (first_only)
                return ACRE_OK;
        }
    }
    return ACRE_OK;
}

// For files this reports the pages that are in the page cache.  (Emulators refuse a range that
// contains an inaccessible page, so halve the range until that page is alone.)
static acre_status
scan_by_mincore(uintptr_t start, uintptr_t end, int first_only, found *result)
{
    unsigned char present[512];
    size_t page = acre_port_page_size();
    size_t most = sizeof present;
    while (start < end) {
        size_t count = (end - start) / page;
        if (count > most)
            count = most;
        int saved = errno;
        acre_status status = status_of(mincore((void *)start, count * page, present), saved);
        if (status == -ENOMEM && count > 1) {
            most = count / 2;
            continue;
        }
        if (status == -ENOMEM)
            present[0] = 0;
        else if (status != ACRE_OK)
            return status;
        most = most < sizeof present / 2 ? 2 * most : sizeof present;
        for (size_t i = 0; i < count; i++, start += page) {
            if ((present[i] & 1) == 0)
                continue;
            note_run(result, start, start + page);
            if (first_only)
                return ACRE_OK;
        }
    }
    return ACRE_OK;
}

static acre_status
scan_pagemap(uintptr_t first, uintptr_t end, int swapped_too, int first_only, found *result)
{
    int file = acre_linux_open_proc(0, "pagemap");
    if (file < 0)
        return file;
    found none = *result;
    acre_status status = scan_by_ioctl(file, first, end, swapped_too, first_only, result);
    if (status != ACRE_OK) {
        *result = none;
        status = scan_by_entries(file, first, end, swapped_too, first_only, result);
    }
    sys_close(file);
    return status;
}

static acre_status
scan_range(const void *start, size_t length, int swapped_too, int first_only, found *result)
{
    uintptr_t first = (uintptr_t)start;
    uintptr_t end = first + length;
    result->lowest = end;
    found none = *result;
    if (acre_port_can(ACRE_CAN_COUNT_RESIDENT_EXACTLY)) {
        acre_status status = scan_pagemap(first, end, swapped_too, first_only, result);
        if (status == -ESRCH && acre_linux_turns_to_thread()) {
            *result = none;
            status = scan_pagemap(first, end, swapped_too, first_only, result);
        }
        if (status == ACRE_OK)
            return ACRE_OK;
        // No descriptor is left, or the process has entered a sandbox without /proc.
        *result = none;
    }
    return scan_by_mincore(first, end, first_only, result);
}

acre_status
acre_port_resident(const void *start, size_t length, size_t *bytes)
{
    found result = {0};
    acre_status status = scan_range(start, length, 0, 0, &result);
    if (status == ACRE_OK)
        *bytes = result.bytes;
    return status;
}

acre_status
acre_port_any_present(const void *start, size_t length, int *any)
{
    found result = {0};
    acre_status status = scan_by_mincore((uintptr_t)start, (uintptr_t)start + length, 1, &result);
    if (status == ACRE_OK)
        *any = result.bytes != 0;
    return status;
}

acre_status
acre_port_lowest_touched(const void *start, size_t length, const void **lowest)
{
    found result = {0};
    acre_status status = scan_range(start, length, 1, 1, &result);
    if (status == ACRE_OK)
        *lowest = (const void *)result.lowest;
    return status;
}

acre_status
acre_port_lowest_touched_many(const acre_range *ranges, size_t count, const void **lowest)
{
    char *start = ranges[0].base;
    char *end = (char *)ranges[count - 1].base + ranges[count - 1].length;
    found result = {.ranges = ranges, .count = count, .lowest_of = lowest};
    acre_status status = scan_range(start, (size_t)(end - start), 1, 0, &result);
    // Nothing was found in the remaining ranges.
    for (; status == ACRE_OK && result.count > 0; result.ranges++, result.count--)
        *result.lowest_of++ = (char *)result.ranges->base + result.ranges->length;
    return status;
}

#endif  // ACRE_ON_LINUX
