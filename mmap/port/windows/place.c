// Windows: where maps lie, how they are built, and how their addresses are released.
//
// 1. With placeholders (Windows 10), addresses are held from the moment they are chosen.  The
//    placeholder is cut where the pieces of a map meet, and each part is replaced by its piece, so
//    no other thread can get in between.
// 2. Without them, a free place is found and released, and the pieces are mapped there one by one.
//    If another thread was faster, all is undone and tried again, a bounded number of times.
// 3. Anything made from a placeholder, or a part of it, can become a placeholder again.  So any
//    range inside one of acre's maps can be replaced; no other range can.
// 4. Records are never freed, so searching them (for REPLACE) needs no lock.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

typedef void *(WINAPI *map_view_3)(HANDLE, HANDLE, void *, ULONG64, SIZE_T, ULONG, ULONG, void *,
                                   ULONG);
typedef BOOL(WINAPI *unmap_view_2)(HANDLE, void *, ULONG);

static acre_status
unmap_view(void *base, DWORD flags)
{
    unmap_view_2 call = (unmap_view_2)acre_windows_newer(NEWER_UNMAP_VIEW_2);
    DWORD saved = GetLastError();
    if (flags == 0)
        return status_of(UnmapViewOfFile(base), saved);
    return call == NULL ? -ENOTSUP : status_of(call(GetCurrentProcess(), base, flags), saved);
}

// Reserves memory at free addresses.  Each commit sets the protection anew.  But where stacks grow,
// wine gives the pages that it commits the protection of the reservation.
static acre_status
reserve_memory(void *base, size_t size, uint32_t node_plus_one)
{
    void *reserved;
    return sys_alloc_on_node(base, size, MEM_RESERVE, PAGE_READWRITE, node_plus_one, &reserved);
}

// Does the same in place of a placeholder.
static acre_status
fill_with_memory(void *base, size_t size, uint32_t node_plus_one)
{
    void *filled;
    return acre_windows_alloc_2(base, size, MEM_RESERVE | WINDOWS_REPLACE_PLACEHOLDER,
                                PAGE_READWRITE, node_plus_one, &filled);
}

// ---- records ------------------------------------------------------------------------------------

enum { RECORDS = WINDOWS_GRANULE / sizeof(windows_record) };

// The first record of each chunk is not used as one.
typedef union chunk {
    struct {
        SLIST_ENTRY unused;
        union chunk *next;
    } head;
    windows_record records[RECORDS];
} chunk;

static SLIST_HEADER free_records;
static _Atomic(chunk *) chunks;

acre_status
acre_windows_record_take(windows_record **out)
{
    SLIST_ENTRY *entry = InterlockedPopEntrySList(&free_records);
    if (entry == NULL) {
        void *base;
        acre_status status =
            sys_alloc(NULL, sizeof(chunk), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, &base);
        if (status != ACRE_OK)
            return status;
        chunk *fresh = base;
        fresh->head.next = atomic_load_explicit(&chunks, memory_order_relaxed);
        while (!atomic_compare_exchange_weak_explicit(&chunks, &fresh->head.next, fresh,
                                                      memory_order_release, memory_order_relaxed))
            continue;
        for (size_t i = 2; i < RECORDS; i++)
            InterlockedPushEntrySList(&free_records, &fresh->records[i].entry);
        entry = &fresh->records[1].entry;
    }
    *out = (windows_record *)entry;
    return ACRE_OK;
}

void
acre_windows_record_drop(windows_record *record)
{
    if (record->section != NULL)
        sys_close(record->section);
    if (record->file != NULL)
        sys_close(record->file);
    record->section = record->file = NULL;
    record->parent = NULL;
    atomic_store_explicit(&record->start, 0, memory_order_relaxed);
    InterlockedPushEntrySList(&free_records, &record->entry);
}

// Finds acre's smallest range that contains all of [start, start + size).
static windows_record *
find_record(uintptr_t start, size_t size)
{
    windows_record *best = NULL;
    size_t best_size = SIZE_MAX;
    chunk *at = atomic_load_explicit(&chunks, memory_order_acquire);
    for (; at != NULL; at = at->head.next) {
        for (size_t i = 1; i < RECORDS; i++) {
            windows_record *record = &at->records[i];
            uintptr_t first = atomic_load_explicit(&record->start, memory_order_acquire);
            size_t length = atomic_load_explicit(&record->size, memory_order_relaxed);
            if (first != 0 && first <= start && start - first <= length &&
                size <= length - (start - first) && length < best_size) {
                best = record;
                best_size = length;
            }
        }
    }
    return best;
}

