// tests/mmap/fake_port.h - a port of no system: any page size, no system calls, and a record of
// what it was asked for.
#ifndef ACRE_TESTS_MMAP_FAKE_PORT_H_
#define ACRE_TESTS_MMAP_FAKE_PORT_H_

#include "mmap/port/area.h"
#include "mmap/port/memory.h"
#include "mmap/port/thread.h"

ACRE_EXTERN_C_BEGIN

/// What acre_port_* tell of the system, and what they were called with last.
typedef struct fake_port {
    size_t page_size;
    size_t granularity;
    size_t page_sizes[4];     ///< as acre_page_sizes tells them; 0 = no more
    size_t default_huge;      ///< 0 = none
    size_t transparent_huge;  ///< 0 = none

    int calls;             ///< how many, besides questions about the system
    const char *call;      ///< the last one, without "port_"
    port_request request;  ///< of map, ring, twin
    uintptr_t start;       ///< of calls on a range
    size_t length;         ///< of those, too, and the new size of a resize, the size of an image
} fake_port;

extern fake_port fake;

ACRE_EXTERN_C_END

#endif  // ACRE_TESTS_MMAP_FAKE_PORT_H_
