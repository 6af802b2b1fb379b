// Linux: finds free addresses near an address by a walk over the areas.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/areas.h"
#include "mmap/port/linux/near.h"
#include "mmap/port/probe.h"

#include <string.h>
#include <sys/resource.h>

// Walks the areas of this process in ascending order, by the ioctl or the text.
typedef struct walker {
    linux_window text;
    char bytes[512];
    uintptr_t position;
    int by_ioctl;
} walker;

// Finds the next area that ends above the position: 1, 0 at the end, or a failure.
static acre_status
find_next_area(walker *walk, acre_area *out)
{
    linux_raw_area raw;
    acre_status status;
    if (walk->by_ioctl) {
        status = acre_linux_query_whatever_path(walk->text.file, walk->position, 1, walk->bytes,
                                                sizeof walk->bytes, &raw);
        walk->by_ioctl = !linux_is_closed(status);
        status = status == ACRE_OK ? 1 : status == ACRE_NOT_MAPPED ? 0 : status;
    }
    if (!walk->by_ioctl) {
        do
            status = acre_linux_take_area(&walk->text, &raw);
        while (status == 1 && raw.end <= walk->position);
    }
    if (status == 1) {
        acre_status described = acre_linux_describe(&raw, 0, out);
        if (described != ACRE_OK)
            return described;
        walk->position = out->end;
    }
    return status;
}

// A page that the kernel lists above the program's addresses (arm, x86-64).  The hole below it is
// not for programs either.
static int
is_the_kernels(const acre_area *area)
{
    return area->name != NULL &&
           (strcmp(area->name, "vectors") == 0 || strcmp(area->name, "vsyscall") == 0);
}

// Stacks grow down and the program break grows up; leave room for both.
enum { STACK_ROOM = 16 * 1024 * 1024, HEAP_ROOM = 64 * 1024 * 1024 };

static uintptr_t
stack_room(void)
{
    struct rlimit limit;
    int saved = errno;
    acre_status status = status_of(getrlimit(RLIMIT_STACK, &limit), saved);
    if (status != ACRE_OK || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur < STACK_ROOM)
        return STACK_ROOM;
    return limit.rlim_cur < UINTPTR_MAX ? (uintptr_t)limit.rlim_cur : UINTPTR_MAX;
}

static uintptr_t
above_break(uintptr_t address)
{
    return address > UINTPTR_MAX - HEAP_ROOM ? UINTPTR_MAX : address + HEAP_ROOM;
}

// Considers a hole, except for the room above the program break, into which the heap will grow.
static void
consider_free_range(posix_room *room, uintptr_t hole, uintptr_t end, uintptr_t program_break)
{
    if (program_break >= hole && program_break < end) {
        if (program_break > hole)
            acre_posix_consider(room, hole, program_break);
        hole = above_break(program_break);
    }
    if (end > hole)
        acre_posix_consider(room, hole, end);
}

static acre_status
find_room_near(posix_room *room)
{
    walker areas = {.by_ioctl = acre_port_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME)};
    areas.text = (linux_window){.file = acre_linux_open_proc(0, "maps"),
                                .capacity = sizeof areas.bytes,
                                .bytes = areas.bytes};
    if (areas.text.file < 0)
        return areas.text.file;

    // Start a little below: a heap there needs room to grow.
    areas.position = room->low > HEAP_ROOM ? room->low - HEAP_ROOM : 0;
    uintptr_t program_break = sys_break();
    uintptr_t below_stack = stack_room();
    uintptr_t hole = 0;
    int any = 0;
    acre_area area;
    acre_status status;
    while ((status = find_next_area(&areas, &area)) == 1) {
        uintptr_t end = area.start;
        any = 1;
        if (is_the_kernels(&area))
            break;
        if (area.flags & ACRE_AREA_STACK)
            end = end > below_stack ? end - below_stack : 0;
        if (end > hole)
            consider_free_range(room, hole, end, program_break);
        hole = area.end;
        if (area.flags & ACRE_AREA_HEAP)
            hole = above_break(hole);
        if (hole >= room->high)
            break;
    }
    sys_close(areas.text.file);
    // The addresses above the last area are not for programs, so ignore them.
    if (status == 0 && !any && areas.position == 0)
        return -ESRCH;
    return status < 0 ? status : ACRE_OK;
}

acre_status
acre_linux_find_near(size_t size, size_t alignment, uintptr_t near_address, size_t reach,
                     uintptr_t beyond, void **base)
{
    posix_room room = acre_posix_room_within(size, alignment, near_address, reach);
    room.beyond = beyond;
    acre_status status = find_room_near(&room);
    if (status == -ESRCH && acre_linux_turns_to_thread())
        status = find_room_near(&room);
    if (status != ACRE_OK)
        return status;
    if (room.best == 0)
        return -ENOMEM;
    *base = (void *)room.best;
    return ACRE_OK;
}

#endif  // ACRE_ON_LINUX
