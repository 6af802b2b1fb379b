// Creating, adopting and unmapping; images.
#include "acre/image.h"
#include "acre/mmap.h"
#include "mmap/check.h"

enum {
    EVERY_MAP = ACRE_MAP_STACK | ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_POPULATE |
                ACRE_MAP_NO_HUGE | ACRE_MAP_FIXED | ACRE_MAP_REPLACE,
    EITHER_LOCK = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
    RESERVE = EVERY_MAP | EITHER_LOCK | ACRE_MAP_NO_RESERVE | ACRE_MAP_WIPE_ON_FORK |
              ACRE_MAP_DROPPABLE | ACRE_MAP_HUGE | ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_JIT,
    ANON = RESERVE | ACRE_MAP_SHARED,
    PATHS = EVERY_MAP | ACRE_MAP_SHARED | ACRE_MAP_LOCKED | ACRE_MAP_JIT,
    FILES = PATHS | ACRE_MAP_HUGE,
    RING = EVERY_MAP | ACRE_MAP_LOCKED | ACRE_MAP_HUGE,
    TWIN = EVERY_MAP,
    CLONE = EVERY_MAP | ACRE_MAP_LOCKED
};

// Options other than flags that only some calls accept.
enum { NEARNESS = 1, NODE = 2 };

static const acre_mmap_opts no_opts;

// ---- options ------------------------------------------------------------------------------------

static int
is_known_page_size(size_t size)
{
    size_t sizes[32];
    int count = acre_port_page_sizes(sizes, 32);
    for (int i = 1; i < count && i < 32; i++) {
        if (sizes[i] == size)
            return 1;
    }
    return 0;
}

// Whether no two flags contradict one another.  (Spelt out, so that a debug build prints which.)
static int
flags_agree(uint32_t flags)
{
#define EXCLUDE(one, other) IS_VALID((flags & (one)) == 0 || (flags & (other)) == 0)
    return EXCLUDE(ACRE_MAP_FIXED, ACRE_MAP_REPLACE) &&
           EXCLUDE(ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_HUGE, ACRE_MAP_NO_HUGE) &&
           EXCLUDE(ACRE_MAP_HUGE_TRANSPARENT, ACRE_MAP_HUGE) &&
           EXCLUDE(ACRE_MAP_DONT_FORK, ACRE_MAP_WIPE_ON_FORK) &&
           EXCLUDE(ACRE_MAP_LOCKED, ACRE_MAP_LOCK_ON_FAULT) &&
           EXCLUDE(ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_DROPPABLE, ACRE_MAP_SHARED) &&
           EXCLUDE(ACRE_MAP_DROPPABLE, EITHER_LOCK);
#undef EXCLUDE
}

static acre_status
check_place(const acre_mmap_opts *opts, size_t alignment)
{
    if (!IS_VALID(opts->alignment == 0 || is_power_of_two(opts->alignment)))
        return ACRE_BAD_ALIGNMENT;
    if (!IS_VALID(opts->near_address == NULL || opts->reach != 0))
        return ACRE_BAD_OPTION;
    if ((opts->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) == 0)
        return ACRE_OK;
    if (!IS_VALID(opts->address != NULL))
        return ACRE_NULL_ARGUMENT;
    uintptr_t address = (uintptr_t)opts->address;
    if (!IS_VALID((address & (acre_port_granularity() - 1)) == 0) ||
        !IS_VALID((address & (alignment - 1)) == 0))
        return ACRE_BAD_ALIGNMENT;
    return IS_VALID(opts->reach == 0) ? ACRE_OK : ACRE_BAD_OPTION;
}

// `taken` are the flags that the call accepts, `more` is NEARNESS and NODE if it accepts those.
static acre_status
check_map_opts(const acre_mmap_opts *opts, uint32_t taken, int more, size_t alignment)
{
    for (size_t i = 0; i < sizeof opts->reserved / sizeof opts->reserved[0]; i++) {
        if (!IS_VALID(opts->reserved[i] == 0))
            return ACRE_BAD_OPTION;
    }
    if (!IS_VALID((opts->flags & ~taken) == 0) || !flags_agree(opts->flags))
        return ACRE_BAD_OPTION;
    if (!IS_VALID(opts->reach == 0 || more & NEARNESS) ||
        !IS_VALID(opts->node_plus_one == 0 || more & NODE))
        return ACRE_BAD_OPTION;
    if (!IS_VALID(opts->page_size == 0 || opts->flags & ACRE_MAP_HUGE) ||
        !IS_VALID(opts->page_size == 0 || is_known_page_size(opts->page_size)))
        return ACRE_BAD_OPTION;
    return check_place(opts, alignment);
}

