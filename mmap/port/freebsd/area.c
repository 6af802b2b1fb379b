// FreeBSD: reads what is mapped with the sysctl KERN_PROC_VMMAP.
//
// The sysctl returns all areas of a process at once, as records of different lengths, and cannot
// return just one.  (The library's function for it allocates.)  The records lie in memory of acre's
// own.  The kernel makes one area of neighbours that are alike, so that memory is mapped as no map
// of acre's is (MAP_NOSYNC): a call without a view can leave out just that area.
#include "mmap/port/system.h"

#if ACRE_ON_FREEBSD

#include "mmap/port/freebsd/freebsd.h"

#include <string.h>
#include <sys/param.h>
#include <sys/sysctl.h>
#include <sys/user.h>

typedef struct kinfo_vmentry vmentry;

// A process's records, in memory mapped for them.
typedef struct record_table {
    char *bytes;
    size_t capacity;
    size_t used;
    size_t at;  // offset of the record found last
} record_table;
_Static_assert(sizeof(record_table) <= sizeof(bsd_walk), "a walk holds one");

// ---- records ------------------------------------------------------------------------------------

// Reads the records into `bytes`; if that is NULL, sets *size to roughly the room they need.
static acre_status
read_records(acre_process process, void *bytes, size_t *size)
{
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_VMMAP, process};
    int saved = errno;
    return status_of(sysctl(name, 4, bytes, size, NULL, 0), saved);
}

// Reads the records into the room of `records`; -ENOMEM when it is too small.
static acre_status
fill_table(acre_process process, record_table *records)
{
    size_t size = records->capacity;
    acre_status status = read_records(process, records->bytes, &size);
    records->used = status == ACRE_OK ? size : 0;
    records->at = 0;
    return status;
}

static acre_status
map_room(size_t size, record_table *records)
{
    void *base = NULL;
    acre_status status = sys_mmap(NULL, size, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANON | MAP_NOSYNC, -1, 0, &base);
    if (status == ACRE_OK)
        *records = (record_table){.bytes = base, .capacity = size};
    return status;
}

static void
unmap_room(const record_table *records)
{
    (void)sys_munmap(records->bytes, records->capacity);  // a whole map: cannot fail
}

// Returns a multiple of the page size, with room for areas that are added meanwhile.
static size_t
generous_size(size_t estimate, size_t factor, size_t least)
{
    size_t page = acre_port_page_size();
    size_t size = estimate <= SIZE_MAX / 4 / factor ? estimate * factor + least : SIZE_MAX / 4;
    return (size + page - 1) & ~(page - 1);
}

static acre_status
read_table(acre_process process, record_table *records)
{
    enum { LEAST = 16 * 1024 };
    acre_status status = -ENOMEM;
    for (size_t factor = 2; status == -ENOMEM && factor <= 16; factor *= 2) {
        size_t estimate = 0;
        status = read_records(process, NULL, &estimate);
        if (status == ACRE_OK)
            status = map_room(generous_size(estimate, factor, LEAST), records);
        if (status != ACRE_OK)
            return status;
        status = fill_table(process, records);
        if (status != ACRE_OK)
            unmap_room(records);
    }
    return status;
}

static const vmentry *
record_in_table(const record_table *records, size_t at)
{
    size_t fixed = offsetof(vmentry, kve_path);
    if (at >= records->used || records->used - at < fixed)
        return NULL;
    const vmentry *found = (const void *)(records->bytes + at);
    size_t size = (size_t)found->kve_structsize;
    return size > fixed && size <= records->used - at ? found : NULL;
}

// Finds the record that contains `address`, or the first above it; skips the table's own memory
// unless `whole`.  NULL when there is none.
static const vmentry *
find_record(record_table *records, uintptr_t address, int whole)
{
    const vmentry *found = record_in_table(records, records->at);
    if (found == NULL || found->kve_start > address)
        records->at = 0;
    while ((found = record_in_table(records, records->at)) != NULL &&
           (found->kve_end <= address || (!whole && found->kve_start == (uintptr_t)records->bytes)))
        records->at += (size_t)found->kve_structsize;
    return found;
}

// ---- areas --------------------------------------------------------------------------------------

// Whether the area has no memory object; pages that had contents have one.
static int
has_no_object(const vmentry *found)
{
    enum { GUARD = 9 };  // the headers may be older
    return found->kve_type == KVME_TYPE_NONE || found->kve_type == GUARD;
}

