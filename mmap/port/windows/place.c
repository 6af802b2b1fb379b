// Windows: where maps lie, how they are built, and how their addresses are released.
//
// 1. With placeholders (Windows 10), addresses are held from the moment they are chosen.  The
//    placeholder is cut where the pieces of a map meet, and each part is replaced by its piece, so
//    no other thread can get in between.
// 2. Without them, a free place is found and released, and the pieces are mapped there one by one.
//    If another thread was faster, all is undone and tried again, a bounded number of times.
// 3. Memory made from a placeholder, or a part of it, can become a placeholder again, and so can a
//    whole view.  So a range inside one of acre's maps can be replaced, if it has no view in part.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

typedef void *(WINAPI *map_view_3)(HANDLE, HANDLE, void *, ULONG64, SIZE_T, ULONG, ULONG, void *,
                                   ULONG);
typedef BOOL(WINAPI *unmap_view_2)(HANDLE, void *, ULONG);

acre_status
acre_windows_unmap_view(void *base, DWORD flags)
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

acre_status
acre_windows_fill(void *base, size_t size, uint32_t node_plus_one)
{
    void *filled;
    return acre_windows_alloc_2(base, size, MEM_RESERVE | WINDOWS_REPLACE_PLACEHOLDER,
                                PAGE_READWRITE, node_plus_one, &filled);
}

// ---- giving back --------------------------------------------------------------------------------

static acre_status
retire_view(const windows_region *part)
{
    // This works for whole views of placeholders; the system refuses it for any other view.
    if (part->start == part->allocation &&
        acre_windows_unmap_view(part->start, WINDOWS_PRESERVE_PLACEHOLDER) == ACRE_OK)
        return acre_windows_fill(part->start, part->length, 0);
    return sys_protect(part->start, part->length, PAGE_NOACCESS);
}

static acre_status
retire_part(const windows_region *part)
{
    if (part->type == MEM_PRIVATE)
        return sys_free(part->start, part->length, MEM_DECOMMIT);
    return acre_windows_is_whole_allocation(part)
               ? retire_view(part)
               : sys_protect(part->start, part->length, PAGE_NOACCESS);
}

