// macOS, iOS, FreeBSD: what images and their clones share, and room near an address.
#include <stdatomic.h>

#include "mmap/port_bsd.h"

// ---- images -------------------------------------------------------------------------------------

acre_status
bsd_image_make(size_t size, uintptr_t source, bsd_image **out)
{
    void *page = bsd_scratch_page(PROT_READ | PROT_WRITE);
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
bsd_image_hold(bsd_image *image, size_t bytes)
{
    atomic_fetch_add_explicit(&image->held, bytes, memory_order_relaxed);
}

int
bsd_image_release(bsd_image *image, size_t bytes, bsd_image *last)
{
    if (atomic_fetch_sub_explicit(&image->held, bytes, memory_order_acq_rel) != bytes)
        return 0;
    last->size = image->size;
    last->source = image->source;
    (void)sys_munmap(image, port_page_size());  // a whole area: nothing can refuse
    return 1;
}

// ---- room near an address -----------------------------------------------------------------------

static acre_status
find_room(const port_request *request, uintptr_t *base)
{
    posix_room room =
        posix_room_within(request->size, request->alignment, request->near_address, request->reach);
    bsd_walk walk;
    acre_status status = bsd_walk_begin(&walk);
    if (status != ACRE_OK)
        return status;
    // Above the last area lies what is not the program's.
    uintptr_t hole = room.low;
    acre_area area;
    while ((status = bsd_walk_next(&walk, hole, &area)) == 1) {
        if (area.start > hole)
            posix_consider(&room, hole, area.start);
        hole = area.end;
        if (hole >= room.high)
            break;
    }
    bsd_walk_end(&walk);
    if (status < 0)
        return status;
    *base = room.best;
    return room.best != 0 ? ACRE_OK : -ENOMEM;
}

acre_status
bsd_map_near(const port_request *request, void **base)
{
    // Another thread may be faster; then the room is looked for again.
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
            status = bsd_map(&there, base);
        }
    } while (status == -EEXIST && --tries > 0);
    return status == -EEXIST ? -ENOMEM : status;
}
