// Page sizes, capabilities and limits, as the port reports them.
#include "acre/page.h"

#include "mmap/debug.h"
#include "mmap/port/memory.h"

size_t
acre_page_size(void)
{
    return acre_port_page_size();
}

size_t
acre_allocation_granularity(void)
{
    return acre_port_granularity();
}

int
acre_page_sizes(size_t *sizes, size_t capacity)
{
    return acre_port_page_sizes(sizes, capacity);
}

int
acre_can(acre_capability what)
{
    return (unsigned)what < ACRE_CAPABILITY_COUNT ? acre_port_can(what) : 0;
}

acre_status
acre_system_read(acre_system *out)
{
    if (!IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    acre_system system = {0};
    acre_status status = acre_port_system_read(&system);
    if (status == ACRE_OK)
        *out = system;
    return status;
}
