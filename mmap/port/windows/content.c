// Windows: what pages hold and where they are: guards, discarding, locks, advice.
//
// 1. Private memory is emptied by decommitting and recommitting it: nothing else guarantees zeros.
//    In between it is not accounted, and another commit may take it.
// 2. Pages of shared memory cannot be removed from their object, so they are overwritten with
//    zeros.
// 3. A copying view gets its first contents back as a whole, by being mapped again in its
//    placeholder.  For a part of it, or without placeholders, they are copied back.
// 4. A guard is decommitted memory, or an inaccessible part of a view.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/check.h"
#include "mmap/port/windows/windows.h"

#include <string.h>

// ---- discarding ---------------------------------------------------------------------------------

// Whether pages are locked: by the map's flags, or by acre_mmap_lock, which may have locked a part.
static int
is_locked(const acre_mmap *map, const windows_region *region)
{
    if (map->flags & ACRE_MAP_LOCKED)
        return 1;
    uintptr_t start = (uintptr_t)region->start;
    uintptr_t end = start + region->length;
    const windows_record *record = windows_record_of(map);
    if (record != NULL) {
        uintptr_t low = atomic_load_explicit(&record->locked_start, memory_order_acquire);
        uintptr_t high = atomic_load_explicit(&record->locked_end, memory_order_acquire);
        start = start > low ? start : low;
        end = end < high ? end : high;
    } else if ((map->flags & ACRE_IS_ADOPTED) == 0) {
        return 0;
    }
    const void *lowest;
    return start < end &&
           acre_windows_lowest_locked((void *)start, end - start, &lowest) == ACRE_OK &&
           (uintptr_t)lowest != end;
}

static acre_status
refresh_pages(const windows_region *region, int locked)
{
    void *fresh;
    acre_status status = sys_free(region->start, region->length, MEM_DECOMMIT);
    if (status == ACRE_OK)
        status = sys_alloc(region->start, region->length, MEM_COMMIT, region->protection, &fresh);
    if (status == ACRE_OK && locked && region->protection != PAGE_NOACCESS)
        status = acre_windows_lock(region->start, region->length);
    return status;
}

static acre_status
reset_pages(const windows_region *region)
{
    void *same;
    return sys_alloc(region->start, region->length, MEM_RESET, PAGE_NOACCESS, &same);
}

