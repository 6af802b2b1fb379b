// macOS, iOS, FreeBSD: rings and twins, which show one memory object twice; what images and their
// clones share; finding room near an address.
#include "mmap/port/system.h"

#if ACRE_ON_BSD

#include <stdatomic.h>

#include "mmap/port/bsd/bsd.h"

// ---- ring ---------------------------------------------------------------------------------------

static acre_status
map_views(const port_request *request, uintptr_t object, char *base)
{
    acre_status status = ACRE_OK;
    for (size_t i = 0; i < 2 && status == ACRE_OK; i++) {
        port_request view = *request;
        void *mapped;
        view.address = base + i * request->size;
        view.alignment = acre_port_page_size();
        view.access = ACRE_READ_WRITE;
        view.flags = (request->flags & (ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK)) | ACRE_IS_RING |
                     ACRE_MAP_REPLACE;
        status = acre_bsd_map_object(&view, object, &mapped);
    }
    return status;
}

acre_status
acre_port_ring(const port_request *request, acre_mmap *out)
{
    if (request->flags & (acre_bsd_refused_flags | ACRE_MAP_HUGE))
        return -ENOTSUP;
    uintptr_t object;
    acre_status status = acre_bsd_make_object(request->size, ACRE_READ_WRITE, &object);
    if (status != ACRE_OK)
        return status;

    port_request whole = *request;
    whole.size = 2 * request->size;
    whole.access = ACRE_READ_WRITE;
    port_request room = whole;
    room.flags = (request->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RESERVATION;
    void *base = NULL;
    status = acre_bsd_map(&room, &base);
    if (status != ACRE_OK) {
        acre_bsd_drop_object(object);
        return status;
    }
    uint32_t flags =
        (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RING;
    status = map_views(request, object, base);
    acre_bsd_drop_object(object);
    if (status == ACRE_OK)
        status = acre_bsd_prepare(&whole, base, &flags);
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
map_twin(const port_request *request, uintptr_t object, uint32_t access, acre_mmap *out)
{
    port_request half = *request;
    half.access = access;
    half.flags |= ACRE_IS_TWIN;
    // The requested place is for the executable half; the other goes anywhere else.
    if (access & ACRE_WRITE) {
        half.flags &= ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
        half.address = NULL;
        half.alignment = half.page_size;
        half.reach = 0;
    }
    uint32_t flags = half.flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
    void *base = NULL;
    acre_status status = acre_bsd_map_object(&half, object, &base);
    if (status != ACRE_OK)
        return status;
    status = acre_bsd_prepare(&half, base, &flags);
    if (status != ACRE_OK) {
        (void)sys_munmap(base, request->size);
        return status;
    }
    out->base = base;
    out->flags = flags;
    return ACRE_OK;
}

acre_status
acre_port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec)
{
    if (request->flags & acre_bsd_refused_flags)
        return -ENOTSUP;
    uintptr_t object;
    acre_status status = acre_bsd_make_object(request->size, ACRE_READ_WRITE_EXEC, &object);
    if (status != ACRE_OK)
        return status;
    // Map the executable half first: the other must not take the requested place.
    status = map_twin(request, object, ACRE_READ_EXEC, exec);
    if (status == ACRE_OK) {
        status = map_twin(request, object, ACRE_READ_WRITE, write);
        if (status != ACRE_OK)
            (void)sys_munmap(exec->base, request->size);
    }
    acre_bsd_drop_object(object);
    return status;
}

// ---- images -------------------------------------------------------------------------------------

acre_status
acre_bsd_image_make(size_t size, uintptr_t source, bsd_image **out)
{
    void *page = acre_bsd_scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -ENOMEM;
    bsd_image *image = page;
    atomic_init(&image->held, size);
    image->size = size;
    image->source = source;
    *out = image;
    return ACRE_OK;
}

void
acre_bsd_image_hold(bsd_image *image, size_t bytes)
{
    atomic_fetch_add_explicit(&image->held, bytes, memory_order_relaxed);
}

int
acre_bsd_image_release(bsd_image *image, size_t bytes, bsd_image *last)
{
    if (atomic_fetch_sub_explicit(&image->held, bytes, memory_order_acq_rel) != bytes)
        return 0;
    last->size = image->size;
    last->source = image->source;
    (void)sys_munmap(image, acre_port_page_size());  // a whole area: cannot fail
    return 1;
}

// ---- room near an address -----------------------------------------------------------------------

static acre_status
find_room(const port_request *request, uintptr_t *base)
{
    posix_room room = acre_posix_room_within(request->size, request->alignment,
                                             request->near_address, request->reach);
    bsd_walk walk;
    acre_status status = acre_bsd_walk_begin(&walk);
    if (status != ACRE_OK)
        return status;
    // Addresses above the last area are not the program's.
    uintptr_t hole = room.low;
    acre_area area;
    while ((status = acre_bsd_walk_next(&walk, hole, &area)) == 1) {
        if (area.start > hole)
            acre_posix_consider(&room, hole, area.start);
        hole = area.end;
        if (hole >= room.high)
            break;
    }
    acre_bsd_walk_end(&walk);
    if (status < 0)
        return status;
    *base = room.best;
    return room.best != 0 ? ACRE_OK : -ENOMEM;
}

acre_status
acre_bsd_map_near(const port_request *request, void **base)
{
    // Another thread may take the room first; then search again.
    acre_status status;
    int tries = 16;
    do {
        uintptr_t room;
        status = find_room(request, &room);
        if (status == ACRE_OK) {
            port_request there = *request;
            there.address = (void *)room;
            there.flags |= ACRE_MAP_FIXED;
            there.reach = 0;
            status = acre_bsd_map(&there, base);
        }
    } while (status == -EEXIST && --tries > 0);
    return status == -EEXIST ? -ENOMEM : status;
}

#endif  // ACRE_ON_BSD
