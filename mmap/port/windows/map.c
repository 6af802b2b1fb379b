// Windows: mapping, committing, protecting, resizing.
//
// 1. A reservation is MEM_RESERVE: addresses only.  A commit is MEM_COMMIT: it accounts for the
//    memory and keeps existing contents, but does not change the access of pages that are already
//    committed; VirtualProtect does that.
// 2. No call may cross two allocations (replacing and growing put them side by side) or pages of
//    another state.  So each change is tried on the whole range first, and region by region only if
//    that is refused: asking for a region takes longer the larger it is.
// 3. There is no fork, so demands on a fork's child always hold.
// 4. Memory is always accounted when it is committed: NO_RESERVE is not granted.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/check.h"
#include "mmap/port/windows/windows.h"

#include <string.h>

// Wishes that this system cannot grant, and that no caller relies on.
enum {
    REFUSED_WISHES = ACRE_MAP_NO_RESERVE | ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_DROPPABLE,
    PLACEMENT = ACRE_MAP_FIXED | ACRE_MAP_REPLACE
};

// ---- statuses -----------------------------------------------------------------------------------

acre_status
acre_windows_error(DWORD error)
{
    enum { STOPPED_ON_SYMLINK = 681, DYNAMIC_CODE_BLOCKED = 1655 };  // ERROR_… in newer headers
    static const struct {
        DWORD error;
        int number;
    } table[] = {
        {ERROR_INVALID_FUNCTION, ENODEV},
        {ERROR_FILE_NOT_FOUND, ENOENT},
        {ERROR_PATH_NOT_FOUND, ENOENT},
        {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
        {ERROR_ACCESS_DENIED, EACCES},
        {ERROR_INVALID_HANDLE, EBADF},
        {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
        {ERROR_INVALID_ACCESS, EACCES},
        {ERROR_OUTOFMEMORY, ENOMEM},
        {ERROR_INVALID_DRIVE, ENOENT},
        {ERROR_WRITE_PROTECT, EROFS},
        {ERROR_BAD_UNIT, ENXIO},
        {ERROR_NOT_READY, ENXIO},
        {ERROR_SHARING_VIOLATION, EBUSY},
        {ERROR_LOCK_VIOLATION, EBUSY},
        {ERROR_HANDLE_DISK_FULL, ENOSPC},
        {ERROR_NOT_SUPPORTED, ENOTSUP},
        {ERROR_BAD_NETPATH, ENOENT},
        {ERROR_NETWORK_ACCESS_DENIED, EACCES},
        {ERROR_BAD_NET_NAME, ENOENT},
        {ERROR_FILE_EXISTS, EEXIST},
        {ERROR_INVALID_PARAMETER, EINVAL},
        {ERROR_DISK_FULL, ENOSPC},
        {ERROR_CALL_NOT_IMPLEMENTED, ENOTSUP},
        {ERROR_INVALID_NAME, ENOENT},
        {ERROR_PROC_NOT_FOUND, ENOTSUP},
        {ERROR_BUSY, EBUSY},
        {ERROR_ALREADY_EXISTS, EEXIST},
        {ERROR_BAD_EXE_FORMAT, ENODEV},
        {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
        {ERROR_DIRECTORY, ENOTDIR},
        {ERROR_INVALID_ADDRESS, ENOMEM},
        {STOPPED_ON_SYMLINK, ELOOP},
        {ERROR_NOACCESS, EFAULT},
        {ERROR_FILE_INVALID, ENODEV},
        {ERROR_NO_UNICODE_TRANSLATION, EINVAL},
        {ERROR_MAPPED_ALIGNMENT, EINVAL},
        {ERROR_USER_MAPPED_FILE, EBUSY},
        {ERROR_PRIVILEGE_NOT_HELD, EPERM},
        {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
        {ERROR_NONPAGED_SYSTEM_RESOURCES, ENOMEM},
        {ERROR_PAGED_SYSTEM_RESOURCES, ENOMEM},
        {ERROR_WORKING_SET_QUOTA, ENOMEM},
        {ERROR_PAGEFILE_QUOTA, ENOMEM},
        {ERROR_COMMITMENT_LIMIT, ENOMEM},
        {ERROR_NOT_ENOUGH_QUOTA, ENOMEM},
        {DYNAMIC_CODE_BLOCKED, EACCES},
        {ERROR_CANT_RESOLVE_FILENAME, ELOOP},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].error == error)
            return -table[i].number;
    }
    return -EIO;
}

// ---- access -------------------------------------------------------------------------------------

DWORD
acre_windows_protection(uint32_t access, int copies)
{
    // Indexed by access bits; write implies read.
    static const DWORD plain[8] = {
        PAGE_NOACCESS, PAGE_READONLY,     PAGE_READWRITE,         PAGE_READWRITE,
        PAGE_EXECUTE,  PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_READWRITE,
    };
    DWORD protection = plain[access & 7];
    if (copies && access & ACRE_WRITE)
        protection = access & ACRE_EXEC ? PAGE_EXECUTE_WRITECOPY : PAGE_WRITECOPY;
    return protection;
}

DWORD
acre_windows_most(DWORD protection)
{
    if (acre_port_can(ACRE_CAN_JIT))
        return protection;
    switch (protection) {
    case PAGE_EXECUTE_READ:
        return PAGE_READONLY;
    case PAGE_EXECUTE_READWRITE:
        return PAGE_READWRITE;
    case PAGE_EXECUTE_WRITECOPY:
        return PAGE_WRITECOPY;
    default:
        return protection;
    }
}

static acre_status
commit_reserved(void *start, size_t length, DWORD protection)
{
    void *committed;
    acre_status status = sys_alloc(start, length, MEM_COMMIT, protection, &committed);
    // Only executable memory is subject to policy; wine reports this error when the machine is out
    // of memory.
    return status == -EACCES && protection < PAGE_EXECUTE ? -ENOMEM : status;
}

static int
is_reserved(const void *start, size_t length)
{
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (acre_windows_next_region(&at, end, &region)) {
        if (region.state != MEM_RESERVE)
            return 0;
    }
    return 1;
}

acre_status
acre_windows_commit(void *start, size_t length, DWORD protection, int alike)
{
    acre_status status = commit_reserved(start, length, protection);
    if (status == ACRE_OK)
        return alike ? ACRE_OK : sys_protect(start, length, protection);

    // Refused as a whole, and nothing has changed: there is no memory, or it crosses allocations.
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    if (acre_windows_next_region(&at, end, &region) && at == end && region.state == MEM_RESERVE)
        return status;
    int reserved = is_reserved(start, length);
    at = (uintptr_t)start;
    while (acre_windows_next_region(&at, end, &region)) {
        status = -ENOMEM;
        if (region.state == MEM_RESERVE)
            status = commit_reserved(region.start, region.length, protection);
        else if (region.state == MEM_COMMIT)
            status = region.protection == protection
                         ? ACRE_OK
                         : sys_protect(region.start, region.length, protection);
        if (status != ACRE_OK) {
            if (reserved)
                (void)acre_windows_retire(start, length);
            return status;
        }
    }
    return ACRE_OK;
}

acre_status
acre_windows_hide(void *start, size_t length)
{
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (acre_windows_next_region(&at, end, &region)) {
        acre_status status = ACRE_OK;
        // After a file's view, the rest of its granule is free and belongs to no one.
        if (region.state == MEM_COMMIT && region.protection != PAGE_NOACCESS)
            status = sys_protect(region.start, region.length, PAGE_NOACCESS);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// Protects views, which cannot be committed: beyond the end of a file there is nothing to protect.
static acre_status
protect_views(const acre_mmap *map, void *start, size_t length, DWORD protection)
{
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (acre_windows_next_region(&at, end, &region)) {
        int lost = region.state == MEM_FREE && (map->flags & ACRE_IS_FILE) == 0;
        acre_status status = lost ? -ENOMEM : ACRE_OK;
        if (region.state == MEM_COMMIT)
            status = sys_protect(region.start, region.length, protection);
        // Making pages inaccessible unlocked them.
        if (status == ACRE_OK && map->flags & ACRE_MAP_LOCKED &&
            region.protection == PAGE_NOACCESS && protection != PAGE_NOACCESS)
            status = acre_windows_lock(region.start, region.length);
        // The access exceeds what the object was opened for.
        if (status == -EINVAL || status == -EIO)
            status = -EACCES;
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// Undoes a refused change of a range that had one access.
static acre_status
undo_change(const acre_mmap *map, void *start, size_t length, int reserved, acre_status status)
{
    if (reserved)
        (void)acre_windows_retire(start, length);
    else if (known_access(map, start) == ACRE_NONE)
        (void)acre_windows_hide(start, length);
    else if (known_access(map, start) > ACRE_NONE)
        (void)protect_views(map, start, length,
                            acre_windows_protection(map->access, windows_copies(map)));
    return status;
}

acre_status
acre_port_protect(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    if (access != ACRE_NONE && windows_is_committable(map))
        return acre_port_commit(map, start, length, access);
    acre_status status = access == ACRE_NONE
                             ? acre_windows_hide(start, length)
                             : protect_views(map, start, length,
                                             acre_windows_protection(access, windows_copies(map)));
    return status == ACRE_OK ? status : undo_change(map, start, length, 0, status);
}

acre_status
acre_port_commit(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    int reserved = is_as_made(map, start)
                       ? (map->flags & ACRE_IS_RESERVATION) != 0
                       : map->flags & ACRE_MAP_LOCKED && is_reserved(start, length);
    // What is committed in the range has this access, or nothing is.
    int alike = map->flags & ACRE_IS_RESERVATION && is_as_made(map, start);
    alike = alike || ((map->private_[0] & MIXED) == 0 && access == map->access);
    acre_status status =
        acre_windows_commit(start, length, acre_windows_protection(access, 0), alike);
    if (status == ACRE_OK && map->flags & ACRE_MAP_LOCKED)
        status = acre_windows_lock(start, length);
    if (status != ACRE_OK)
        return undo_change(map, start, length, reserved, status);
    if (map->flags & ACRE_MAP_POPULATE)
        (void)acre_windows_populate(start, length, (access & ACRE_WRITE) != 0);
    return ACRE_OK;
}

acre_status
acre_port_decommit(acre_mmap *map, void *start, size_t length)
{
    return map->flags & ACRE_MAP_HUGE ? -ENOTSUP : acre_windows_retire(start, length);
}

// ---- mapping ------------------------------------------------------------------------------------

acre_status
acre_windows_accept(const port_request *request)
{
    if (request->flags & ACRE_MAP_LOCK_ON_FAULT)
        return -ENOTSUP;
    if (request->flags & ACRE_MAP_NO_DUMP && !acre_port_can(ACRE_CAN_EXCLUDE_FROM_DUMPS))
        return -ENOTSUP;
    // Large pages are allocated and released as a whole, and are private memory.
    uint32_t others = ACRE_MAP_SHARED | ACRE_IS_FILE | ACRE_IS_RESERVATION | ACRE_MAP_REPLACE;
    return request->flags & ACRE_MAP_HUGE && request->flags & others ? -ENOTSUP : ACRE_OK;
}

acre_status
acre_windows_finish(const port_request *request, acre_mmap *out)
{
    uint32_t flags = out->flags;
    acre_status status = ACRE_OK;
    int accessible = (flags & ACRE_IS_RESERVATION) == 0 && request->access != ACRE_NONE;
    if (flags & ACRE_MAP_NO_DUMP)
        status = acre_windows_exclude(out->base, out->size, 1);
    if (status == ACRE_OK && flags & ACRE_MAP_LOCKED && accessible)
        status = acre_windows_lock(out->base, out->size);
    if (status != ACRE_OK) {
        (void)acre_port_unmap(out);
        return status;
    }
    // A write would count as a change of a file, and copy a page of a private one.
    int writes = request->access & ACRE_WRITE && (flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0;
    if (flags & ACRE_MAP_POPULATE && (flags & ACRE_IS_RESERVATION) == 0 &&
        (!accessible || acre_windows_populate(out->base, out->size, writes) != ACRE_OK))
        out->flags &= ~(uint32_t)ACRE_MAP_POPULATE;
    return ACRE_OK;
}

// Enables the privilege for large pages, which an account must have and a program must enable.
static acre_status
ask_for_large_pages(void)
{
    typedef BOOL(WINAPI * open_token)(HANDLE, DWORD, HANDLE *);
    typedef BOOL(WINAPI * look_up)(const WCHAR *, const WCHAR *, LUID *);
    typedef BOOL(WINAPI * adjust)(HANDLE, BOOL, TOKEN_PRIVILEGES *, DWORD, TOKEN_PRIVILEGES *,
                                  DWORD *);
    DWORD saved = GetLastError();
    HMODULE library = LoadLibraryW(L"advapi32.dll");
    if (library == NULL)
        return status_of(0, saved);
    open_token open = (open_token)(windows_function)GetProcAddress(library, "OpenProcessToken");
    look_up find = (look_up)(windows_function)GetProcAddress(library, "LookupPrivilegeValueW");
    adjust give = (adjust)(windows_function)GetProcAddress(library, "AdjustTokenPrivileges");

    TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1};
    wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    HANDLE token = NULL;
    int given = open != NULL && find != NULL && give != NULL &&
                open(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token) &&
                find(NULL, L"SeLockMemoryPrivilege", &wanted.Privileges[0].Luid) &&
                give(token, FALSE, &wanted, 0, NULL, NULL) && GetLastError() == ERROR_SUCCESS;
    if (token != NULL)
        (void)CloseHandle(token);
    (void)FreeLibrary(library);
    SetLastError(saved);
    return given ? ACRE_OK : -EPERM;
}

static acre_status
map_large_pages(const port_request *request, acre_mmap *out)
{
    // The system aligns them to their size, and offers no other choice.
    if (request->alignment > request->page_size || request->reach != 0)
        return -ENOTSUP;
    acre_status status = ask_for_large_pages();
    if (status != ACRE_OK)
        return status;
    DWORD type = MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES;
    DWORD protection = acre_windows_protection(request->access, 0);
    uint32_t node = windows_node_of(out);
    status = sys_alloc_on_node(request->address, request->size, type, protection, node, &out->base);
    int fixed = (request->flags & ACRE_MAP_FIXED) != 0;
    if (status != ACRE_OK && request->address != NULL && !fixed)
        status = sys_alloc_on_node(NULL, request->size, type, protection, node, &out->base);
    if (status != ACRE_OK)
        return fixed && !acre_windows_is_free((uintptr_t)request->address, request->size) ? -EEXIST
                                                                                          : status;
    windows_record *record;
    status = acre_windows_record_take(&record);
    if (status != ACRE_OK) {
        (void)sys_free(out->base, 0, MEM_RELEASE);
        return status;
    }
    atomic_store_explicit(&record->live, out->size, memory_order_relaxed);
    atomic_store_explicit(&record->size, out->size, memory_order_relaxed);
    atomic_store_explicit(&record->start, (uintptr_t)out->base, memory_order_release);
    out->backing = (uintptr_t)record;
    return ACRE_OK;
}

static acre_status
map_memory(const port_request *request, acre_mmap *out)
{
    windows_piece whole = {.size = request->size, .node_plus_one = windows_node_of(out)};
    acre_status status = acre_windows_build(request, &whole, 1, NULL, NULL, out);
    if (status != ACRE_OK || request->flags & ACRE_IS_RESERVATION || request->access == ACRE_NONE)
        return status;
    status =
        acre_windows_commit(out->base, out->size, acre_windows_protection(request->access, 0), 1);
    if (status != ACRE_OK)
        (void)acre_port_unmap(out);
    return status;
}

acre_status
acre_port_map(const port_request *request, acre_mmap *out)
{
    acre_status status = acre_windows_accept(request);
    if (status != ACRE_OK)
        return status;
    acre_mmap map = *out;
    map.flags = request->flags & ~(uint32_t)(REFUSED_WISHES | PLACEMENT);
    map.private_[1] = acre_windows_node_plus_one(request->node_plus_one);
    if (map.private_[1] != 0)
        map.flags |= ACRE_GOT_NODE;
    if (request->flags & ACRE_MAP_HUGE)
        status = map_large_pages(request, &map);
    else if (request->flags & (ACRE_MAP_SHARED | ACRE_IS_FILE | ACRE_IS_CLONE))
        status = acre_windows_map_object(request, &map);
    else
        status = map_memory(request, &map);
    if (status == ACRE_OK)
        status = acre_windows_finish(request, &map);
    if (status != ACRE_OK)
        return status;
    acre_windows_settle(&map);
    *out = map;
    return ACRE_OK;
}

// ---- resizing -----------------------------------------------------------------------------------

static acre_status
shrink_map(acre_mmap *map, size_t size)
{
    acre_mmap rest = *map;
    rest.base = (char *)map->base + size;
    rest.size = map->size - size;
    acre_status status = acre_port_unmap(&rest);
    if (status == ACRE_OK)
        map->size = size;
    return status;
}

// Gets addresses after the map: those of its record that no other part has, and free ones after
// these.
static acre_status
extend_record(windows_record *record, const acre_mmap *map, size_t size)
{
    uintptr_t start = atomic_load_explicit(&record->start, memory_order_relaxed);
    size_t held = atomic_load_explicit(&record->size, memory_order_relaxed);
    uintptr_t end = (uintptr_t)map->base + map->size;
    int alone = atomic_load_explicit(&record->live, memory_order_acquire) == map->size;
    if (record->parent != NULL || (end != start + held && !alone) || end > UINTPTR_MAX - size)
        return -ENOMEM;
    size_t more = size - map->size;
    size_t room = start + held - end;
    if (more <= room)
        return ACRE_OK;
    size_t added = (more - room + WINDOWS_GRANULE - 1) & ~(size_t)(WINDOWS_GRANULE - 1);
    acre_mmap behind = {.size = 0};
    port_request request = {
        .address = (void *)(start + held),
        .size = added,
        .alignment = WINDOWS_GRANULE,
        .page_size = WINDOWS_PAGE,
        .flags = ACRE_MAP_FIXED | ACRE_IS_RESERVATION,
    };
    windows_piece piece = {.size = added, .node_plus_one = windows_node_of(map)};
    acre_status status = acre_windows_build(&request, &piece, 1, NULL, NULL, &behind);
    if (status != ACRE_OK)
        return -ENOMEM;
    windows_record *other = windows_record_of(&behind);
    atomic_fetch_add_explicit(&record->size, added, memory_order_relaxed);
    acre_windows_record_drop(other);
    return ACRE_OK;
}

static acre_status
grow_in_place(acre_mmap *map, size_t size)
{
    windows_record *record = windows_record_of(map);
    if (record == NULL)
        return -ENOTSUP;
    acre_status status = extend_record(record, map, size);
    if (status != ACRE_OK)
        return status;
    char *end = (char *)map->base + map->size;
    size_t more = size - map->size;
    int accessible = (map->flags & ACRE_IS_RESERVATION) == 0 && map->access != ACRE_NONE;
    char *start = (char *)atomic_load_explicit(&record->start, memory_order_relaxed);
    size_t held = (size_t)(end - start);
    if (map->flags & ACRE_MAP_NO_DUMP)
        status = acre_windows_exclude_again(start, held, held + more);
    if (status == ACRE_OK && accessible)
        status = acre_port_commit(map, end, more, map->access);
    if (status != ACRE_OK) {
        if (map->flags & ACRE_MAP_NO_DUMP)
            (void)acre_windows_exclude_again(start, held + more, held);
        (void)acre_windows_retire(end, more);
        return status;
    }
    atomic_fetch_add_explicit(&record->live, more, memory_order_relaxed);
    map->size = size;
    return ACRE_OK;
}

static acre_status
move_by_copying(acre_mmap *map, size_t size)
{
    windows_region region;
    windows_region more;
    uintptr_t at = (uintptr_t)map->base;
    uintptr_t end = at + map->size;
    int uniform = acre_windows_next_region(&at, end, &region);
    while (uniform && acre_windows_next_region(&at, end, &more))
        uniform = more.state == region.state && more.protection == region.protection;
    if (!uniform || map->flags & ACRE_HAS_PAGE_GUARDS)
        return ACRE_BAD_STATE;

    uint32_t placed = ACRE_IS_ADOPTED | ACRE_HAS_PAGE_GUARDS;
    port_request request = {
        .size = size,
        .alignment = WINDOWS_PAGE,
        .page_size = WINDOWS_PAGE,
        .access = map->access,
        .flags = map->flags & ~placed,
        .node_plus_one = windows_node_of(map),
    };
    acre_mmap moved = *map;
    moved.size = size;
    acre_status status = acre_port_map(&request, &moved);
    if (status != ACRE_OK)
        return status;
    int readable = (map->access & ACRE_READ) != 0;
    int copied = region.state == MEM_COMMIT;
    if (copied) {
        status = acre_windows_commit(moved.base, map->size, PAGE_READWRITE, 0);
        if (status == ACRE_OK && !readable)
            status = acre_windows_commit(map->base, map->size, PAGE_READONLY, 0);
        if (status == ACRE_OK) {
            memcpy(moved.base, map->base, map->size);
            status = sys_protect(moved.base, map->size, region.protection);
        }
    }
    if (status == ACRE_OK)
        status = acre_port_unmap(map);
    if (status != ACRE_OK) {
        if (copied && !readable)
            (void)acre_windows_commit(map->base, map->size, region.protection, 0);
        (void)acre_port_unmap(&moved);
        return status;
    }
    moved.flags = map->flags;
    *map = moved;
    return ACRE_OK;
}

acre_status
acre_port_resize(acre_mmap *map, size_t size, uint32_t how)
{
    if (size < map->size)
        return map->flags & ACRE_MAP_HUGE ? -ENOTSUP : shrink_map(map, size);
    if (map->flags & (ACRE_MAP_HUGE | ACRE_IS_FILE))
        return -ENOTSUP;
    acre_status status = grow_in_place(map, size);
    if (status == ACRE_OK || how != ACRE_RESIZE_MAY_MOVE)
        return status;
    return move_by_copying(map, size);
}

acre_status
acre_port_seal(acre_mmap *map)
{
    (void)map;
    return -ENOTSUP;
}

acre_status
acre_port_continues(acre_mmap *map, const acre_mmap *next)
{
    // They must be parts of one map, no matter in which order they were cut.
    int same = map->backing == next->backing &&
               (map->backing != 0 || (map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0) &&
               next->offset - map->offset == map->size;
    if (!same)
        return ACRE_BACKING_MISMATCH;
    return ACRE_OK;
}

#endif  // ACRE_ON_WINDOWS
