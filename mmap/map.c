// Creating, adopting and unmapping.
#include "acre/mmap.h"

#include "mmap/check.h"

enum {
    EVERY_MAP = ACRE_MAP_STACK | ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_POPULATE | ACRE_MAP_NO_HUGE |
                ACRE_MAP_FIXED | ACRE_MAP_REPLACE,
    LOCKS = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
    RESERVE = EVERY_MAP | LOCKS | ACRE_MAP_NO_RESERVE | ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_DROPPABLE | ACRE_MAP_HUGE |
              ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_JIT,
    ANON = RESERVE | ACRE_MAP_SHARED,
    FILES = EVERY_MAP | ACRE_MAP_SHARED | ACRE_MAP_LOCKED | ACRE_MAP_JIT | ACRE_MAP_HUGE,
    RING = EVERY_MAP | ACRE_MAP_LOCKED | ACRE_MAP_HUGE,
    TWIN = EVERY_MAP,

    // Demands that this version cannot meet.  Wishes that it does not know to grant are left out of the new map's flags.
    UNMET_DEMANDS = LOCKS | ACRE_MAP_HUGE,
    UNGRANTED_WISHES = ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_DROPPABLE
};

static const acre_mmap_opts no_opts;

// ---- options ----------------------------------------------------------------------------------------------------------

static int
is_known_page_size(size_t size)
{
    size_t sizes[32];
    int count = port_page_sizes(sizes, 32);
    for (int i = 1; i < count && i < 32; i++) {
        if (sizes[i] == size)
            return 1;
    }
    return 0;
}

// Whether no two flags contradict one another.
static int
flags_agree(uint32_t flags)
{
    static const uint32_t pairs[][2] = {
        {ACRE_MAP_FIXED, ACRE_MAP_REPLACE},
        {ACRE_MAP_HUGE_TRANSPARENT, ACRE_MAP_NO_HUGE | ACRE_MAP_HUGE},
        {ACRE_MAP_DONT_FORK, ACRE_MAP_WIPE_ON_FORK},
        {ACRE_MAP_LOCKED, ACRE_MAP_LOCK_ON_FAULT},
        {ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_DROPPABLE, ACRE_MAP_SHARED},
        {ACRE_MAP_DROPPABLE, LOCKS},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (flags & pairs[i][0] && flags & pairs[i][1])
            return 0;
    }
    return 1;
}

static acre_status
check_place(const acre_mmap_opts *opts, size_t alignment)
{
    if (opts->alignment != 0 && !is_power_of_two(opts->alignment))
        return ACRE_BAD_OPTION;
    if (opts->near_address != NULL && opts->reach == 0)
        return ACRE_BAD_OPTION;
    if ((opts->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) == 0)
        return ACRE_OK;
    uintptr_t address = (uintptr_t)opts->address;
    int misplaced = address == 0 || address & (port_granularity() - 1) || address & (alignment - 1);
    return misplaced || opts->near_address != NULL || opts->reach != 0 ? ACRE_BAD_OPTION : ACRE_OK;
}

static acre_status
check_opts(const acre_mmap_opts *opts, uint32_t taken, size_t alignment)
{
    for (size_t i = 0; i < sizeof opts->reserved / sizeof opts->reserved[0]; i++) {
        if (opts->reserved[i] != 0)
            return ACRE_BAD_OPTION;
    }
    if (opts->flags & ~taken || !flags_agree(opts->flags))
        return ACRE_BAD_OPTION;
    if (opts->page_size != 0 && ((opts->flags & ACRE_MAP_HUGE) == 0 || !is_known_page_size(opts->page_size)))
        return ACRE_BAD_OPTION;
    return check_place(opts, alignment);
}

static acre_status
check_supported(const acre_mmap_opts *opts)
{
    return opts->flags & UNMET_DEMANDS || opts->reach != 0 ? -ENOTSUP : ACRE_OK;
}

// ---- creation ---------------------------------------------------------------------------------------------------------

static acre_status
create(const port_request *from, const acre_mmap_opts *opts, uint32_t taken, acre_mmap *out)
{
    port_request request = *from;
    request.page_size = port_page_size();
    request.size = round_up(request.size, request.page_size);
    if (request.size == 0)
        return ACRE_BAD_SIZE;
    if (request.offset & (port_granularity() - 1))
        return ACRE_BAD_OFFSET;
    if (request.offset > (uint64_t)INT64_MAX - request.size)
        return ACRE_BAD_RANGE;

    request.alignment = opts->alignment > request.page_size ? opts->alignment : request.page_size;
    acre_status status = check_opts(opts, taken, request.alignment);
    if (status == ACRE_OK)
        status = check_access(request.access, opts->flags);
    if (status == ACRE_OK)
        status = check_supported(opts);
    if (status != ACRE_OK)
        return status;

    request.address = opts->address;
    request.access = with_implied_read(request.access);
    request.flags |= opts->flags & ~(uint32_t)UNGRANTED_WISHES;
    acre_mmap map = {
        .size = request.size,
        .page_size = request.page_size,
        .offset = request.offset,
        .access = request.access,
        .private_ = {request.flags & ACRE_IS_RESERVATION ? MIXED : 0},
    };
    status = port_map(&request, &map);
    if (status == ACRE_OK)
        *out = map;
    return status;
}

