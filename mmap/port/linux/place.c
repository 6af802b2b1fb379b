// Linux: who owns which addresses.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/place.h"

// Holds a range that is large enough to contain `size` bytes at a multiple of `alignment`.
static acre_status
hold_more(size_t size, size_t alignment, void *wish, int kind, char **range, size_t *whole)
{
    size_t slack = alignment - acre_port_page_size();
    if (size > SIZE_MAX - slack)
        return -ENOMEM;
    void *base = NULL;
    acre_status status = sys_mmap(wish, size + slack, PROT_NONE, kind, -1, 0, &base);
    *range = base;
    *whole = size + slack;
    return linux_explain(status);
}

static size_t
bytes_before(const char *range, size_t alignment)
{
    return (size_t)(-(uintptr_t)range & (alignment - 1));
}

acre_status
acre_linux_hold(size_t size, size_t alignment, void *wish, int kind, void **base)
{
    char *range = NULL;
    size_t whole = 0;
    acre_status status = hold_more(size, alignment, wish, kind, &range, &whole);
    if (status != ACRE_OK)
        return status;

    size_t before = bytes_before(range, alignment);
    size_t after = whole - size - before;
    char *start = range + before;
    if (before != 0 && sys_munmap(range, before) != ACRE_OK) {
        // This fails only at the limit on areas, when the range has merged with a neighbour; then
        // the next call may fail too.
        (void)sys_munmap(range, whole);
        return ACRE_TOO_MANY_AREAS;
    }
    if (after != 0 && sys_munmap(start + size, after) != ACRE_OK) {
        (void)sys_munmap(start, size + after);
        return ACRE_TOO_MANY_AREAS;
    }
    *base = start;
    return ACRE_OK;
}

void
acre_linux_drop_refused(void *base, size_t size)
{
    void *again = NULL;
    acre_status status = sys_mmap(base, size, PROT_NONE,
                                  LINUX_PLAIN_HOLD | LINUX_MAP_FIXED_NOREPLACE, -1, 0, &again);
    // Success: there was a hole, which is ours again.  -EEXIST, or another address (old kernels):
    // the hold is still there.
    if (status == ACRE_OK)
        (void)sys_munmap(again, size);
    if (status == -EEXIST || (status == ACRE_OK && again != base))
        (void)sys_munmap(base, size);
}

// Finds addresses that were free a moment ago.
static acre_status
find_room(const linux_room *room, char **base)
{
    if (room->size > SIZE_MAX - 2 * room->margin)
        return -ENOMEM;
    char *range = NULL;
    size_t whole = 0;
    acre_status status = hold_more(room->size + 2 * room->margin, room->alignment, room->wish,
                                   LINUX_PLAIN_HOLD, &range, &whole);
    if (status != ACRE_OK)
        return status;
    char *start = range + bytes_before(range, room->alignment) + room->margin;
    // Keep a range that overlaps, so that the kernel chooses another; at most two can overlap.
    if (room->apart != NULL && linux_overlap(start, room->apart, room->size))
        status = find_room(room, base);
    else
        *base = start;
    acre_status dropped = sys_munmap(range, whole);
    return dropped == ACRE_OK ? status : ACRE_TOO_MANY_AREAS;
}

acre_status
acre_linux_settle(const linux_room *room, linux_settle_fn map, void *what)
{
    // Each -EEXIST means that another thread has mapped something.
    for (int tries = 4096; tries > 0; tries--) {
        char *base = NULL;
        acre_status status = find_room(room, &base);
        if (status == ACRE_OK)
            status = map(what, base);
        if (status != -EEXIST)
            return status;
    }
    return -ENOMEM;
}

#endif  // ACRE_ON_LINUX