// ---- creation -----------------------------------------------------------------------------------

// Returns the page size of the future map.  An unknown size in `opts` counts as the default here;
// check_map_opts refuses it later, after the map's size has been checked.
static size_t
page_size_for(const acre_mmap_opts *opts)
{
    size_t page = 0;
    if (opts->flags & ACRE_MAP_HUGE)
        page =
            is_known_page_size(opts->page_size) ? opts->page_size : acre_port_default_huge_size();
    return page > acre_port_granularity() ? page : acre_port_page_size();
}

// Aligns the base to transparent huge pages if one fits into the map.
static size_t
alignment_for(const acre_mmap_opts *opts, size_t size, size_t page)
{
    size_t alignment = opts->alignment > page ? opts->alignment : page;
    if (opts->flags & ACRE_MAP_HUGE_TRANSPARENT &&
        (opts->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) == 0) {
        size_t huge = acre_port_transparent_huge_size();
        if (huge > alignment && size >= huge)
            alignment = huge;
    }
    return alignment;
}

// Checks and completes a request whose size, offset, access, file and kind are set.
static acre_status
complete_request(port_request *request, const acre_mmap_opts *opts, uint32_t taken, int more,
                 size_t unit)
{
    size_t page = page_size_for(opts);
    if (unit < page)
        unit = page;
    request->size = round_up_size(request->size, unit);
    if (request->size == 0)
        return ACRE_BAD_SIZE;
    if (!IS_VALID((request->offset & (acre_port_granularity() - 1)) == 0) ||
        !IS_VALID((request->offset & (page - 1)) == 0))
        return ACRE_BAD_OFFSET;
    if (request->offset > (uint64_t)INT64_MAX - request->size)
        return ACRE_BAD_RANGE;

    size_t alignment = opts->alignment > page ? opts->alignment : page;
    acre_status status = check_map_opts(opts, taken, more, alignment);
    if (status == ACRE_OK)
        status = check_access(request->access, opts->flags);
    if (status != ACRE_OK)
        return status;
    if (opts->flags & ACRE_MAP_HUGE && acre_port_default_huge_size() == 0)
        return -ENOTSUP;

    request->page_size = page;
    request->demanded = alignment;
    request->alignment = alignment_for(opts, request->size, page);
    request->address = opts->address;
    request->near_address = (uintptr_t)opts->near_address;
    request->reach = opts->reach;
    request->name = opts->name;
    request->node_plus_one = opts->node_plus_one;
    request->access = with_implied_read(request->access);
    request->flags |= opts->flags;
    return ACRE_OK;
}

static acre_mmap
handle_for(const port_request *request)
{
    acre_mmap map = {
        .size = request->size,
        .page_size = request->page_size,
        .offset = request->offset,
        .private_ = {request->flags & ACRE_IS_RESERVATION ? MIXED : 0},
        .access = request->access,
    };
    return map;
}

static acre_status
map_requested(const port_request *request, acre_mmap *out)
{
    acre_mmap map = handle_for(request);
    acre_status status = acre_port_map(request, &map);
    if (status == ACRE_OK)
        *out = map;
    return status;
}

