// macOS and iOS: memory entries, which rings and twins map twice; images and their clones.
//
// An image is memory that was filled and then lost its write access; clones are copies of its map,
// which share the pages until they are written.  So an image is out of reach, not sealed.
#include "mmap/port/system.h"

#if ACRE_ON_DARWIN

#include "mmap/port/darwin/darwin.h"

// ---- memory entries -----------------------------------------------------------------------------

acre_status
acre_bsd_make_object(size_t size, uint32_t access, uintptr_t *object)
{
    memory_object_size_t got = size;
    mem_entry_name_port_t entry;
    kern_return_t result = mach_make_memory_entry_64(
        mach_task_self(), &got, 0, MAP_MEM_NAMED_CREATE | posix_protection(access), &entry,
        MACH_PORT_NULL);
    if (result == KERN_SUCCESS)
        *object = entry;
    if (result == KERN_SUCCESS && got < size) {
        acre_bsd_drop_object(entry);
        return -ENOMEM;
    }
    // For too large an object, the kernel reports only KERN_FAILURE.
    return result == KERN_FAILURE ? -ENOMEM : acre_darwin_status(result);
}

void
acre_bsd_drop_object(uintptr_t object)
{
    // The port is ours: this cannot fail.
    (void)mach_port_deallocate(mach_task_self(), (mem_entry_name_port_t)object);
}

// To map near an address, addresses are found and held first, and then mapped over.
acre_status
acre_bsd_map_object(const port_request *request, uintptr_t object, void **base)
{
    if (request->reach == 0)
        return acre_darwin_map_memory(request, (mem_entry_name_port_t)object, base);
    port_request room = *request;
    room.flags = ACRE_IS_RESERVATION;
    void *held = NULL;
    acre_status status = acre_bsd_map_near(&room, &held);
    if (status != ACRE_OK)
        return status;
    port_request there = *request;
    there.address = held;
    there.flags |= ACRE_MAP_REPLACE;
    status = acre_darwin_map_memory(&there, (mem_entry_name_port_t)object, base);
    if (status != ACRE_OK)
        (void)sys_munmap(held, request->size);
    return status;
}

// ---- images -------------------------------------------------------------------------------------

acre_status
acre_port_image_begin(size_t size, acre_file *file, acre_mmap *fill)
{
    port_request request = {
        .size = size,
        .alignment = acre_port_page_size(),
        .page_size = acre_port_page_size(),
        .access = ACRE_READ_WRITE,
        .flags = ACRE_MAP_DONT_FORK,
    };
    void *base = NULL;
    acre_status status = acre_darwin_map_memory(&request, MACH_PORT_NULL, &base);
    if (status != ACRE_OK)
        return status;
    bsd_image *image;
    status = acre_bsd_image_make(size, (uintptr_t)base, &image);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, size);
        return status;
    }
    acre_bsd_image_hold(image, size);
    *file = (acre_file)(uintptr_t)image;
    fill->base = base;
    fill->backing = (uintptr_t)image;
    fill->flags = ACRE_IS_FILE | ACRE_MAP_SHARED | ACRE_MAP_DONT_FORK;
    return ACRE_OK;
}

static void
release_image(bsd_image *image, size_t bytes)
{
    bsd_image last;
    if (acre_bsd_image_release(image, bytes, &last))
        (void)sys_munmap((void *)last.source, last.size);  // a whole map: cannot fail
}

// Unmapping the map that fills an image leaves the pages in place, without write access: they are
// the image.
acre_status
acre_port_unmap(acre_mmap *map)
{
    bsd_image *image = (bsd_image *)map->backing;
    acre_status status = image != NULL && map->flags & ACRE_IS_FILE
                             ? sys_mprotect(map->base, map->size, PROT_READ)
                             : sys_munmap(map->base, map->size);
    if (status == ACRE_OK && image != NULL)
        release_image(image, map->size);
    return status;
}

acre_status
acre_port_image_seal(acre_file file)
{
    // From here on, a fork's children have it, too: their clones are reset from it.
    bsd_image *image = bsd_image_of(file);
    return sys_minherit((void *)image->source, image->size, VM_INHERIT_COPY);
}

acre_status
acre_port_image_close(acre_file file)
{
    bsd_image *image = bsd_image_of(file);
    release_image(image, image->size);
    return ACRE_OK;
}

#endif  // ACRE_ON_DARWIN
