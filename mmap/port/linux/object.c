// Linux: maps of memory objects: rings, twins, images.
//
// 1. The object is a file in kernel memory (memfd), which has the name on every kernel.
// 2. When no such file can be created (no descriptor is left, or RLIMIT_FSIZE is below its size), a
//    ring or a twin is shared memory without a file; a move of 0 bytes maps it a second time.  An
//    image needs the file, since only files can be sealed and mapped as private copies.
// 3. To make a file larger than RLIMIT_FSIZE raises SIGXFSZ, which ends the program.  So acre reads
//    the limit first.  Another process may lower it at any moment (prlimit), so acre also blocks
//    the signal meanwhile: the kernel sends it to the calling thread, which can then remove it.
// 4. A file of huge pages gets its size from the first writable map of it, and RLIMIT_FSIZE does
//    not apply.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/demand.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/map.h"
#include "mmap/port/linux/memfd.h"
#include "mmap/port/linux/move.h"
#include "mmap/port/linux/place.h"

// A file, or NO_FILE for memory without one.
enum { NO_FILE = -1 };

static void
close_object(int file)
{
    if (file != NO_FILE)
        sys_close(file);
}

// The file itself has the name.  A name that the kernel refuses, because it is too long, is
// dropped: it was a wish.
static acre_status
open_object(const port_request *request, size_t huge, int *file, uint32_t *named)
{
    *named = request->name != NULL ? ACRE_GOT_NAME : 0;
    int opened = *named ? acre_linux_memory_object(request->name, request->size, huge) : -EINVAL;
    if (opened == -EINVAL) {
        *named = 0;
        opened = acre_linux_memory_object("acre", request->size, huge);
    }
    if (opened >= 0) {
        *file = opened;
        return ACRE_OK;
    }
    // Without a file explicit huge pages cannot be mapped a second time.
    if (huge != 0 || acre_linux_can_alias() != 1)
        return opened;
    *named = 0;
    *file = NO_FILE;
    return ACRE_OK;
}

// ---- rings --------------------------------------------------------------------------------------

// A ring that is being built.
typedef struct ring {
    const port_request *request;
    int file;
    char *base;
} ring;

static acre_status
map_view(const ring *of, char *base, int placement)
{
    uint32_t flags = of->request->flags;
    int kind = MAP_SHARED | placement | (flags & ACRE_MAP_STACK ? MAP_STACK : 0) |
               (of->file == NO_FILE ? MAP_ANONYMOUS : 0);
    void *view = NULL;
    acre_status status =
        sys_mmap(base, of->request->size, PROT_READ | PROT_WRITE, kind, of->file, 0, &view);
    if (status != ACRE_OK || view == base)
        return linux_explain(status);
    // Old kernels and emulators treat the address as a hint.
    status = sys_munmap(view, of->request->size);
    return status == ACRE_OK ? -EEXIST : linux_explain(status);
}

// Maps the first view a second time, at free addresses behind it.
static acre_status
alias_view(const ring *of, char *base)
{
    size_t lap = of->request->size;
    void *held = NULL;
    acre_status status = sys_mmap(base + lap, lap, PROT_NONE,
                                  LINUX_PLAIN_HOLD | LINUX_MAP_FIXED_NOREPLACE, -1, 0, &held);
    if (status == ACRE_OK && held != base + lap) {
        status = sys_munmap(held, lap);
        status = status == ACRE_OK ? -EEXIST : status;
    }
    if (status != ACRE_OK)
        return linux_explain(status);
    status = sys_alias(base, lap, base + lap);
    if (status != ACRE_OK)
        acre_linux_drop_refused(base + lap, lap);
    return linux_explain(status);
}

// Maps both views at `base`, where nothing may be mapped yet.
static acre_status
settle_ring(void *what, void *base)
{
    ring *of = what;
    size_t lap = of->request->size;
    of->base = base;
    acre_status status = map_view(of, of->base, LINUX_MAP_FIXED_NOREPLACE);
    if (status != ACRE_OK)
        return status;
    status = of->file == NO_FILE ? alias_view(of, of->base)
                                 : map_view(of, of->base + lap, LINUX_MAP_FIXED_NOREPLACE);
    if (status != ACRE_OK)
        (void)sys_munmap(of->base, lap);
    return status;
}