static acre_status
discard_memory(const acre_mmap *map, void *start, size_t length, int lazily)
{
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (acre_windows_next_region(&at, end, &region)) {
        if (region.state == MEM_FREE)
            return -ENOMEM;
        if (region.state == MEM_RESERVE)
            continue;
        // Large pages are resident as a whole or not at all.
        if (map->flags & ACRE_MAP_HUGE && region.protection != PAGE_READWRITE)
            return -ENOTSUP;
        if (map->flags & ACRE_MAP_HUGE) {
            memset(region.start, 0, region.length);
            continue;
        }
        // The system does not take locked or inaccessible pages away later.
        int locked = is_locked(map, &region);
        if (lazily && !locked && reset_pages(&region) == ACRE_OK)
            continue;
        acre_status status = refresh_pages(&region, locked);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// Memory that was reset may come back with any contents, so nothing is reset here.
static acre_status
clear_shared(void *start, size_t length)
{
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (acre_windows_next_region(&at, end, &region)) {
        if (region.state != MEM_COMMIT)
            return -ENOMEM;
        DWORD writable = PAGE_READWRITE | PAGE_EXECUTE_READWRITE;
        int opened = (region.protection & writable) == 0;
        acre_status status =
            opened ? sys_protect(region.start, region.length, PAGE_READWRITE) : ACRE_OK;
        if (status != ACRE_OK)
            return -EACCES;
        memset(region.start, 0, region.length);
        if (opened)
            status = sys_protect(region.start, region.length, region.protection);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// Restores first contents, page by page where they differ.
static acre_status
copy_back(const windows_region *region, const char *first)
{
    acre_status status = sys_protect(region->start, region->length, PAGE_WRITECOPY);
    for (size_t at = 0; status == ACRE_OK && at < region->length; at += WINDOWS_PAGE) {
        if (memcmp(region->start + at, first + at, WINDOWS_PAGE) != 0)
            memcpy(region->start + at, first + at, WINDOWS_PAGE);
    }
    return status == ACRE_OK ? sys_protect(region->start, region->length,
                                           acre_windows_as_copying(region->protection))
                             : status;
}

static acre_status
restore_by_copying(const acre_mmap *map, void *start, size_t length)
{
    const windows_record *record = windows_record_of(map);
    if (record == NULL || record->section == NULL)
        return -ENOTSUP;
    uint64_t offset = map->offset + (uint64_t)((char *)start - (char *)map->base);
    uint64_t from = offset & ~(uint64_t)(WINDOWS_GRANULE - 1);
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    // One granule at a time, to map little more than is needed.
    acre_status status = ACRE_OK;
    while (status == ACRE_OK && at < end) {
        uintptr_t stop = at + (WINDOWS_GRANULE - (size_t)(offset - from));
        stop = stop < end ? stop : end;
        size_t viewed = (size_t)(offset - from) + (stop - at);
        uintptr_t first = at;
        DWORD saved = GetLastError();
        void *view =
            MapViewOfFile(record->section, FILE_MAP_READ, (DWORD)(from >> 32), (DWORD)from, viewed);
        // The last view ends where the file ends, which need not be at a page's end.
        if (view == NULL)
            view =
                MapViewOfFile(record->section, FILE_MAP_READ, (DWORD)(from >> 32), (DWORD)from, 0);
        status = status_of(view != NULL, saved);
        while (status == ACRE_OK && acre_windows_next_region(&at, stop, &region)) {
            if (region.state == MEM_COMMIT)
                status = copy_back(&region, (char *)view + (size_t)(offset - from) +
                                                (size_t)((uintptr_t)region.start - first));
        }
        if (view != NULL)
            (void)UnmapViewOfFile(view);
        SetLastError(saved);
        at = stop;
        offset += stop - first;
        from = offset;
    }
    return status;
}

acre_status
acre_port_discard(acre_mmap *map, void *start, size_t length, uint32_t when)
{
    if (windows_is_shared_memory(map))
        return clear_shared(start, length);
    if ((map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0)
        return discard_memory(map, start, length, when == ACRE_DISCARD_LAZY);
    acre_status status = acre_windows_remap(map, start, length);
    return status == -ENOTSUP ? restore_by_copying(map, start, length) : status;
}

acre_status
acre_port_discard_many(const acre_range *ranges, size_t count, uint32_t when, size_t *done)
{
    acre_mmap anonymous = {0};
    for (*done = 0; *done < count; ++*done) {
        const acre_range *range = &ranges[*done];
        acre_status status = range->length == 0
                                 ? ACRE_OK
                                 : acre_port_discard(&anonymous, range->base, range->length, when);
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

// ---- guards -------------------------------------------------------------------------------------

acre_status
acre_port_guard_many(const acre_range *ranges, size_t count, size_t *done)
{
    (void)ranges;
    (void)count;
    *done = 0;
    return -ENOTSUP;  // there are no markers
}

acre_status
acre_port_guard(acre_mmap *map, void *start, size_t length, uint32_t *kind)
{
    *kind = ACRE_HAS_PAGE_GUARDS;
    if (map->flags & ACRE_MAP_HUGE)
        return -ENOTSUP;
    if (windows_is_committable(map))
        return acre_windows_retire(start, length);
    // A shared file keeps its contents; everything else returns to its first contents.
    int shared_file = (map->flags & ACRE_IS_FILE) != 0 && !windows_copies(map);
    acre_status status =
        shared_file ? ACRE_OK : acre_port_discard(map, start, length, ACRE_DISCARD_NOW);
    return status == ACRE_OK ? acre_windows_hide(start, length) : status;
}

acre_status
acre_port_unguard(acre_mmap *map, void *start, size_t length, int set_access)
{
    // If the whole range has the map's access, setting that access removed the guard.
    if (!set_access)
        return ACRE_OK;
    acre_status status = acre_port_protect(map, start, length, map->access);
    if (status != ACRE_OK && windows_is_committable(map))
        (void)acre_windows_retire(start, length);
    return status;
}

// ---- locks --------------------------------------------------------------------------------------

// A process may lock about as much as its minimum working set.
static acre_status
raise_quota(size_t more)
{
    // Only one call at a time may raise the sizes: they are read, then written back.
    static SRWLOCK raising = SRWLOCK_INIT;
    HANDLE self = GetCurrentProcess();
    SIZE_T least;
    SIZE_T most;
    DWORD saved = GetLastError();
    AcquireSRWLockExclusive(&raising);
    acre_status status = status_of(GetProcessWorkingSetSize(self, &least, &most), saved);
    if (status == ACRE_OK && (more > SIZE_MAX - least || more > SIZE_MAX - most))
        status = -ENOMEM;
    if (status == ACRE_OK)
        status = status_of(SetProcessWorkingSetSize(self, least + more, most + more), saved);
    ReleaseSRWLockExclusive(&raising);
    return status == -EACCES || status == -EINVAL ? -EPERM : status;
}

acre_status
acre_windows_lock(void *start, size_t length)
{
    DWORD saved = GetLastError();
    int locked = VirtualLock(start, length);
    acre_status status = ACRE_OK;
    if (!locked && GetLastError() == ERROR_WORKING_SET_QUOTA) {
        status = raise_quota(length + 16 * WINDOWS_PAGE);
        locked = status == ACRE_OK && VirtualLock(start, length);
    }
    if (status == ACRE_OK)
        status = status_of(locked, saved);
    SetLastError(saved);
    if (status == ACRE_OK)
        return ACRE_OK;
    (void)acre_windows_unlock(start, length);  // a part may be locked
    return status == -EFAULT || status == -EINVAL ? -ENOMEM : status;
}

static acre_status
unlock_run(char *start, size_t length)
{
    DWORD saved = GetLastError();
    if (VirtualUnlock(start, length))
        return ACRE_OK;
    DWORD error = GetLastError();
    SetLastError(saved);
    if (error != ERROR_NOT_LOCKED)
        return acre_windows_error(error);
    // One page that is not locked prevents the others from being unlocked.
    if (length == WINDOWS_PAGE)
        return ACRE_OK;
    acre_status status = ACRE_OK;
    for (size_t at = 0; at < length && status == ACRE_OK; at += WINDOWS_PAGE)
        status = unlock_run(start + at, WINDOWS_PAGE);
    return status;
}

acre_status
acre_windows_unlock(void *start, size_t length)
{
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (acre_windows_next_region(&at, end, &region)) {
        acre_status status = ACRE_OK;
        if (region.state == MEM_COMMIT && region.protection != PAGE_NOACCESS)
            status = unlock_run(region.start, region.length);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// The parts of a map share the note, and other threads may lock others.
static void
note_locked(windows_record *record, uintptr_t start, uintptr_t end)
{
    uintptr_t low = atomic_load(&record->locked_start);
    while ((low == 0 || low > start) &&
           !atomic_compare_exchange_weak(&record->locked_start, &low, start))
        continue;
    uintptr_t high = atomic_load(&record->locked_end);
    while (high < end && !atomic_compare_exchange_weak(&record->locked_end, &high, end))
        continue;
}

acre_status
acre_port_lock(acre_mmap *map, void *start, size_t length)
{
    acre_status status = acre_windows_lock(start, length);
    windows_record *record = windows_record_of(map);
    if (status == ACRE_OK && record != NULL)
        note_locked(record, (uintptr_t)start, (uintptr_t)start + length);
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
    (void)map;
    return acre_windows_unlock(start, length);
}

// ---- presence, files ----------------------------------------------------------------------------

static acre_status
prefetch_pages(void *start, size_t length)
{
    typedef struct entry {
        void *address;
        SIZE_T bytes;
    } entry;
    typedef BOOL(WINAPI * call)(HANDLE, ULONG_PTR, entry *, ULONG);
    call prefetch_memory = (call)acre_windows_newer(NEWER_PREFETCH);
    if (prefetch_memory == NULL)
        return -ENOTSUP;
    entry range = {start, length};
    DWORD saved = GetLastError();
    return status_of(prefetch_memory(GetCurrentProcess(), 1, &range, 0), saved);
}

acre_status
acre_windows_populate(void *start, size_t length, int writes)
{
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    DWORD unreadable = PAGE_NOACCESS | PAGE_EXECUTE | PAGE_GUARD;
    while (acre_windows_next_region(&at, end, &region)) {
        if (region.state != MEM_COMMIT || region.protection & unreadable)
            return -ENOMEM;
    }
    (void)prefetch_pages(start, length);  // a hint, so that files are read in few pieces
    at = (uintptr_t)start;
    while (acre_windows_next_region(&at, end, &region)) {
        int written = writes && region.protection & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE);
        for (char *page = region.start; page < region.start + region.length; page += WINDOWS_PAGE) {
            DWORD saved = GetLastError();
            char byte;
            // The system call reads a file's page and returns a failure where a load would raise an
            // exception.
            if (written)
                (void)InterlockedOr((volatile LONG *)(void *)page, 0);
            else if (!ReadProcessMemory(GetCurrentProcess(), page, &byte, 1, NULL)) {
                SetLastError(saved);
                return -EFAULT;
            }
        }
    }
    return ACRE_OK;
}

acre_status
acre_port_populate(acre_mmap *map, void *start, size_t length)
{
    int copies = (map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) != 0;
    acre_status status = acre_windows_populate(start, length, !copies);
    // Nothing is mapped beyond the end of a file.
    return status == -ENOMEM && map->flags & ACRE_IS_FILE ? -EFAULT : status;
}

// NTFS refuses a flush now and then, through no fault of the caller.
static acre_status
flush_view(const windows_region *region)
{
    enum { TRIES = 10 };  // about a second
    DWORD saved = GetLastError();
    int flushed = 0;
    for (int i = 0; i < TRIES && !flushed; i++) {
        if (i > 0)
            Sleep(1ul << i);
        flushed = FlushViewOfFile(region->start, region->length);
        if (!flushed && GetLastError() != ERROR_LOCK_VIOLATION)
            break;
    }
    acre_status status = status_of(flushed, saved);
    SetLastError(saved);  // also when a retry succeeded after a failure
    return status;
}

acre_status
acre_port_flush(acre_mmap *map, void *start, size_t length, uint32_t how)
{
    const windows_record *record = windows_record_of(map);
    windows_region region;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    DWORD saved = GetLastError();
    while (acre_windows_next_region(&at, end, &region)) {
        acre_status status = ACRE_OK;
        if (region.state == MEM_COMMIT && region.type == MEM_MAPPED)
            status = flush_view(&region);
        if (status != ACRE_OK)
            return status;
    }
    if (how != ACRE_FLUSH_WAIT)
        return ACRE_OK;
    // The file of an adopted view is unknown.
    if (record == NULL)
        return -ENOTSUP;
    acre_status status =
        record->file != NULL ? status_of(FlushFileBuffers(record->file), saved) : ACRE_OK;
    // Nothing was changed through a read-only handle.
    return status == -EACCES ? ACRE_OK : status;
}

// ---- advice -------------------------------------------------------------------------------------

acre_status
acre_windows_exclude(void *start, size_t length, int excluded)
{
    typedef HRESULT(WINAPI * exclude)(const void *, DWORD);
    typedef HRESULT(WINAPI * include)(const void *);
    exclude leave_out = (exclude)acre_windows_newer(NEWER_WER_EXCLUDE);
    include take_in = (include)acre_windows_newer(NEWER_WER_INCLUDE);
    if (leave_out == NULL || take_in == NULL)
        return -ENOTSUP;
    if (length > MAXDWORD)
        return -ENOTSUP;
    DWORD saved = GetLastError();
    HRESULT result = excluded ? leave_out(start, (DWORD)length) : take_in(start);
    SetLastError(saved);
    // A range that was not excluded is included.
    return SUCCEEDED(result) || !excluded ? ACRE_OK : -ENOMEM;
}

acre_status
acre_windows_exclude_again(void *start, size_t length, size_t next)
{
    acre_status status = acre_windows_exclude(start, length, 0);
    if (status == ACRE_OK)
        status = acre_windows_exclude(start, next, 1);
    if (status != ACRE_OK)
        (void)acre_windows_exclude(start, length, 1);
    return status;
}

// The list of excluded ranges has only whole ranges, no parts.
static acre_status
exclude_whole(const acre_mmap *map, void *start, size_t length, int excluded)
{
    const windows_record *record = windows_record_of(map);
    int whole = record != NULL && start == map->base && length == map->size &&
                atomic_load_explicit(&record->start, memory_order_relaxed) == (uintptr_t)start &&
                atomic_load_explicit(&record->live, memory_order_relaxed) == length;
    return whole ? acre_windows_exclude(start, length, excluded) : -ENOTSUP;
}

acre_status
acre_port_advise(acre_mmap *map, void *start, size_t length, acre_advice advice)
{
    switch (advice) {
    case ACRE_ADVISE_WILL_NEED:
        return prefetch_pages(start, length);
    case ACRE_ADVISE_NO_DUMP:
        return exclude_whole(map, start, length, 1);
    case ACRE_ADVISE_DUMP:
        // Where nothing can be excluded, everything is included.
        return acre_port_can(ACRE_CAN_EXCLUDE_FROM_DUMPS) ? exclude_whole(map, start, length, 0)
                                                          : ACRE_OK;
    case ACRE_ADVISE_NO_HUGE:  // only explicit ones exist
    case ACRE_ADVISE_NORMAL:   // there is nothing else
    case ACRE_ADVISE_DONT_FORK:
    case ACRE_ADVISE_DO_FORK:
    case ACRE_ADVISE_WIPE_ON_FORK:
    case ACRE_ADVISE_KEEP_ON_FORK:
        return ACRE_OK;  // there is no fork
    default:
        return -ENOTSUP;
    }
}

#endif  // ACRE_ON_WINDOWS
