// macOS and iOS: rings and twins, which show one memory entry twice; images and their clones.
//
// An image is memory that was filled and then lost its write access; clones are copies of its map,
// which share the pages until they are written.  So an image is out of reach rather than sealed.
#include "mmap/port_darwin.h"

// Memory without a place, for several maps; the entry is to be given back when they are made.
static acre_status
make_entry(size_t size, vm_prot_t most, mem_entry_name_port_t *entry)
{
    memory_object_size_t got = size;
    kern_return_t result = mach_make_memory_entry_64(
        mach_task_self(), &got, 0, MAP_MEM_NAMED_CREATE | most, entry, MACH_PORT_NULL);
    if (result == KERN_SUCCESS && got < size) {
        (void)mach_port_deallocate(mach_task_self(), *entry);
        return -ENOMEM;
    }
    // What is too large for an object is told as a failure and no more.
    return result == KERN_FAILURE ? -ENOMEM : darwin_status(result);
}

static void
drop_entry(mem_entry_name_port_t entry)
{
    (void)mach_port_deallocate(mach_task_self(), entry);  // ours: nothing can refuse
}

// ---- ring ---------------------------------------------------------------------------------------

static acre_status
map_views(const port_request *request, mem_entry_name_port_t entry, char *base)
{
    acre_status status = ACRE_OK;
    for (size_t i = 0; i < 2 && status == ACRE_OK; i++) {
        port_request view = *request;
        void *mapped;
        view.address = base + i * request->size;
        view.alignment = port_page_size();
        view.access = ACRE_READ_WRITE;
        view.flags = (request->flags & ACRE_MAP_DONT_FORK) | ACRE_IS_RING | ACRE_MAP_REPLACE;
        status = darwin_map_memory(&view, entry, &mapped);
    }
    return status;
}

acre_status
port_ring(const port_request *request, acre_mmap *out)
{
    if (request->flags & (bsd_refused_flags | ACRE_MAP_HUGE))
        return -ENOTSUP;
    mem_entry_name_port_t entry;
    acre_status status = make_entry(request->size, VM_PROT_READ | VM_PROT_WRITE, &entry);
    if (status != ACRE_OK)
        return status;

    port_request whole = *request;
    whole.size = 2 * request->size;
    whole.access = ACRE_READ_WRITE;
    port_request room = whole;
    room.flags = (request->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RESERVATION;
    void *base = NULL;
    status = darwin_map_memory(&room, MACH_PORT_NULL, &base);
    if (status != ACRE_OK) {
        drop_entry(entry);
        return status;
    }
    uint32_t flags =
        (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RING;
    status = map_views(request, entry, base);
    drop_entry(entry);
    if (status == ACRE_OK)
        status = bsd_prepare(&whole, base, &flags);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, whole.size);
        return status;
    }
    out->base = base;
    out->flags = flags;
    return ACRE_OK;
}

// ---- twin ---------------------------------------------------------------------------------------

static acre_status
map_twin(const port_request *request, mem_entry_name_port_t entry, uint32_t access, acre_mmap *out)
{
    port_request half = *request;
    half.access = access;
    half.flags |= ACRE_IS_TWIN;
    uint32_t flags =
        (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_TWIN;
    // The place is that of the executable one; the other lies wherever it is not in the way.
    if (access & ACRE_WRITE) {
        half.flags &= ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
        half.address = NULL;
        half.alignment = half.page_size;
    }
    void *base = NULL;
    acre_status status = darwin_map_memory(&half, entry, &base);
    if (status != ACRE_OK)
        return status;
    status = bsd_prepare(&half, base, &flags);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, request->size);
        return status;
    }
    out->base = base;
    out->flags = flags;
    return ACRE_OK;
}

// Near an address: addresses are found and held first, and then mapped over.
static acre_status
map_exec_twin(const port_request *request, mem_entry_name_port_t entry, acre_mmap *out)
{
    if (request->reach == 0)
        return map_twin(request, entry, ACRE_READ_EXEC, out);
    port_request room = *request;
    room.flags = ACRE_IS_RESERVATION;
    void *base = NULL;
    acre_status status = bsd_map_near(&room, &base);
    if (status != ACRE_OK)
        return status;
    port_request there = *request;
    there.address = base;
    there.flags |= ACRE_MAP_REPLACE;
    status = map_twin(&there, entry, ACRE_READ_EXEC, out);
    if (status != ACRE_OK)
        (void)sys_munmap(base, request->size);
    return status;
}

acre_status
port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec)
{
    if (request->flags & bsd_refused_flags)
        return -ENOTSUP;
    mem_entry_name_port_t entry;
    acre_status status = make_entry(request->size, VM_PROT_ALL, &entry);
    if (status != ACRE_OK)
        return status;
    // The executable one first: the other must not lie in the place that is asked for.
    status = map_exec_twin(request, entry, exec);
    if (status == ACRE_OK) {
        status = map_twin(request, entry, ACRE_READ_WRITE, write);
        if (status != ACRE_OK)
            (void)sys_munmap(exec->base, request->size);
    }
    drop_entry(entry);
    return status;
}

// ---- images -------------------------------------------------------------------------------------

acre_status
port_image_begin(size_t size, acre_file *file, acre_mmap *fill)
{
    port_request request = {
        .size = size,
        .alignment = port_page_size(),
        .page_size = port_page_size(),
        .access = ACRE_READ_WRITE,
        .flags = ACRE_MAP_DONT_FORK,
    };
    void *base = NULL;
    acre_status status = darwin_map_memory(&request, MACH_PORT_NULL, &base);
    if (status != ACRE_OK)
        return status;
    bsd_image *image;
    status = bsd_image_make(size, (uintptr_t)base, &image);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, size);
        return status;
    }
    bsd_image_hold(image, size);
    *file = (acre_file)(uintptr_t)image;
    fill->base = base;
    fill->backing = (uintptr_t)image;
    fill->flags = ACRE_IS_FILE | ACRE_MAP_SHARED | ACRE_MAP_DONT_FORK;
    return ACRE_OK;
}

static void
let_go(bsd_image *image, size_t bytes)
{
    bsd_image last;
    if (bsd_image_release(image, bytes, &last))
        (void)sys_munmap((void *)last.source, last.size);  // a whole map: nothing can refuse
}

// Unmapping what an image is filled through leaves the pages there, without write access: they are
// the image.
acre_status
port_unmap(acre_mmap *map)
{
    bsd_image *image = (bsd_image *)map->backing;
    acre_status status = image != NULL && map->flags & ACRE_IS_FILE
                             ? sys_mprotect(map->base, map->size, PROT_READ)
                             : sys_munmap(map->base, map->size);
    if (status == ACRE_OK && image != NULL)
        let_go(image, map->size);
    return status;
}

acre_status
port_image_seal(acre_file file)
{
    // From here on the children of a fork have it, too: their clones are reset from it.
    bsd_image *image = bsd_image_of(file);
    return sys_minherit((void *)image->source, image->size, VM_INHERIT_COPY);
}

acre_status
port_image_close(acre_file file)
{
    bsd_image *image = bsd_image_of(file);
    let_go(image, image->size);
    return ACRE_OK;
}