static int
ends_first_stack(const vmentry *found)
{
    int name[2] = {CTL_KERN, KERN_USRSTACK};
    unsigned long top = 0;
    size_t size = sizeof top;
    int saved = errno;
    int told = sysctl(name, 2, &top, &size, NULL, 0) == 0 && size == sizeof top;
    errno = saved;
    return told && found->kve_end == top;
}

static acre_status
describe_area(const vmentry *found, int own, acre_area *out)
{
    if (found->kve_end - 1 > UINTPTR_MAX)
        return -EOVERFLOW;  // a process with wider addresses
    acre_area area = {
        .start = (uintptr_t)found->kve_start,
        .end = (uintptr_t)found->kve_end,
        .allocation_base = (uintptr_t)found->kve_start,
        .page_size = acre_port_page_size(),
        .access = (found->kve_protection & KVME_PROT_READ ? ACRE_READ : 0u) |
                  (found->kve_protection & KVME_PROT_WRITE ? ACRE_WRITE : 0u) |
                  (found->kve_protection & KVME_PROT_EXEC ? ACRE_EXEC : 0u),
    };
    if (found->kve_type == KVME_TYPE_VNODE || found->kve_type == KVME_TYPE_DEVICE) {
        area.flags |= ACRE_AREA_FILE | (found->kve_flags & KVME_FLAG_COW ? 0 : ACRE_AREA_SHARED);
        area.file_offset = found->kve_offset;
        area.device = found->kve_vn_fsid;
        area.inode = found->kve_vn_fileid;
        if (found->kve_path[0] != 0)
            area.path = found->kve_path;
    } else if (found->kve_path[0] != 0) {
        area.name = found->kve_path;  // shared memory
    }
    if (found->kve_flags & KVME_FLAG_GROWS_DOWN) {
        area.name = "stack";
        area.flags |= own && ends_first_stack(found) ? ACRE_AREA_STACK : 0;
    }
    if (area.access == ACRE_NONE && has_no_object(found))
        area.flags |= ACRE_AREA_RESERVED;
    *out = area;
    return ACRE_OK;
}

acre_status
acre_bsd_walk_begin(bsd_walk *walk)
{
    record_table records;
    acre_status status = read_table(acre_port_process_id(), &records);
    if (status == ACRE_OK)
        memcpy(walk, &records, sizeof records);
    return status;
}

acre_status
acre_bsd_walk_next(bsd_walk *walk, uintptr_t address, acre_area *out)
{
    record_table records;
    memcpy(&records, walk, sizeof records);
    const vmentry *found = find_record(&records, address, 0);
    memcpy(walk, &records, sizeof records);
    if (found == NULL)
        return 0;
    acre_status status = describe_area(found, 1, out);
    if (status != ACRE_OK)
        return status;
    out->flags |= has_no_object(found) ? BSD_AREA_UNTOUCHED : 0;
    return 1;
}

void
acre_bsd_walk_end(bsd_walk *walk)
{
    record_table records;
    memcpy(&records, walk, sizeof records);
    unmap_room(&records);
}

acre_status
acre_port_area_at(uintptr_t address, acre_area *out)
{
    bsd_walk walk;
    acre_area area;
    acre_status status = acre_bsd_walk_begin(&walk);
    if (status != ACRE_OK)
        return status;
    status = acre_bsd_walk_next(&walk, address, &area);
    acre_bsd_walk_end(&walk);
    if (status < 0)
        return status;
    if (status == 0 || area.start > address)
        return ACRE_NOT_MAPPED;
    area.path = NULL;
    area.name = NULL;
    area.flags &= ~(uint32_t)BSD_AREA_UNTOUCHED;
    *out = area;
    return ACRE_OK;
}

acre_status
acre_port_area_count(uint64_t *out)
{
    record_table records;
    acre_status status = read_table(acre_port_process_id(), &records);
    if (status != ACRE_OK)
        return status;
    uint64_t count = 0;
    const vmentry *found;
    for (size_t at = 0; (found = record_in_table(&records, at)) != NULL;
         at += (size_t)found->kve_structsize)
        count += found->kve_start != (uintptr_t)records.bytes;
    unmap_room(&records);
    *out = count;
    return ACRE_OK;
}

