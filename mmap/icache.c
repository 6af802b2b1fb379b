// Instruction caches.
#include "acre/icache.h"

#include "mmap/port/memory.h"

void
acre_icache_flush(void *start, size_t length)
{
    if (length != 0)
        acre_port_icache_flush(start, length);
}

void
acre_jit_write(int allowed)
{
    acre_port_jit_write(allowed);
}
