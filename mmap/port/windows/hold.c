// Windows: chooses addresses, and holds them with placeholders where these exist.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

typedef void *(WINAPI *virtual_alloc_2)(HANDLE, void *, SIZE_T, ULONG, ULONG, void *, ULONG);

// MEM_EXTENDED_PARAMETER in newer headers.
typedef struct extended_parameter {
    _Alignas(8) uint64_t type;
    union {
        uint64_t number;
        void *pointer;
    } value;
} extended_parameter;

acre_status
acre_windows_alloc_2(void *address, size_t size, DWORD type, DWORD protection,
                     uint32_t node_plus_one, void **base)
{
    virtual_alloc_2 call = (virtual_alloc_2)acre_windows_newer(NEWER_VIRTUAL_ALLOC_2);
    if (call == NULL)
        return -ENOTSUP;
    enum { NUMA_NODE = 2 };  // MemExtendedParameterNumaNode
    extended_parameter node = {.type = NUMA_NODE};
    ULONG parameters = node_plus_one != 0;
    if (parameters != 0)
        node.value.number = node_plus_one - 1;
    DWORD saved = GetLastError();
    void *result = call(GetCurrentProcess(), address, size, type, protection,
                        parameters != 0 ? &node : NULL, parameters);
    if (result == NULL)
        return status_of(0, saved);
    *base = result;
    return ACRE_OK;
}

// Holds addresses, with a placeholder where these exist.
static acre_status
hold_at(void *address, size_t size, void **base)
{
    int placeholders = acre_port_can(ACRE_CAN_REPLACE);
    acre_status status =
        placeholders
            ? acre_windows_alloc_2(address, size, MEM_RESERVE | WINDOWS_RESERVE_PLACEHOLDER,
                                   PAGE_NOACCESS, 0, base)
            : sys_alloc(address, size, MEM_RESERVE, PAGE_READWRITE, base);
    // Windows calls too large a size invalid; to acre it is one that does not fit.
    return status == -EINVAL && address == NULL ? -ENOMEM : status;
}

static acre_status
hold_fixed(void *address, size_t size, void **base)
{
    acre_status status = hold_at(address, size, base);
    if (status == ACRE_OK)
        return status;
    return acre_windows_is_free((uintptr_t)address, size) ? status : -EEXIST;
}

typedef struct wanted {
    size_t size, alignment;
    uintptr_t low, high;  // the room lies within [low, high]
    uintptr_t center;
    uintptr_t best;  // 0 = none yet
} wanted;

static uintptr_t
distance(uintptr_t a, uintptr_t b)
{
    return a > b ? a - b : b - a;
}

// Notes the place in the hole [start, end) that is nearest to the center, if it is better than the
// best so far.
static void
consider_hole(wanted *room, uintptr_t start, uintptr_t end)
{
    uintptr_t mask = ~(uintptr_t)(room->alignment - 1);
    start = start < room->low ? room->low : start;
    end = end > room->high ? room->high : end;
    if (start > UINTPTR_MAX - (room->alignment - 1))
        return;
    uintptr_t first = (start + room->alignment - 1) & mask;
    if (first > end || end - first < room->size)
        return;
    uintptr_t last = (end - room->size) & mask;
    uintptr_t at = room->center & mask;
    at = at < first ? first : at > last ? last : at;
    if (room->best == 0 || distance(at, room->center) < distance(room->best, room->center))
        room->best = at;
}

static acre_status
hold_near(size_t size, size_t alignment, uintptr_t center, size_t reach, void **base)
{
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    uintptr_t lowest = (uintptr_t)system.lpMinimumApplicationAddress;
    uintptr_t highest = (uintptr_t)system.lpMaximumApplicationAddress;
    wanted room = {.size = size, .alignment = alignment, .center = center};
    room.low = center > reach ? center - reach : 0;
    room.low = room.low > lowest ? room.low : lowest;
    room.high = reach < highest && center <= highest - reach ? center + reach : highest;

    // Another thread may take the room first; then search again.
    for (int i = 0; i < WINDOWS_TRIES; i++) {
        windows_region region;
        uintptr_t at = room.low;
        room.best = 0;
        while (acre_windows_next_region(&at, room.high, &region)) {
            if (region.state == MEM_FREE)
                consider_hole(&room, (uintptr_t)region.start,
                              (uintptr_t)region.start + region.length);
        }
        if (room.best == 0)
            return -ENOMEM;
        acre_status status = hold_fixed((void *)room.best, size, base);
        if (status != -EEXIST)
            return status;
    }
    return -ENOMEM;
}

static acre_status
hold_aligned(size_t size, size_t alignment, void **base)
{
    if (size > SIZE_MAX / 2 - alignment)
        return -ENOMEM;
    for (int i = 0; i < WINDOWS_TRIES; i++) {
        void *range;
        acre_status status = hold_at(NULL, size + alignment, &range);
        if (status == ACRE_OK)
            status = sys_free(range, 0, MEM_RELEASE);
        if (status != ACRE_OK)
            return status;
        uintptr_t first = ((uintptr_t)range + alignment - 1) & ~(uintptr_t)(alignment - 1);
        status = hold_fixed((void *)first, size, base);
        // Windows reports an address beyond those it allocates as an invalid argument.
        if (status != -EEXIST)
            return status == -EINVAL ? -ENOMEM : status;
    }
    return -ENOMEM;
}

acre_status
acre_windows_hold(const port_request *request, size_t size, void **base)
{
    if (request->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE))
        return hold_fixed(request->address, size, base);
    size_t alignment = request->alignment > WINDOWS_GRANULE ? request->alignment : WINDOWS_GRANULE;
    if (request->reach != 0)
        return hold_near(size, alignment, request->near_address, request->reach, base);
    uintptr_t wish = (uintptr_t)request->address & ~(uintptr_t)(alignment - 1);
    if (wish != 0 && hold_at((void *)wish, size, base) == ACRE_OK)
        return ACRE_OK;
    if (alignment > WINDOWS_GRANULE)
        return hold_aligned(size, alignment, base);
    return hold_at(NULL, size, base);
}

#endif  // ACRE_ON_WINDOWS