acre_status
acre_windows_retire(void *start, size_t length)
{
    windows_region part;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (acre_windows_next_allocation(&at, end, &part)) {
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
    while (acre_windows_next_allocation(&at, start + size, &part)) {
        if (part.state == MEM_FREE)
            continue;
        acre_status released;
        if (!acre_windows_is_whole_allocation(&part))
            released = retire_part(&part);
        else if (part.type == MEM_PRIVATE)
            released = sys_free(part.start, 0, MEM_RELEASE);
        else
            released = acre_windows_unmap_view(part.start, 0);
        if (released != ACRE_OK)
            status = released;
    }
    return status;
}

// Takes out of use what a map has, but for what newer maps have in its place.
static acre_status
retire_owned(const windows_record *record, void *start, size_t length)
{
    windows_span span;
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    acre_status status = ACRE_OK;
    while (status == ACRE_OK && acre_windows_next_owned(record, &at, end, &span))
        status = acre_windows_retire(span.start, span.length);
    return status;
}

// Gives up the place of a map whose last part is gone.
static acre_status
leave_place(windows_record *record, uintptr_t start, size_t size)
{
    if (record->parent == NULL)
        return release_range(start, size);
    // It was put in place of another, and never complete.
    if (record->displaced != NULL) {
        // It no longer owns the place.
        atomic_store_explicit(&record->start, 0, memory_order_relaxed);
        acre_windows_put_back(record->displaced);
        record->displaced = NULL;
        return ACRE_OK;
    }
    return retire_owned(record, (void *)start, size);
}

void
acre_windows_settle(acre_mmap *map)
{
    windows_record *record = windows_record_of(map);
    acre_windows_displaced_drop(record->displaced);
    record->displaced = NULL;
}

acre_status
acre_port_unmap(acre_mmap *map)
{
    windows_record *record = windows_record_of(map);
    if (record == NULL)
        return release_range((uintptr_t)map->base, map->size);

    // Take the range out of use before counting: when the count reaches zero, no thread is still
    // working on it.
    if (atomic_load_explicit(&record->live, memory_order_acquire) != map->size) {
        acre_status status = ACRE_OK;
        // Large pages are released with the last part, and may refuse another access until then.
        if (map->flags & ACRE_MAP_HUGE)
            (void)acre_windows_hide(map->base, map->size);
        else
            status = retire_owned(record, map->base, map->size);
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
        acre_status status = leave_place(record, start, gone);
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

static acre_status
map_view(const windows_piece *piece, size_t bytes, char *base, int placeholder)
{
    map_view_3 call = (map_view_3)acre_windows_newer(NEWER_MAP_VIEW_3);
    DWORD saved = GetLastError();
    void *view =
        placeholder && call != NULL
            ? call(piece->section, GetCurrentProcess(), base, piece->offset, bytes,
                   WINDOWS_REPLACE_PLACEHOLDER, piece->protection, NULL, 0)
            : MapViewOfFileEx(piece->section, view_access(piece->protection),
                              (DWORD)(piece->offset >> 32), (DWORD)piece->offset, bytes, base);
    return status_of(view != NULL, saved);
}

acre_status
acre_windows_make_view(const windows_piece *piece, char *base, int placeholder)
{
    acre_status status = map_view(piece, piece->bytes, base, placeholder);
    // Of a file that ends within a page, the manual wants whole pages in place of a placeholder,
    // but systems were seen that want the bytes that there are.
    int other = status != ACRE_OK && placeholder && piece->bytes != piece->size;
    return other && map_view(piece, piece->size, base, placeholder) == ACRE_OK ? ACRE_OK : status;
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
        return placeholder ? acre_windows_fill(base, piece->size, piece->node_plus_one)
                           : reserve_memory(base, piece->size, piece->node_plus_one);
    }
    return acre_windows_make_view(piece, base, placeholder);
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

static acre_status
build_in_place(const port_request *request, const windows_piece *pieces, size_t count, size_t size,
               windows_record *record)
{
    acre_status status =
        acre_windows_displace((uintptr_t)request->address, size, &record->displaced);
    if (status != ACRE_OK)
        return status;
    status = make_pieces(pieces, count, request->address, size);
    if (status != ACRE_OK) {
        acre_windows_put_back(record->displaced);
        record->displaced = NULL;
        return status;
    }
    record->order = acre_windows_record_order();
    atomic_fetch_add_explicit(&record->parent->live, size, memory_order_relaxed);
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
               windows_record *record, size_t *size, void **base)
{
    *size = 0;
    for (size_t i = 0; i < count; i++)
        *size += pieces[i].size;
    int placeholders = acre_port_can(ACRE_CAN_REPLACE);
    if (request->flags & ACRE_MAP_REPLACE &&
        !acre_windows_is_free((uintptr_t)request->address, *size)) {
        record->parent = acre_windows_record_around((uintptr_t)request->address, *size);
        *base = request->address;
        return record->parent != NULL && placeholders
                   ? build_in_place(request, pieces, count, *size, record)
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
    void *base = NULL;
    size_t size = 0;
    acre_status status = acre_windows_record_take(&record);
    if (status == ACRE_OK) {
        status = build_at_place(request, pieces, count, record, &size, &base);
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
    record->offset = pieces[0].offset;
    record->viewed = pieces[0].bytes;
    record->file = file;
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
    if (!acre_windows_is_whole_allocation(&view) ||
        acre_windows_unmap_view(start, WINDOWS_PRESERVE_PLACEHOLDER) != ACRE_OK)
        return -ENOTSUP;

    windows_piece piece = {
        .section = record->section,
        .offset = map->offset + (uint64_t)((char *)start - (char *)map->base),
        .size = length,
        .bytes = length,
        .protection = view.first_protection,
    };
    acre_status status = acre_windows_make_view(&piece, start, 1);
    if (status != ACRE_OK) {
        (void)acre_windows_fill(start, length, 0);
        return status;
    }
    if (protection != piece.protection)
        status = sys_protect(start, length, protection);
    if (status == ACRE_OK && map->flags & ACRE_MAP_LOCKED && protection != PAGE_NOACCESS)
        status = acre_windows_lock(start, length);
    return status;
}

#endif  // ACRE_ON_WINDOWS
