// Residency as every system but Linux has it, on top of the system's own calls.
#include "mmap/port/memory.h"
#include "mmap/port/system.h"

#if !ACRE_ON_LINUX

acre_status
acre_port_any_present(const void *start, size_t length, int *any)
{
    size_t bytes;
    acre_status status = acre_port_resident(start, length, &bytes);
    if (status == ACRE_OK)
        *any = bytes != 0;
    return status;
}

acre_status
acre_port_lowest_touched_many(const acre_range *ranges, size_t count, const void **lowest)
{
    acre_status status = ACRE_OK;
    for (size_t i = 0; status == ACRE_OK && i < count; i++)
        status = acre_port_lowest_touched(ranges[i].base, ranges[i].length, &lowest[i]);
    return status;
}

#endif  // !ACRE_ON_LINUX