// Maps both views in place of the user's map.
static acre_status
replace_by_ring(ring *of)
{
    of->base = of->request->address;
    acre_status status = map_view(of, of->base, MAP_FIXED);
    return status == ACRE_OK ? map_view(of, of->base + of->request->size, MAP_FIXED) : status;
}

static acre_status
place_ring(ring *of)
{
    const port_request *request = of->request;
    if (request->flags & ACRE_MAP_FIXED)
        return settle_ring(of, request->address);
    int replaces = (request->flags & ACRE_MAP_REPLACE) != 0;
    linux_room room = {
        .size = 2 * request->size,
        .alignment = replaces ? request->page_size : request->alignment,
        .wish = replaces ? NULL : request->address,
        .apart = replaces ? request->address : NULL,
    };
    return acre_linux_settle(&room, settle_ring, of);
}

// Applies demands, locks and wishes to both views.
static acre_status
prepare_ring(const ring *of, uint32_t *flags)
{
    port_request whole = *of->request;
    whole.size = 2 * of->request->size;
    whole.access = ACRE_READ_WRITE;
    return acre_linux_prepare(of->base, &whole, flags);
}

// Moves both views into place; on failure unmaps both.
static acre_status
move_views(char *base, size_t lap, char *target, size_t huge)
{
    acre_status status = acre_linux_move(base, lap, target, huge, ACRE_READ_WRITE);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, 2 * lap);
        return status;
    }
    status = acre_linux_move(base + lap, lap, target + lap, huge, ACRE_READ_WRITE);
    if (status != ACRE_OK) {
        (void)sys_munmap(target, lap);
        (void)sys_munmap(base + lap, lap);
    }
    return status;
}

static acre_status
build_ring(ring *of, uint32_t *flags)
{
    const port_request *request = of->request;
    size_t lap = request->size;
    acre_status status = place_ring(of);
    if (status != ACRE_OK)
        return status;
    status = prepare_ring(of, flags);
    if (status != ACRE_OK) {
        (void)sys_munmap(of->base, 2 * lap);
        return status;
    }
    if ((request->flags & ACRE_MAP_REPLACE) == 0)
        return ACRE_OK;
    size_t huge = request->flags & ACRE_MAP_HUGE ? request->page_size : 0;
    status = move_views(of->base, lap, request->address, huge);
    of->base = request->address;
    // Kernels before 5.16 do not move explicit huge pages.
    if (status == -EINVAL && huge != 0) {
        status = replace_by_ring(of);
        status = status == ACRE_OK ? prepare_ring(of, flags) : status;
    }
    return status;
}

