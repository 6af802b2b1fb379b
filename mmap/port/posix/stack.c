// POSIX systems: stacks, which need nothing special here.
#include "mmap/port/system.h"

#if ACRE_ON_POSIX

#include "mmap/port/posix/posix.h"

// A committed stack takes no memory until it is touched, and no system checks where a stack is.

int
acre_port_stacks_grow(void)
{
    return 0;
}

acre_status
acre_port_commit_stack(acre_mmap *map, void *start, size_t length, size_t first)
{
    (void)first;
    return acre_port_commit(map, start, length, ACRE_READ_WRITE);
}

acre_status
acre_port_stack_bounds(void *lowest, void *base, void *top, port_bounds *out)
{
    *out = (port_bounds){.top = top, .limit = base, .lowest = lowest};
    return ACRE_OK;
}

int
acre_port_stack_exchange(const port_bounds *to, port_bounds *from)
{
    (void)to;
    (void)from;
    return 0;
}

void
acre_port_stack_begin(void *words[2])
{
    (void)words;
}

#endif  // ACRE_ON_POSIX
