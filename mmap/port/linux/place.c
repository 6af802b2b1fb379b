// Linux: addresses held for what will be mapped there.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/place.h"

acre_status
acre_linux_hold(size_t size, size_t alignment, void *wish, void **base)
{
    // Aligned pages lie somewhere in a range that is larger by less than the alignment.
    size_t slack = alignment - acre_port_page_size();
    if (size > SIZE_MAX - slack)
        return -ENOMEM;
    void *range = NULL;
    acre_status status = sys_mmap(wish, size + slack, PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &range);
    if (status != ACRE_OK)
        return linux_explain(status);

    size_t before = (size_t)(-(uintptr_t)range & (alignment - 1));
    size_t after = slack - before;
    char *start = (char *)range + before;
    if (before != 0 && sys_munmap(range, before) != ACRE_OK) {
        // Only at the limit of areas, and where the range had merged with a neighbour; then this
        // may fail as well.
        (void)sys_munmap(range, size + slack);
        return ACRE_TOO_MANY_AREAS;
    }
    if (after != 0 && sys_munmap(start + size, after) != ACRE_OK) {
        (void)sys_munmap(start, size + after);
        return ACRE_TOO_MANY_AREAS;
    }
    *base = start;
    return ACRE_OK;
}

#endif  // ACRE_ON_LINUX
