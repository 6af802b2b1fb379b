// Windows: which pages are present.
//
// A page that the system took out of the working set is not present, whatever is written in it.  Of
// a stack that grew, the system's own guard page tells more.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

typedef struct found {
    size_t bytes;
    uintptr_t lowest;
} found;

enum { ALL_PRESENT, FIRST_PRESENT, FIRST_LOCKED };

static acre_status
scan_pages(const void *start, size_t length, int wanted, found *result)
{
    enum { BATCH = 256 };
    PSAPI_WORKING_SET_EX_INFORMATION pages[BATCH];
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    result->bytes = 0;
    result->lowest = end;
    while (at < end) {
        size_t count = (end - at) / WINDOWS_PAGE;
        count = count < BATCH ? count : BATCH;
        for (size_t i = 0; i < count; i++) {
            pages[i].VirtualAddress = (void *)(at + i * WINDOWS_PAGE);
            pages[i].VirtualAttributes.Flags = 0;
        }
        DWORD saved = GetLastError();
        acre_status status = status_of(
            QueryWorkingSetEx(GetCurrentProcess(), pages, (DWORD)(count * sizeof pages[0])), saved);
        if (status != ACRE_OK)
            return status;
        for (size_t i = 0; i < count; i++, at += WINDOWS_PAGE) {
            if (!pages[i].VirtualAttributes.Valid ||
                (wanted == FIRST_LOCKED && !pages[i].VirtualAttributes.Locked))
                continue;
            if (result->bytes == 0)
                result->lowest = at;
            result->bytes += WINDOWS_PAGE;
            if (wanted != ALL_PRESENT)
                return ACRE_OK;
        }
    }
    return ACRE_OK;
}

acre_status
acre_port_resident(const void *start, size_t length, size_t *bytes)
{
    found result;
    acre_status status = scan_pages(start, length, ALL_PRESENT, &result);
    if (status == ACRE_OK)
        *bytes = result.bytes;
    return status;
}

acre_status
acre_windows_lowest_locked(const void *start, size_t length, const void **lowest)
{
    found result;
    acre_status status = scan_pages(start, length, FIRST_LOCKED, &result);
    if (status == ACRE_OK)
        *lowest = (const void *)result.lowest;
    return status;
}

// Returns where a stack has grown to: just above the guard page that the system moves down with it.
// Returns `end` if there is none, or no more than what a stack begins with.
static uintptr_t
grown_to(uintptr_t start, uintptr_t end)
{
    windows_region region;
    uintptr_t at = start;
    while (acre_windows_next_region(&at, end, &region) && region.state == MEM_RESERVE)
        continue;
    int guarded = region.state == MEM_COMMIT && region.protection & PAGE_GUARD;
    return guarded && end - at > WINDOWS_STACK_AT_ONCE ? at : end;
}

acre_status
acre_port_lowest_touched(const void *start, size_t length, const void **lowest)
{
    // What is present lies above that.
    uintptr_t end = (uintptr_t)start + length;
    uintptr_t grown = grown_to((uintptr_t)start, end);
    found result = {.lowest = grown};
    acre_status status = grown != end ? ACRE_OK : scan_pages(start, length, FIRST_PRESENT, &result);
    if (status == ACRE_OK)
        *lowest = (const void *)result.lowest;
    return status;
}

#endif  // ACRE_ON_WINDOWS