acre_status
acre_mmap_anon(size_t size, uint32_t access, const acre_mmap_opts *opts, acre_mmap *out)
{
    port_request request = {.size = size, .access = access};
    return create(&request, opts != NULL ? opts : &no_opts, ANON, out);
}

acre_status
acre_mmap_reserve(size_t size, uint32_t access, const acre_mmap_opts *opts, acre_mmap *out)
{
    port_request request = {.size = size, .access = access, .flags = ACRE_IS_RESERVATION};
    return create(&request, opts != NULL ? opts : &no_opts, RESERVE, out);
}

acre_status
acre_mmap_file(acre_file file, uint64_t offset, size_t size, uint32_t access, const acre_mmap_opts *opts,
               acre_mmap *out)
{
    port_request request = {
        .file = file,
        .offset = offset,
        .size = size,
        .access = access,
        .flags = ACRE_IS_FILE,
    };
    return create(&request, opts != NULL ? opts : &no_opts, FILES, out);
}

acre_status
acre_mmap_path(const char *path, uint32_t access, const acre_mmap_opts *opts, acre_mmap *out, uint64_t *file_size)
{
    if (opts == NULL)
        opts = &no_opts;
    acre_file file;
    uint64_t size;
    int writable = opts->flags & ACRE_MAP_SHARED && access & ACRE_WRITE;
    acre_status status = port_file_open(path, writable, &file, &size);
    if (status != ACRE_OK)
        return status;

    status = size > SIZE_MAX ? ACRE_BAD_SIZE : acre_mmap_file(file, 0, (size_t)size, access, opts, out);
    port_file_close(file);
    if (status == ACRE_OK && file_size != NULL)
        *file_size = size;
    return status;
}

acre_status
acre_mmap_ring(size_t lap, const acre_mmap_opts *opts, acre_mmap *out)
{
    (void)out;
    if (opts == NULL)
        opts = &no_opts;
    size_t page = port_granularity();
    size_t rounded = round_up(lap, page);
    if (rounded == 0 || rounded > SIZE_MAX / 4)
        return ACRE_BAD_SIZE;
    acre_status status = check_opts(opts, RING, opts->alignment > page ? opts->alignment : page);
    return status == ACRE_OK ? -ENOTSUP : status;
}

acre_status
acre_mmap_twin(size_t size, const acre_mmap_opts *opts, acre_mmap *write, acre_mmap *exec)
{
    (void)write;
    (void)exec;
    if (opts == NULL)
        opts = &no_opts;
    size_t page = port_granularity();
    if (round_up(size, page) == 0)
        return ACRE_BAD_SIZE;
    acre_status status = check_opts(opts, TWIN, opts->alignment > page ? opts->alignment : page);
    return status == ACRE_OK ? -ENOTSUP : status;
}

// ---- adoption and the end ---------------------------------------------------------------------------------------------

acre_status
acre_mmap_adopt(void *base, size_t size, size_t page_size, uint32_t access, uint32_t flags, acre_mmap *out)
{
    enum {
        KINDS = ACRE_IS_RESERVATION | ACRE_IS_FILE | ACRE_IS_RING | ACRE_IS_TWIN | ACRE_IS_CLONE,
        TAKEN = ANON | KINDS | ACRE_IS_ADOPTED | ACRE_IS_SEALED | ACRE_HAS_MARKER_GUARDS | ACRE_HAS_PAGE_GUARDS |
                ACRE_GOT_NODE | ACRE_GOT_NAME
    };
    size_t page = page_size != 0 ? page_size : port_page_size();
    if (!is_power_of_two(page))
        return ACRE_BAD_OPTION;
    if (size == 0 || size > SIZE_MAX - (uintptr_t)base || round_up(size, page) == 0)
        return ACRE_BAD_SIZE;
    if (((uintptr_t)base | size) & (page - 1) || base == NULL)
        return ACRE_BAD_OFFSET;

    uint32_t kind = flags & KINDS;
    int huge = page > port_page_size();
    if (flags & ~(uint32_t)TAKEN || flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE) || !flags_agree(flags) ||
        (kind & (kind - 1)) != 0 || (kind == ACRE_IS_RESERVATION && flags & ACRE_MAP_SHARED) ||
        (kind == ACRE_IS_FILE && flags & (ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_DROPPABLE)) ||
        page < port_page_size() || huge != ((flags & ACRE_MAP_HUGE) != 0) || (huge && !is_known_page_size(page)))
        return ACRE_BAD_OPTION;
    acre_status status = check_access(access, flags);
    if (status != ACRE_OK)
        return status;

    *out = (acre_mmap){
        .base = base,
        .size = size,
        .page_size = page,
        .private_ = {MIXED},
        .access = with_implied_read(access),
        .flags = flags | ACRE_IS_ADOPTED,
    };
    return ACRE_OK;
}

acre_status
acre_mmap_unmap(acre_mmap *map)
{
    if (map->size == 0)
        return ACRE_OK;
    if (map->flags & ACRE_IS_SEALED)
        return ACRE_SEALED;
    acre_status status = port_unmap(map);
    if (status == ACRE_OK)
        *map = (acre_mmap){0};
    return status;
}
