// macOS, iOS, FreeBSD: what images and their clones share, and room near an address.
#include <stdatomic.h>

#include "mmap/port_posix.h"

// ---- images -------------------------------------------------------------------------------------

acre_status
posix_image_make(size_t size, uintptr_t source, posix_image **out)
{
    void *page = NULL;
    acre_status status = sys_mmap(NULL, port_page_size(), PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANON, -1, 0, &page);
    if (status != ACRE_OK)
        return status;
    posix_image *image = page;
    atomic_init(&image->held, size);
    image->size = size;
    image->source = source;
    *out = image;
    return ACRE_OK;
}

void
posix_image_hold(posix_image *image, size_t bytes)
{
    atomic_fetch_add_explicit(&image->held, bytes, memory_order_relaxed);
}

int
posix_image_release(posix_image *image, size_t bytes, posix_image *last)
{
    if (atomic_fetch_sub_explicit(&image->held, bytes, memory_order_acq_rel) != bytes)
        return 0;
    last->size = image->size;
    last->source = image->source;
    (void)sys_munmap(image, port_page_size());  // a whole area: nothing can refuse
    return 1;
}

// ---- room near an address -----------------------------------------------------------------------

typedef struct wanted {
    size_t size, alignment;
    uintptr_t low, high;  // the room lies within [low, high]
    uintptr_t center;
    uintptr_t best;  // 0 = none yet
} wanted;

static uintptr_t
distance(uintptr_t a, uintptr_t b)
{
    return a > b ? a - b : b - a;
}

// The place in the hole [start, end) that is nearest to the center.
static void
consider(wanted *room, uintptr_t start, uintptr_t end)
{
    if (start < room->low)
        start = room->low;
    if (end > room->high)
        end = room->high;
    if (start > UINTPTR_MAX - (room->alignment - 1))
        return;
    uintptr_t first = (start + room->alignment - 1) & ~(uintptr_t)(room->alignment - 1);
    if (first > end || end - first < room->size)
        return;
    uintptr_t last = (end - room->size) & ~(uintptr_t)(room->alignment - 1);
    uintptr_t at = room->center & ~(uintptr_t)(room->alignment - 1);
    at = at < first ? first : at > last ? last : at;
    if (room->best == 0 || distance(at, room->center) < distance(room->best, room->center))
        room->best = at;
}

static acre_status
find_room(const port_request *request, uintptr_t *base)
{
    enum { LOWEST = 64 * 1024 };  // the lowest pages are the system's
    uintptr_t near = request->near_address;
    size_t reach = request->reach;
    wanted room = {
        .size = request->size,
        .alignment = request->alignment,
        .low = near > reach && near - reach > LOWEST ? near - reach : LOWEST,
        .high = near > UINTPTR_MAX - reach ? UINTPTR_MAX : near + reach,
        .center = near,
    };
    posix_walk walk;
    acre_status status = posix_walk_begin(&walk);
    if (status != ACRE_OK)
        return status;
    // Above the last area lies what is not the program's.
    uintptr_t hole = room.low;
    acre_area area;
    while ((status = posix_walk_next(&walk, hole, &area)) == 1) {
        if (area.start > hole)
            consider(&room, hole, area.start);
        hole = area.end;
        if (hole >= room.high)
            break;
    }
    posix_walk_end(&walk);
    if (status < 0)
        return status;
    *base = room.best;
    return room.best != 0 ? ACRE_OK : -ENOMEM;
}

acre_status
posix_map_near(const port_request *request, void **base)
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
            status = posix_map(&there, base);
        }
    } while (status == -EEXIST && --tries > 0);
    return status == -EEXIST ? -ENOMEM : status;
}
