// Linux: maps of memory that is an object of its own (memfd): rings, twins, images.
#include "mmap/port_linux.h"

#include <linux/memfd.h>

int
linux_memory_object(const char *name, uint64_t size, size_t huge)
{
    enum { NOEXEC_SEAL = 8 };  // 6.3: without it the kernel complains in its log, or refuses
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    if (huge != 0)
        flags |= MFD_HUGETLB | (unsigned)__builtin_ctzll(huge) << LINUX_MAP_HUGE_SHIFT;
    int saved = errno;
    long file = syscall(SYS_memfd_create, name, flags | NOEXEC_SEAL);
    if (file == -1 && errno == EINVAL)
        file = syscall(SYS_memfd_create, name, flags);
    if (file == -1)
        return status_of(-1, saved);
    if (ftruncate((int)file, (off_t)size) == 0) {
        errno = saved;
        return (int)file;
    }
    acre_status status = status_of(-1, saved);
    sys_close((int)file);
    return status;
}

// Objects carry the name themselves; one that the kernel refuses, as too long, was a wish.
static int
open_object(const port_request *request, size_t huge, uint32_t *named)
{
    *named = request->name != NULL ? ACRE_GOT_NAME : 0;
    int file = *named ? linux_memory_object(request->name, request->size, huge) : -EINVAL;
    if (file != -EINVAL)
        return file;
    *named = 0;
    return linux_memory_object("acre", request->size, huge);
}

// ---- ring ---------------------------------------------------------------------------------------

// Both views of `file` at `base`, in place of what is there.
static acre_status
map_views(const port_request *request, int file, char *base)
{
    size_t lap = request->size;
    int stack = request->flags & ACRE_MAP_STACK ? MAP_STACK : 0;
    acre_status status = ACRE_OK;
    for (size_t i = 0; i < 2 && status == ACRE_OK; i++) {
        void *view;
        status = sys_mmap(base + i * lap, lap, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_FIXED | stack, file, 0, &view);
    }
    return linux_explain(status);
}

// Off the place that the views will be moved to, at a multiple of their page size.
static acre_status
hold_apart(const port_request *request, void **base)
{
    size_t size = 2 * request->size;
    void *found = NULL;
    acre_status status = linux_hold(size, request->page_size, NULL, &found);
    if (status != ACRE_OK || !linux_overlap(found, request->address, size)) {
        *base = found;
        return status;
    }
    status = hold_apart(request, base);
    (void)sys_munmap(found, size);
    return status;
}

static acre_status
hold_room(const port_request *request, void **base)
{
    size_t size = 2 * request->size;
    if (request->flags & ACRE_MAP_REPLACE)
        return hold_apart(request, base);
    if ((request->flags & ACRE_MAP_FIXED) == 0)
        return linux_hold(size, request->alignment, request->address, base);
    port_request room = {
        .address = request->address,
        .size = size,
        .alignment = request->alignment,
        .page_size = port_page_size(),
        .flags = ACRE_IS_RESERVATION | ACRE_MAP_FIXED,
    };
    uint32_t granted;
    return linux_build(&room, base, &granted);
}

// From where they were built; nothing of them is left when that is refused.
static acre_status
move_views(char *base, size_t lap, char *target, size_t huge)
{
    acre_status status = linux_move(base, lap, target, huge, ACRE_READ_WRITE);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, 2 * lap);
        return status;
    }
    status = linux_move(base + lap, lap, target + lap, huge, ACRE_READ_WRITE);
    if (status != ACRE_OK) {
        (void)sys_munmap(target, lap);
        (void)sys_munmap(base + lap, lap);
    }
    return status;
}

// Both views with all that they must have, at `base`; nothing is left of them when that fails.
static acre_status
build_views(const port_request *request, int file, void *base, uint32_t *flags)
{
    port_request whole = *request;
    whole.size = 2 * request->size;
    whole.access = ACRE_READ_WRITE;
    acre_status status = map_views(request, file, base);
    if (status == ACRE_OK)
        status = linux_prepare(base, &whole, flags);
    if (status != ACRE_OK)
        (void)sys_munmap(base, whole.size);
    return status;
}

