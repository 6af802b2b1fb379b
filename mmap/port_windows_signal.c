// Windows: faults and what takes the place of signal stacks are not built yet.
#include "mmap/port_windows.h"

acre_status
port_fault_install(port_fault_fn look)
{
    (void)look;
    return -ENOTSUP;
}

acre_status
port_fault_remove(void)
{
    return -ENOTSUP;
}

size_t
port_signal_stack_size(void)
{
    return (size_t)64 * 1024;
}

acre_status
port_signal_stack_get(void **base, size_t *size)
{
    (void)base;
    (void)size;
    return -ENOTSUP;
}

acre_status
port_signal_stack_set(void *base, size_t size)
{
    (void)base;
    (void)size;
    return -ENOTSUP;
}
