// FreeBSD: memory as an unnamed file, for rings and twins; images.
//
// memfd_create (13.0) makes a file that can be sealed; older systems have shm_open(SHM_ANON).
// Clones are private maps of an image's file, which stays open until the last clone is gone: their
// pages are reset from it.
#include "mmap/port/system.h"

#if ACRE_ON_FREEBSD

#include "mmap/port/freebsd/freebsd.h"

// A weak reference, so that programs still start on systems without it.
#pragma weak memfd_create

int
acre_freebsd_memory_object(uint64_t size, int sealable)
{
    int saved = errno;
    int file = memfd_create != NULL
                   ? memfd_create("acre", MFD_CLOEXEC | (sealable ? MFD_ALLOW_SEALING : 0))
                   : shm_open(SHM_ANON, O_RDWR, 0600);  // always closed on exec, takes no such flag
    if (file == -1)
        return status_of(-1, saved);
    if (ftruncate(file, (off_t)size) == 0) {
        errno = saved;
        return file;
    }
    acre_status status = status_of(-1, saved);
    sys_close(file);
    return status;
}

acre_status
acre_bsd_make_object(size_t size, uint32_t access, uintptr_t *object)
{
    (void)access;  // maps of a file may have any access
    int file = acre_freebsd_memory_object(size, 0);
    if (file < 0)
        return file;
    *object = (uintptr_t)file;
    return ACRE_OK;
}

void
acre_bsd_drop_object(uintptr_t object)
{
    sys_close((int)object);
}

acre_status
acre_bsd_map_object(const port_request *request, uintptr_t object, void **base)
{
    port_request view = *request;
    view.file = (acre_file)object;
    view.offset = 0;
    view.flags &= ~(uint32_t)(ACRE_IS_RING | ACRE_IS_TWIN);
    view.flags |= ACRE_IS_FILE | ACRE_MAP_SHARED;
    return acre_bsd_map(&view, base);
}

// ---- images -------------------------------------------------------------------------------------

acre_status
acre_port_image_begin(size_t size, acre_file *file, acre_mmap *fill)
{
    int opened = acre_freebsd_memory_object(size, 1);
    if (opened < 0)
        return opened;
    bsd_image *image;
    acre_status status = acre_bsd_image_make(size, (uintptr_t)opened, &image);
    if (status != ACRE_OK) {
        sys_close(opened);
        return status;
    }
    // A child with a writable map of the image would prevent it from being sealed.
    port_request request = {
        .file = opened,
        .size = size,
        .alignment = acre_port_page_size(),
        .page_size = acre_port_page_size(),
        .access = ACRE_READ_WRITE,
        .flags = ACRE_IS_FILE | ACRE_MAP_SHARED | ACRE_MAP_DONT_FORK,
    };
    status = acre_port_map(&request, fill);
    if (status != ACRE_OK) {
        (void)acre_port_image_close((acre_file)(uintptr_t)image);
        return status;
    }
    *file = (acre_file)(uintptr_t)image;
    return ACRE_OK;
}

acre_status
acre_port_image_seal(acre_file file)
{
    if (!acre_port_can(ACRE_CAN_SEAL_IMAGES))
        return ACRE_OK;  // out of reach, except through its descriptor
    int saved = errno;
    return status_of(fcntl((int)bsd_image_of(file)->source, F_ADD_SEALS,
                           F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
                     saved);
}

acre_status
acre_port_image_close(acre_file file)
{
    bsd_image *image = bsd_image_of(file);
    bsd_image last;
    if (acre_bsd_image_release(image, image->size, &last))
        sys_close((int)last.source);
    return ACRE_OK;
}

#endif  // ACRE_ON_FREEBSD