// ---- regions ------------------------------------------------------------------------------------

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
        out->protection = out->type = 0;
    } else {
        uintptr_t stop = (uintptr_t)info.BaseAddress + info.RegionSize;
        out->length = (stop < end ? stop : end) - *at;
        out->allocation = info.State == MEM_FREE ? NULL : info.AllocationBase;
        out->state = info.State;
        out->protection = info.State == MEM_COMMIT ? info.Protect : 0;
        out->type = info.State == MEM_FREE ? 0 : info.Type;
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

// Returns the first allocation in [*at, end), cut to that range, and moves *at to its end.
static int
next_allocation(uintptr_t *at, uintptr_t end, windows_region *out)
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

// ---- giving back --------------------------------------------------------------------------------

static acre_status
retire_view(const windows_region *part)
{
    // This works for whole views of placeholders; the system refuses it for any other view.
    if (part->start == part->allocation &&
        unmap_view(part->start, WINDOWS_PRESERVE_PLACEHOLDER) == ACRE_OK)
        return fill_with_memory(part->start, part->length, 0);
    return sys_protect(part->start, part->length, PAGE_NOACCESS);
}

// Whether the allocation continues after the part.
static int
allocation_continues(const windows_region *part)
{
    windows_region behind;
    uintptr_t at = (uintptr_t)part->start + part->length;
    return acre_windows_next_region(&at, at + 1, &behind) && behind.allocation == part->allocation;
}

static int
is_whole_allocation(const windows_region *part)
{
    return part->start == part->allocation && !allocation_continues(part);
}

static acre_status
retire_part(const windows_region *part)
{
    if (part->type == MEM_PRIVATE)
        return sys_free(part->start, part->length, MEM_DECOMMIT);
    return is_whole_allocation(part) ? retire_view(part)
                                     : sys_protect(part->start, part->length, PAGE_NOACCESS);
}

acre_status
acre_windows_retire(void *start, size_t length)
{
    windows_region part;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (next_allocation(&at, end, &part)) {
        acre_status status = part.state != MEM_FREE ? retire_part(&part) : ACRE_OK;
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// Releases a range with its addresses; if it is a part of a larger adopted allocation, its
// addresses stay.
static acre_status
release_range(uintptr_t start, size_t size)
{
    acre_status status = ACRE_OK;
    windows_region part;
    uintptr_t at = start;
    while (next_allocation(&at, start + size, &part)) {
        if (part.state == MEM_FREE)
            continue;
        acre_status released;
        if (!is_whole_allocation(&part))
            released = retire_part(&part);
        else if (part.type == MEM_PRIVATE)
            released = sys_free(part.start, 0, MEM_RELEASE);
        else
            released = unmap_view(part.start, 0);
        if (released != ACRE_OK)
            status = released;
    }
    return status;
}

acre_status
acre_port_unmap(acre_mmap *map)
{
    windows_record *record = windows_record_of(map);
    if (record == NULL)
        return release_range((uintptr_t)map->base, map->size);

    // Take the range out of use before counting: when the count reaches zero, no thread is still
    // working on it.  Large pages are released with the last part.
    if (atomic_load_explicit(&record->live, memory_order_acquire) != map->size) {
        acre_status status = map->flags & ACRE_MAP_HUGE ? acre_windows_hide(map->base, map->size)
                                                        : acre_windows_retire(map->base, map->size);
        if (status != ACRE_OK)
            return status;
    }
    size_t gone = map->size;
    while (record != NULL &&
           atomic_fetch_sub_explicit(&record->live, gone, memory_order_acq_rel) == gone) {
        uintptr_t start = atomic_load_explicit(&record->start, memory_order_relaxed);
        gone = atomic_load_explicit(&record->size, memory_order_relaxed);
        windows_record *parent = record->parent;
        // Before anyone else can get the addresses.
        (void)acre_windows_exclude((void *)start, gone, 0);
        acre_status status =
            parent != NULL ? acre_windows_retire((void *)start, gone) : release_range(start, gone);
        if (status != ACRE_OK) {
            atomic_fetch_add_explicit(&record->live, map->size, memory_order_relaxed);
            if (map->flags & ACRE_MAP_NO_DUMP)
                (void)acre_windows_exclude((void *)start, gone, 1);
            return status;
        }
        acre_windows_record_drop(record);
        record = parent;
    }
    return ACRE_OK;
}

// ---- pieces -------------------------------------------------------------------------------------

static DWORD
view_access(DWORD protection)
{
    DWORD exec = protection >= PAGE_EXECUTE ? FILE_MAP_EXECUTE : 0;
    switch (protection) {
    case PAGE_WRITECOPY:
    case PAGE_EXECUTE_WRITECOPY:
        return FILE_MAP_COPY | exec;
    case PAGE_READWRITE:
    case PAGE_EXECUTE_READWRITE:
        return FILE_MAP_WRITE | exec;
    default:
        return FILE_MAP_READ | exec;
    }
}

// Makes a piece in place of a placeholder of its size, or at free addresses.
static acre_status
make_piece(const windows_piece *piece, char *base, int placeholder)
{
    if (piece->section == NULL) {
        // After a view, the rest of its granule cannot be used by anyone.
        size_t rest = (size_t) - (intptr_t)base & (WINDOWS_GRANULE - 1);
        if (!placeholder && rest >= piece->size)
            return ACRE_OK;
        if (!placeholder && rest != 0)
            return reserve_memory(base + rest, piece->size - rest, piece->node_plus_one);
        return placeholder ? fill_with_memory(base, piece->size, piece->node_plus_one)
                           : reserve_memory(base, piece->size, piece->node_plus_one);
    }
    map_view_3 call = (map_view_3)acre_windows_newer(NEWER_MAP_VIEW_3);
    DWORD saved = GetLastError();
    void *view = placeholder && call != NULL
                     ? call(piece->section, GetCurrentProcess(), base, piece->offset, piece->bytes,
                            WINDOWS_REPLACE_PLACEHOLDER, piece->protection, NULL, 0)
                     : MapViewOfFileEx(piece->section, view_access(piece->protection),
                                       (DWORD)(piece->offset >> 32), (DWORD)piece->offset,
                                       piece->bytes, base);
    return status_of(view != NULL, saved);
}

// Makes the pieces in the placeholder [base, base + size).  On failure, the pieces already made
// remain.
static acre_status
make_pieces(const windows_piece *pieces, size_t count, char *base, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        acre_status status = ACRE_OK;
        if (pieces[i].size != size)
            status = sys_free(base, pieces[i].size, MEM_RELEASE | WINDOWS_PRESERVE_PLACEHOLDER);
        if (status == ACRE_OK)
            status = make_piece(&pieces[i], base, 1);
        if (status != ACRE_OK)
            return status;
        base += pieces[i].size;
        size -= pieces[i].size;
    }
    return ACRE_OK;
}

// Turns a range inside one of acre's maps into one placeholder.
static acre_status
vacate_range(uintptr_t start, size_t size)
{
    windows_region part;
    uintptr_t at = start;
    size_t parts = 0;
    while (next_allocation(&at, start + size, &part)) {
        acre_status status = -ENOTSUP;
        if (part.state != MEM_FREE && part.type == MEM_PRIVATE)
            status = sys_free(part.start, part.length, MEM_RELEASE | WINDOWS_PRESERVE_PLACEHOLDER);
        else if (part.state != MEM_FREE && part.start == part.allocation &&
                 !allocation_continues(&part))
            status = unmap_view(part.start, WINDOWS_PRESERVE_PLACEHOLDER);
        if (status != ACRE_OK)
            return -ENOTSUP;
        parts++;
    }
    return parts > 1 ? sys_free((void *)start, size, MEM_RELEASE | WINDOWS_COALESCE_PLACEHOLDERS)
                     : ACRE_OK;
}

// Makes the range reserved memory again after a failed REPLACE: only placeholders lack an owner.
static void
restore_reserved(uintptr_t start, size_t size)
{
    windows_region part;
    uintptr_t at = start;
    while (next_allocation(&at, start + size, &part)) {
        if (part.type != MEM_PRIVATE)
            (void)unmap_view(part.start, WINDOWS_PRESERVE_PLACEHOLDER);
        (void)fill_with_memory(part.start, part.length, 0);
    }
}

static acre_status
build_in_place(const port_request *request, const windows_piece *pieces, size_t count, size_t size,
               windows_record *parent)
{
    acre_status status = vacate_range((uintptr_t)request->address, size);
    if (status == ACRE_OK)
        status = make_pieces(pieces, count, request->address, size);
    if (status != ACRE_OK) {
        restore_reserved((uintptr_t)request->address, size);
        return status;
    }
    atomic_fetch_add_explicit(&parent->live, size, memory_order_relaxed);
    return ACRE_OK;
}

static acre_status
build_held(const port_request *request, const windows_piece *pieces, size_t count, size_t size,
           void **base)
{
    acre_status status = acre_windows_hold(request, size, base);
    if (status != ACRE_OK)
        return status;
    status = make_pieces(pieces, count, *base, size);
    if (status != ACRE_OK)
        (void)release_range((uintptr_t)*base, size);
    return status;
}

// Builds without placeholders.
static acre_status
build_by_trying(const port_request *request, const windows_piece *pieces, size_t count, size_t size,
                void **base)
{
    if (count == 1 && pieces[0].section == NULL && pieces[0].node_plus_one == 0)
        return acre_windows_hold(request, size, base);
    for (int i = 0; i < WINDOWS_TRIES; i++) {
        acre_status status = acre_windows_hold(request, size, base);
        if (status == ACRE_OK)
            status = sys_free(*base, 0, MEM_RELEASE);
        if (status != ACRE_OK)
            return status;
        char *at = *base;
        size_t made = 0;
        for (; made < count && status == ACRE_OK; made++) {
            status = make_piece(&pieces[made], at, 0);
            if (status == ACRE_OK)
                at += pieces[made].size;
        }
        if (status == ACRE_OK)
            return ACRE_OK;
        if (at != *base)
            (void)release_range((uintptr_t)*base, (size_t)(at - (char *)*base));
        // The place is still free, so it was refused for another reason.
        if (acre_windows_is_free((uintptr_t)*base, size))
            return status;
    }
    return -ENOMEM;
}

static acre_status
build_at_place(const port_request *request, windows_piece *pieces, size_t count,
               windows_record **parent, size_t *size, void **base)
{
    *size = 0;
    for (size_t i = 0; i < count; i++)
        *size += pieces[i].size;
    int placeholders = acre_port_can(ACRE_CAN_REPLACE);
    if (request->flags & ACRE_MAP_REPLACE &&
        !acre_windows_is_free((uintptr_t)request->address, *size)) {
        *parent = find_record((uintptr_t)request->address, *size);
        *base = request->address;
        return *parent != NULL && placeholders
                   ? build_in_place(request, pieces, count, *size, *parent)
                   : -ENOTSUP;
    }
    // The rest of a granule cannot be used by anyone else: it is room to grow.
    windows_piece *last = &pieces[count - 1];
    size_t rest = (size_t) - (intptr_t)*size & (WINDOWS_GRANULE - 1);
    if (last->section == NULL) {
        last->size += rest;
        *size += rest;
    }
    return placeholders ? build_held(request, pieces, count, *size, base)
                        : build_by_trying(request, pieces, count, *size, base);
}

acre_status
acre_windows_build(const port_request *request, windows_piece *pieces, size_t count, HANDLE section,
                   HANDLE file, acre_mmap *out)
{
    windows_record *record;
    windows_record *parent = NULL;
    void *base = NULL;
    size_t size = 0;
    acre_status status = acre_windows_record_take(&record);
    if (status == ACRE_OK) {
        status = build_at_place(request, pieces, count, &parent, &size, &base);
        if (status != ACRE_OK)
            acre_windows_record_drop(record);
    }
    if (status != ACRE_OK) {
        if (section != NULL)
            sys_close(section);
        if (file != NULL)
            sys_close(file);
        return status;
    }
    record->section = section;
    record->file = file;
    record->parent = parent;
    atomic_store_explicit(&record->live, out->size, memory_order_relaxed);
    atomic_store_explicit(&record->size, size, memory_order_relaxed);
    atomic_store_explicit(&record->start, (uintptr_t)base, memory_order_release);
    out->base = base;
    out->backing = (uintptr_t)record;
    return ACRE_OK;
}

DWORD
acre_windows_as_copying(DWORD protection)
{
    if (protection == PAGE_READWRITE)
        return PAGE_WRITECOPY;
    return protection == PAGE_EXECUTE_READWRITE ? PAGE_EXECUTE_WRITECOPY : protection;
}

acre_status
acre_windows_remap(const acre_mmap *map, void *start, size_t length)
{
    const windows_record *record = windows_record_of(map);
    if ((map->flags & ACRE_IS_CLONE) == 0 || record == NULL || !acre_port_can(ACRE_CAN_REPLACE))
        return -ENOTSUP;
    windows_region view;
    windows_region more;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    if (!acre_windows_next_region(&at, end, &view) || view.type != MEM_MAPPED)
        return -ENOTSUP;
    DWORD protection = acre_windows_as_copying(view.protection);
    while (acre_windows_next_region(&at, end, &more)) {
        if (more.allocation != view.allocation ||
            acre_windows_as_copying(more.protection) != protection)
            return -ENOTSUP;
    }
    view.length = length;
    if (!is_whole_allocation(&view) || unmap_view(start, WINDOWS_PRESERVE_PLACEHOLDER) != ACRE_OK)
        return -ENOTSUP;

    windows_piece piece = {
        .section = record->section,
        .offset = map->offset + (uint64_t)((char *)start - (char *)map->base),
        .size = length,
        .bytes = length,
        .protection = acre_windows_most(PAGE_EXECUTE_WRITECOPY),
    };
    acre_status status = make_piece(&piece, start, 1);
    if (status != ACRE_OK) {
        (void)fill_with_memory(start, length, 0);
        return status;
    }
    if (protection != piece.protection)
        status = sys_protect(start, length, protection);
    if (status == ACRE_OK && map->flags & ACRE_MAP_LOCKED && protection != PAGE_NOACCESS)
        status = acre_windows_lock(start, length);
    return status;
}

#endif  // ACRE_ON_WINDOWS