static acre_status
build_ring(const port_request *request, int file, void **base, uint32_t *flags)
{
    acre_status status = hold_room(request, base);
    if (status == ACRE_OK)
        status = build_views(request, file, *base, flags);
    if (status != ACRE_OK || (request->flags & ACRE_MAP_REPLACE) == 0)
        return status;
    size_t huge = request->flags & ACRE_MAP_HUGE ? request->page_size : 0;
    status = move_views(*base, request->size, request->address, huge);
    *base = request->address;
    // Kernels before 5.16 do not move explicit huge pages.
    if (status == -EINVAL && huge != 0)
        status = build_views(request, file, *base, flags);
    return status;
}

acre_status
port_ring(const port_request *request, acre_mmap *out)
{
    size_t huge = request->flags & ACRE_MAP_HUGE ? request->page_size : 0;
    uint32_t named;
    int file = open_object(request, huge, &named);
    if (file < 0)
        return file;
    void *base;
    uint32_t flags =
        (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RING | named;
    acre_status status = build_ring(request, file, &base, &flags);
    sys_close(file);
    if (status != ACRE_OK)
        return status;
    out->base = base;
    out->flags = flags;
    return ACRE_OK;
}

// ---- twin ---------------------------------------------------------------------------------------

static acre_status
map_twin(const port_request *request, int file, uint32_t access, uint32_t named, acre_mmap *out)
{
    port_request half = *request;
    half.file = file;
    half.access = access;
    half.flags |= ACRE_MAP_SHARED | ACRE_IS_CLONE;
    half.name = NULL;
    // The place is that of the executable one; the other lies wherever it is not in the way.
    if (access & ACRE_WRITE) {
        half.flags &= ~(uint32_t)ACRE_MAP_FIXED;
        half.address = request->flags & ACRE_MAP_REPLACE ? request->address : NULL;
        half.alignment = half.page_size;
        half.reach = 0;
    }
    void *base = NULL;
    uint32_t granted = 0;
    acre_status status = linux_build(&half, &base, &granted);
    if (status != ACRE_OK)
        return status;
    out->base = base;
    out->flags = (granted & ~(uint32_t)(ACRE_MAP_SHARED | ACRE_IS_CLONE)) | ACRE_IS_TWIN | named;
    return ACRE_OK;
}

acre_status
port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec)
{
    uint32_t named;
    int file = open_object(request, 0, &named);
    if (file < 0)
        return file;
    // The executable one first: the other must not lie in the place that is asked for.
    acre_status status = map_twin(request, file, ACRE_READ_EXEC, named, exec);
    if (status != ACRE_OK) {
        sys_close(file);
        return status;
    }
    status = map_twin(request, file, ACRE_READ_WRITE, named, write);
    sys_close(file);
    if (status == ACRE_OK && request->flags & ACRE_MAP_REPLACE) {
        status = linux_move(exec->base, request->size, request->address, 0, ACRE_READ_EXEC);
        if (status != ACRE_OK)
            (void)sys_munmap(write->base, request->size);
    }
    if (status != ACRE_OK) {
        (void)sys_munmap(exec->base, request->size);
        return status;
    }
    if (request->flags & ACRE_MAP_REPLACE)
        exec->base = request->address;
    return ACRE_OK;
}

// ---- images -------------------------------------------------------------------------------------

acre_status
port_image_begin(size_t size, acre_file *file, acre_mmap *fill)
{
    int opened = linux_memory_object("acre image", size, 0);
    if (opened < 0)
        return opened;
    // A child that held a writable map of it would keep the image from being sealed.
    port_request request = {
        .file = opened,
        .size = size,
        .alignment = port_page_size(),
        .page_size = port_page_size(),
        .access = ACRE_READ_WRITE,
        .flags = ACRE_IS_FILE | ACRE_MAP_SHARED | ACRE_MAP_DONT_FORK,
    };
    acre_status status = port_map(&request, fill);
    if (status != ACRE_OK) {
        sys_close(opened);
        return status;
    }
    *file = opened;
    return ACRE_OK;
}

acre_status
port_image_seal(acre_file file)
{
    int saved = errno;
    return status_of(
        fcntl((int)file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
        saved);
}

acre_status
port_image_close(acre_file file)
{
    sys_close((int)file);
    return ACRE_OK;
}