int
acre_freebsd_is_mapped(const void *start, size_t length)
{
    record_table records;
    acre_status status = read_table(acre_port_process_id(), &records);
    if (status != ACRE_OK)
        return status;
    const vmentry *found = find_record(&records, (uintptr_t)start, 0);
    int mapped = found != NULL && found->kve_start < (uintptr_t)start + length;
    unmap_room(&records);
    return mapped;
}

int
acre_bsd_open_again(const void *address)
{
    record_table records;
    acre_status status = read_table(acre_port_process_id(), &records);
    if (status != ACRE_OK)
        return status;
    const vmentry *found = find_record(&records, (uintptr_t)address, 0);
    int file = -ENOTSUP;
    if (found != NULL && found->kve_start <= (uintptr_t)address &&
        found->kve_type == KVME_TYPE_VNODE && found->kve_path[0] != 0)
        file = acre_bsd_open_same(found->kve_path, found->kve_vn_fsid, found->kve_vn_fileid);
    unmap_room(&records);
    return file;
}

int
acre_bsd_is_locked(const void *start, size_t length)
{
    record_table records;
    acre_status status = read_table(acre_port_process_id(), &records);
    if (status != ACRE_OK)
        return status;
    int locked = 0;
    uintptr_t end = (uintptr_t)start + length;
    const vmentry *found = find_record(&records, (uintptr_t)start, 0);
    while (found != NULL && found->kve_start < end && !locked) {
        locked = (found->kve_flags & KVME_FLAG_USER_WIRED) != 0;
        found = find_record(&records, (uintptr_t)found->kve_end, 0);
    }
    unmap_room(&records);
    return locked;
}

// ---- views --------------------------------------------------------------------------------------

// The view's room holds two tables: one that `next` goes through, and one for the last query.
struct port_view {
    acre_process process;
    int loaded;
    uintptr_t position;
    record_table next, queried;
};
_Static_assert(sizeof(struct port_view) <= PORT_VIEW_SIZE, "the state fits");

acre_status
acre_port_view_open(port_view *view, acre_process process, uintptr_t handle[2])
{
    enum { LEAST = 1024 * 1024, FACTOR = 4 };  // room for what is mapped while the view is open
    if (process < 0)
        return -ESRCH;
    view->process = process == 0 ? acre_port_process_id() : process;
    size_t estimate = 0;
    acre_status status = read_records(view->process, NULL, &estimate);
    if (status != ACRE_OK)
        return status;
    size_t half = generous_size(estimate, FACTOR, LEAST);
    record_table room;
    status = map_room(2 * half, &room);
    if (status != ACRE_OK)
        return status;
    view->next = (record_table){.bytes = room.bytes, .capacity = half};
    view->queried = (record_table){.bytes = room.bytes + half, .capacity = half};
    handle[0] = (uintptr_t)room.bytes;
    handle[1] = room.capacity;
    return ACRE_OK;
}

void
acre_port_view_close(const uintptr_t handle[2])
{
    record_table room = {.bytes = (char *)handle[0], .capacity = handle[1]};
    unmap_room(&room);
}

acre_status
acre_port_view_next(port_view *view, acre_area *out)
{
    if (!view->loaded) {
        acre_status status = fill_table(view->process, &view->next);
        if (status != ACRE_OK)
            return status;
        view->loaded = 1;
    }
    const vmentry *found = find_record(&view->next, view->position, 1);
    if (found == NULL) {
        size_t size = 0;
        return read_records(view->process, NULL, &size);  // whether the process still exists
    }
    acre_status status = describe_area(found, view->process == acre_port_process_id(), out);
    if (status != ACRE_OK)
        return status;
    view->position = out->end;
    return 1;
}

acre_status
acre_port_view_seek(port_view *view, uintptr_t address)
{
    acre_status status = fill_table(view->process, &view->next);
    if (status != ACRE_OK)
        return status;
    view->loaded = 1;
    view->position = address;
    return ACRE_OK;
}

acre_status
acre_port_view_query(port_view *view, uintptr_t address, acre_area *out)
{
    acre_status status = fill_table(view->process, &view->queried);
    if (status != ACRE_OK)
        return status;
    const vmentry *found = find_record(&view->queried, address, 1);
    if (found == NULL || found->kve_start > address)
        return ACRE_NOT_MAPPED;
    return describe_area(found, view->process == acre_port_process_id(), out);
}

#endif  // ACRE_ON_FREEBSD