acre_status
acre_port_ring(const port_request *request, acre_mmap *out)
{
    size_t huge = request->flags & ACRE_MAP_HUGE ? request->page_size : 0;
    uint32_t named;
    int file;
    acre_status status = open_object(request, huge, &file, &named);
    if (status != ACRE_OK)
        return status;
    ring built = {.request = request, .file = file};
    uint32_t flags =
        (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RING | named;
    status = build_ring(&built, &flags);
    close_object(file);
    if (status != ACRE_OK)
        return status;
    out->base = built.base;
    out->flags = flags;
    return ACRE_OK;
}

// ---- twins --------------------------------------------------------------------------------------

static acre_status
map_twin(const port_request *request, int file, uint32_t access, uint32_t named, acre_mmap *out)
{
    port_request half = *request;
    half.file = file;
    half.access = access;
    half.flags |= ACRE_MAP_SHARED | (file != NO_FILE ? ACRE_IS_CLONE : 0);
    half.name = file != NO_FILE ? NULL : request->name;
    // The requested place is for the executable twin; the writable one must only not overlap it.
    if (access & ACRE_WRITE) {
        half.flags &= ~(uint32_t)ACRE_MAP_FIXED;
        half.address = request->flags & ACRE_MAP_REPLACE ? request->address : NULL;
        half.alignment = half.page_size;
        half.reach = 0;
    }
    void *base = NULL;
    uint32_t granted = 0;
    acre_status status = acre_linux_build(&half, &base, &granted);
    if (status != ACRE_OK)
        return status;
    out->base = base;
    out->flags = (granted & ~(uint32_t)(ACRE_MAP_SHARED | ACRE_IS_CLONE)) | ACRE_IS_TWIN | named;
    return ACRE_OK;
}

// Maps the twin a second time, anywhere but in [apart, apart + size).
static acre_status
alias_apart(void *exec, size_t size, const void *apart, void **base)
{
    void *found = NULL;
    acre_status status = sys_alias_anywhere(exec, size, &found);
    if (status != ACRE_OK || apart == NULL || !linux_overlap(found, apart, size)) {
        *base = found;
        return status;
    }
    status = alias_apart(exec, size, apart, base);
    (void)sys_munmap(found, size);
    return status;
}

// Creates the writable twin of memory without a file: maps the executable one a second time and
// changes its access.  PR_SET_MDWE, which forbids making memory executable, does not forbid that.
static acre_status
alias_twin(const port_request *request, void *exec, acre_mmap *out)
{
    void *base = NULL;
    size_t size = request->size;
    acre_status status =
        alias_apart(exec, size, request->flags & ACRE_MAP_REPLACE ? request->address : NULL, &base);
    if (status != ACRE_OK)
        return linux_explain(status);
    port_request half = *request;
    half.access = ACRE_READ_WRITE;
    uint32_t granted =
        (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_MAP_SHARED;
    status = sys_mprotect(base, size, PROT_READ | PROT_WRITE);
    status = status == ACRE_OK ? acre_linux_prepare(base, &half, &granted) : linux_explain(status);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, size);
        return status;
    }
    out->base = base;
    out->flags = (granted & ~(uint32_t)ACRE_MAP_SHARED) | ACRE_IS_TWIN;
    return ACRE_OK;
}

acre_status
acre_port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec)
{
    uint32_t named;
    int file;
    acre_status status = open_object(request, 0, &file, &named);
    if (status != ACRE_OK)
        return status;
    // The executable twin first, so that the writable one does not take the requested place.
    status = map_twin(request, file, ACRE_READ_EXEC, named, exec);
    if (status != ACRE_OK) {
        close_object(file);
        return status;
    }
    status = file != NO_FILE ? map_twin(request, file, ACRE_READ_WRITE, named, write)
                             : alias_twin(request, exec->base, write);
    close_object(file);
    if (status == ACRE_OK && request->flags & ACRE_MAP_REPLACE) {
        status = acre_linux_move(exec->base, request->size, request->address, 0, ACRE_READ_EXEC);
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
acre_port_image_begin(size_t size, acre_file *file, acre_mmap *fill)
{
    int opened = acre_linux_memory_object("acre image", size, 0);
    if (opened < 0)
        return opened;
    // DONT_FORK: a writable map in a child would keep the image from being sealed.
    port_request request = {
        .file = opened,
        .size = size,
        .alignment = acre_port_page_size(),
        .page_size = acre_port_page_size(),
        .access = ACRE_READ_WRITE,
        .flags = ACRE_IS_FILE | ACRE_MAP_SHARED | ACRE_MAP_DONT_FORK,
    };
    acre_status status = acre_port_map(&request, fill);
    if (status != ACRE_OK) {
        sys_close(opened);
        return status;
    }
    *file = opened;
    return ACRE_OK;
}

acre_status
acre_port_image_seal(acre_file file)
{
    int saved = errno;
    acre_status status = status_of(
        fcntl((int)file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
        saved);
    if (status == ACRE_OK || status == -EBUSY)
        return status;
    // A sandbox refuses.  The program may have been told before that images are sealed.
    return acre_port_can(ACRE_CAN_SEAL_IMAGES) ? -ENOTSUP : ACRE_OK;
}

acre_status
acre_port_image_close(acre_file file)
{
    sys_close((int)file);
    return ACRE_OK;
}

#endif  // ACRE_ON_LINUX
