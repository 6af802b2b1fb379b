// Windows: what the system reports of a range.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

int
acre_windows_next_region(uintptr_t *at, uintptr_t end, windows_region *out)
{
    if (*at >= end)
        return 0;
    MEMORY_BASIC_INFORMATION info;
    DWORD saved = GetLastError();
    size_t got = VirtualQuery((void *)*at, &info, sizeof info);
    SetLastError(saved);
    out->start = (char *)*at;
    if (got == 0) {
        // Addresses that no program can use.
        out->length = end - *at;
        out->allocation = NULL;
        out->state = MEM_FREE;
        out->protection = out->type = out->first_protection = 0;
    } else {
        uintptr_t stop = (uintptr_t)info.BaseAddress + info.RegionSize;
        out->length = (stop < end ? stop : end) - *at;
        out->allocation = info.State == MEM_FREE ? NULL : info.AllocationBase;
        out->state = info.State;
        out->protection = info.State == MEM_COMMIT ? info.Protect : 0;
        out->type = info.State == MEM_FREE ? 0 : info.Type;
        out->first_protection = info.State == MEM_FREE ? 0 : info.AllocationProtect;
    }
    *at += out->length;
    return 1;
}

int
acre_windows_is_free(uintptr_t start, size_t size)
{
    windows_region region;
    uintptr_t at = start;
    while (acre_windows_next_region(&at, start + size, &region)) {
        if (region.state != MEM_FREE)
            return 0;
    }
    return 1;
}

int
acre_windows_next_allocation(uintptr_t *at, uintptr_t end, windows_region *out)
{
    if (!acre_windows_next_region(at, end, out))
        return 0;
    windows_region more;
    uintptr_t next = *at;
    while (acre_windows_next_region(&next, end, &more) && more.allocation == out->allocation &&
           (more.state == MEM_FREE) == (out->state == MEM_FREE)) {
        out->length += more.length;
        *at = next;
    }
    return 1;
}

// Whether the allocation continues after the part.
static int
continues(const windows_region *part)
{
    windows_region behind;
    uintptr_t at = (uintptr_t)part->start + part->length;
    return acre_windows_next_region(&at, at + 1, &behind) && behind.allocation == part->allocation;
}

int
acre_windows_is_whole_allocation(const windows_region *part)
{
    return part->start == part->allocation && !continues(part);
}

#endif  // ACRE_ON_WINDOWS
