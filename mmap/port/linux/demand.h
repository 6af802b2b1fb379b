// mmap/port/linux/demand.h - demands and wishes put on pages.
#ifndef ACRE_MMAP_PORT_LINUX_DEMAND_H_
#define ACRE_MMAP_PORT_LINUX_DEMAND_H_

#include "mmap/port/linux/sys.h"
#include "mmap/port/memory.h"

enum {
    LOCKS = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
    DEMANDS = ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_NO_HUGE,
    // What needs a call besides mmap.
    PREPARED = DEMANDS | LOCKS | ACRE_MAP_POPULATE | ACRE_MAP_HUGE_TRANSPARENT
};

// What a map must and should have besides its pages: demands, locks, wishes.  Flags of wishes that
// were not granted are taken out of *flags.
acre_status acre_linux_prepare(void *base, const port_request *request, uint32_t *flags);

// Locks as the flags say; ACRE_OK where they say nothing.
acre_status acre_linux_lock_as(void *base, size_t size, uint32_t flags);

// Whether the wish was granted.  MAP_POPULATE would not tell, and copies the pages of private
// files.
int acre_linux_populate(void *base, size_t size, uint32_t access, uint32_t flags);

#endif  // ACRE_MMAP_PORT_LINUX_DEMAND_H_