static acre_status
create_map(port_request request, const acre_mmap_opts *opts, uint32_t taken, int more,
           acre_mmap *out)
{
    if (!IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    if (opts == NULL)
        opts = &no_opts;
    acre_status status = complete_request(&request, opts, taken, more, acre_port_page_size());
    if (status != ACRE_OK)
        return status;
    status = map_requested(&request, out);
    // Alignment for huge pages, which is only a wish, may need more addresses than are left.
    if (status == ACRE_OK || request.alignment == request.demanded)
        return status;
    request.alignment = request.demanded;
    return map_requested(&request, out);
}

acre_status
acre_mmap_anon(size_t size, uint32_t access, const acre_mmap_opts *opts, acre_mmap *out)
{
    port_request request = {.size = size, .access = access};
    return create_map(request, opts, ANON, NEARNESS | NODE, out);
}

acre_status
acre_mmap_reserve(size_t size, uint32_t access, const acre_mmap_opts *opts, acre_mmap *out)
{
    port_request request = {.size = size, .access = access, .flags = ACRE_IS_RESERVATION};
    return create_map(request, opts, RESERVE, NEARNESS | NODE, out);
}

acre_status
acre_mmap_file(acre_file file, uint64_t offset, size_t size, uint32_t access,
               const acre_mmap_opts *opts, acre_mmap *out)
{
    port_request request = {
        .file = file,
        .offset = offset,
        .size = size,
        .access = access,
        .flags = ACRE_IS_FILE,
    };
    return create_map(request, opts, FILES, 0, out);
}

acre_status
acre_mmap_path(const char *path, uint32_t access, const acre_mmap_opts *opts, acre_mmap *out,
               uint64_t *file_size)
{
    if (!IS_VALID(path != NULL) || !IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    if (opts == NULL)
        opts = &no_opts;
    size_t page = acre_port_page_size();
    acre_status status =
        check_map_opts(opts, PATHS, 0, opts->alignment > page ? opts->alignment : page);
    if (status == ACRE_OK)
        status = check_access(access, opts->flags);
    if (status != ACRE_OK)
        return status;
    acre_file file;
    uint64_t size;
    int writable = opts->flags & ACRE_MAP_SHARED && access & ACRE_WRITE;
    status = acre_port_file_open(path, writable, &file, &size);
    if (status != ACRE_OK)
        return status;

    status =
        size > SIZE_MAX ? ACRE_BAD_SIZE : acre_mmap_file(file, 0, (size_t)size, access, opts, out);
    acre_port_file_close(file);
    if (file_size != NULL && (status == ACRE_OK || status == ACRE_BAD_SIZE))
        *file_size = size;
    return status;
}

acre_status
acre_mmap_ring(size_t lap, const acre_mmap_opts *opts, acre_mmap *out)
{
    if (!IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    port_request request = {.size = lap <= SIZE_MAX / 4 ? lap : 0, .access = ACRE_READ_WRITE};
    acre_status status = complete_request(&request, opts != NULL ? opts : &no_opts, RING, 0,
                                          acre_port_granularity());
    if (status != ACRE_OK)
        return status;
    acre_mmap map = handle_for(&request);
    map.size = 2 * request.size;
    status = acre_port_ring(&request, &map);
    if (status == ACRE_OK)
        *out = map;
    return status;
}

acre_status
acre_mmap_twin(size_t size, const acre_mmap_opts *opts, acre_mmap *write, acre_mmap *exec)
{
    if (!IS_VALID(write != NULL) || !IS_VALID(exec != NULL))
        return ACRE_NULL_ARGUMENT;
    port_request request = {.size = size, .access = ACRE_READ_WRITE};
    acre_status status = complete_request(&request, opts != NULL ? opts : &no_opts, TWIN, NEARNESS,
                                          acre_port_granularity());
    if (status != ACRE_OK)
        return status;
    acre_mmap first = handle_for(&request);
    acre_mmap second = first;
    second.access = ACRE_READ_EXEC;
    status = acre_port_twin(&request, &first, &second);
    if (status != ACRE_OK)
        return status;
    *write = first;
    *exec = second;
    return ACRE_OK;
}

// ---- images -------------------------------------------------------------------------------------

// Words of acre_image.private_.
enum { IMAGE_FILE, IMAGE_STATE };
enum { FILLING = 1, IMMUTABLE = 2 };

acre_status
acre_image_begin(size_t size, acre_image *out, acre_mmap *fill)
{
    if (!IS_VALID(out != NULL) || !IS_VALID(fill != NULL))
        return ACRE_NULL_ARGUMENT;
    size_t rounded = round_up_size(size, acre_port_page_size());
    if (rounded == 0)
        return ACRE_BAD_SIZE;
    acre_file file;
    acre_mmap map = {
        .size = rounded, .page_size = acre_port_page_size(), .access = ACRE_READ_WRITE};
    acre_status status = acre_port_image_begin(rounded, &file, &map);
    if (status != ACRE_OK)
        return status;
    *out = (acre_image){.size = rounded, .private_ = {(uintptr_t)file, FILLING}};
    *fill = map;
    return ACRE_OK;
}

acre_status
acre_image_finish(acre_image *image, acre_mmap *fill)
{
    if (!IS_VALID(image != NULL) || !IS_VALID(fill != NULL))
        return ACRE_NULL_ARGUMENT;
    if (!IS_VALID(image->size != 0))
        return ACRE_EMPTY_HANDLE;
    if (image->private_[IMAGE_STATE] != FILLING)
        return ACRE_BAD_STATE;
    acre_status status = acre_mmap_unmap(fill);
    if (status == ACRE_OK)
        status = acre_port_image_seal((acre_file)image->private_[IMAGE_FILE]);
    if (status == ACRE_OK)
        image->private_[IMAGE_STATE] = IMMUTABLE;
    return status;
}

acre_status
acre_image_clone(const acre_image *image, uint32_t access, const acre_mmap_opts *opts,
                 acre_mmap *out)
{
    if (!IS_VALID(image != NULL) || !IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    // An image that was never begun has no size; with size 1 its options are checked before its
    // state.
    port_request request = {
        .file = (acre_file)image->private_[IMAGE_FILE],
        .size = image->size != 0 ? image->size : 1,
        .access = access,
        .flags = ACRE_IS_CLONE,
    };
    acre_status status =
        complete_request(&request, opts != NULL ? opts : &no_opts, CLONE, 0, acre_port_page_size());
    if (status != ACRE_OK)
        return status;
    if (!IS_VALID(image->size != 0))
        return ACRE_EMPTY_HANDLE;
    return image->private_[IMAGE_STATE] == IMMUTABLE ? map_requested(&request, out)
                                                     : ACRE_BAD_STATE;
}

acre_status
acre_image_close(acre_image *image)
{
    if (image == NULL || image->size == 0)
        return ACRE_OK;
    acre_status status = acre_port_image_close((acre_file)image->private_[IMAGE_FILE]);
    if (status == ACRE_OK)
        *image = (acre_image){0};
    return status;
}

// ---- adopting and unmapping ---------------------------------------------------------------------

acre_status
acre_mmap_adopt(void *base, size_t size, size_t page_size, uint32_t access, uint32_t flags,
                acre_mmap *out)
{
    enum {
        KINDS = ACRE_IS_RESERVATION | ACRE_IS_FILE | ACRE_IS_RING | ACRE_IS_TWIN | ACRE_IS_CLONE,
        OF_PRIVATE_MEMORY = ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_DROPPABLE,
        TAKEN = ANON | KINDS | ACRE_IS_ADOPTED | ACRE_IS_SEALED | ACRE_HAS_MARKER_GUARDS |
                ACRE_HAS_PAGE_GUARDS | ACRE_GOT_NODE | ACRE_GOT_NAME
    };
    if (!IS_VALID(base != NULL) || !IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    size_t page = page_size != 0 ? page_size : acre_port_page_size();
    if (size == 0 || size > SIZE_MAX - (uintptr_t)base)
        return ACRE_BAD_SIZE;
    if (!IS_VALID(is_power_of_two(page)))
        return ACRE_BAD_OPTION;
    if (!IS_VALID(((uintptr_t)base & (page - 1)) == 0) || !IS_VALID((size & (page - 1)) == 0))
        return ACRE_BAD_OFFSET;

    uint32_t kind = flags & KINDS;
    int huge = page > acre_port_page_size();
    if (!IS_VALID((flags & ~(uint32_t)TAKEN) == 0) ||
        !IS_VALID((flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) == 0) || !flags_agree(flags) ||
        !IS_VALID((kind & (kind - 1)) == 0) ||
        !IS_VALID(kind != ACRE_IS_RESERVATION || (flags & ACRE_MAP_SHARED) == 0) ||
        !IS_VALID((kind | ACRE_IS_RESERVATION) == ACRE_IS_RESERVATION ||
                  (flags & OF_PRIVATE_MEMORY) == 0) ||
        !IS_VALID(kind != ACRE_IS_CLONE || (flags & (ACRE_MAP_SHARED | ACRE_MAP_HUGE)) == 0))
        return ACRE_BAD_OPTION;
    if (!IS_VALID(page >= acre_port_page_size()) ||
        !IS_VALID(huge == ((flags & ACRE_MAP_HUGE) != 0)) ||
        !IS_VALID(!huge || is_known_page_size(page)))
        return ACRE_BAD_OPTION;
    acre_status status = check_access(access, flags);
    if (status != ACRE_OK)
        return status;

    *out = (acre_mmap){
        .base = base,
        .size = size,
        .page_size = page,
        .private_ = {MIXED | UNEVEN | size},
        .access = with_implied_read(access),
        .flags = flags | ACRE_IS_ADOPTED,
    };
    return ACRE_OK;
}

acre_status
acre_mmap_unmap(acre_mmap *map)
{
    if (!IS_VALID(map != NULL))
        return ACRE_NULL_ARGUMENT;
    if (map->size == 0)
        return ACRE_OK;
    if (map->flags & ACRE_IS_SEALED)
        return ACRE_SEALED;
    acre_status status = acre_port_unmap(map);
    if (status == ACRE_OK)
        *map = (acre_mmap){0};
    return status;
}
