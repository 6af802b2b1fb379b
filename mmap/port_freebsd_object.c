// FreeBSD: maps of memory that is a file without a name: rings, twins, images.
//
// memfd_create (13.0) makes one that can be sealed; before there was shm_open(SHM_ANON).  Clones
// are private maps of an image's file, which stays open until the last of them is gone: it is what
// their pages are reset from.
#include "mmap/port_freebsd.h"

// Only looked for, so that programs still start on systems without it.
#pragma weak memfd_create

int
freebsd_memory_object(uint64_t size, int sealable)
{
    int saved = errno;
    int file =
        memfd_create != NULL
            ? memfd_create("acre", MFD_CLOEXEC | (sealable ? MFD_ALLOW_SEALING : 0))
            : shm_open(SHM_ANON, O_RDWR, 0600);  // closed on exec, and takes no flag for that
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

// ---- ring ---------------------------------------------------------------------------------------

static acre_status
map_views(const port_request *request, int file, char *base)
{
    acre_status status = ACRE_OK;
    for (size_t i = 0; i < 2 && status == ACRE_OK; i++) {
        port_request view = *request;
        void *mapped;
        view.address = base + i * request->size;
        view.alignment = port_page_size();
        view.file = file;
        view.offset = 0;
        view.access = ACRE_READ_WRITE;
        view.flags = (request->flags & (ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK)) | ACRE_IS_FILE |
                     ACRE_MAP_SHARED | ACRE_MAP_REPLACE;
        status = bsd_map(&view, &mapped);
    }
    return status;
}

acre_status
port_ring(const port_request *request, acre_mmap *out)
{
    if (request->flags & bsd_refused_flags)
        return -ENOTSUP;
    int file = freebsd_memory_object(request->size, 0);
    if (file < 0)
        return file;

    port_request whole = *request;
    whole.size = 2 * request->size;
    whole.access = ACRE_READ_WRITE;
    port_request room = whole;
    room.flags = (request->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RESERVATION;
    void *base = NULL;
    acre_status status = bsd_map(&room, &base);
    if (status != ACRE_OK) {
        sys_close(file);
        return status;
    }
    uint32_t flags =
        (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RING;
    status = map_views(request, file, base);
    sys_close(file);
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
map_twin(const port_request *request, int file, uint32_t access, acre_mmap *out)
{
    port_request half = *request;
    half.file = file;
    half.access = access;
    half.flags |= ACRE_IS_FILE | ACRE_MAP_SHARED;
    // The place is that of the executable one; the other lies wherever it is not in the way.
    if (access & ACRE_WRITE) {
        half.flags &= ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
        half.address = NULL;
        half.alignment = half.page_size;
        half.reach = 0;
    }
    uint32_t flags =
        (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_TWIN;
    void *base = NULL;
    acre_status status = bsd_map(&half, &base);
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

acre_status
port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec)
{
    if (request->flags & bsd_refused_flags)
        return -ENOTSUP;
    int file = freebsd_memory_object(request->size, 0);
    if (file < 0)
        return file;
    // The executable one first: the other must not lie in the place that is asked for.
    acre_status status = map_twin(request, file, ACRE_READ_EXEC, exec);
    if (status == ACRE_OK) {
        status = map_twin(request, file, ACRE_READ_WRITE, write);
        if (status != ACRE_OK)
            (void)sys_munmap(exec->base, request->size);
    }
    sys_close(file);
    return status;
}

// ---- images -------------------------------------------------------------------------------------

acre_status
port_image_begin(size_t size, acre_file *file, acre_mmap *fill)
{
    int opened = freebsd_memory_object(size, 1);
    if (opened < 0)
        return opened;
    bsd_image *image;
    acre_status status = bsd_image_make(size, (uintptr_t)opened, &image);
    if (status != ACRE_OK) {
        sys_close(opened);
        return status;
    }
    // A child that held a writable map of it would keep the image from being sealed.
    port_request request = {
        .file = opened,
        .size = size,
        .alignment = port_page_size(),
        .page_size = port_page_size(),
        .access = ACRE_READ_WRITE,
        .flags = ACRE_IS_FILE | ACRE_MAP_SHARED | ACRE_MAP_DONT_FORK,
    };
    status = port_map(&request, fill);
    if (status != ACRE_OK) {
        (void)port_image_close((acre_file)(uintptr_t)image);
        return status;
    }
    *file = (acre_file)(uintptr_t)image;
    return ACRE_OK;
}

acre_status
port_image_seal(acre_file file)
{
    if (!port_can(ACRE_CAN_SEAL_IMAGES))
        return ACRE_OK;  // out of reach, but for those who look for the descriptor
    int saved = errno;
    return status_of(fcntl((int)bsd_image_of(file)->source, F_ADD_SEALS,
                           F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
                     saved);
}

acre_status
port_image_close(acre_file file)
{
    bsd_image *image = bsd_image_of(file);
    bsd_image last;
    if (bsd_image_release(image, image->size, &last))
        sys_close((int)last.source);
    return ACRE_OK;
}
