// mmap/port/linux/demand.h - applies demands and wishes to pages.
#ifndef ACRE_MMAP_PORT_LINUX_DEMAND_H_
#define ACRE_MMAP_PORT_LINUX_DEMAND_H_

#include "mmap/port/linux/sys.h"
#include "mmap/port/memory.h"

enum {
    LOCKS = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
    DEMANDS = ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_NO_HUGE,
    // Flags that need further calls after mmap.
    PREPARED = DEMANDS | LOCKS | ACRE_MAP_POPULATE | ACRE_MAP_HUGE_TRANSPARENT
};

// Applies the demands, locks and wishes of a new map.  Clears the flags of wishes that were not
// granted in *flags.
acre_status acre_linux_prepare(void *base, const port_request *request, uint32_t *flags);

// Locks as the flags demand; ACRE_OK when they demand no lock.
acre_status acre_linux_lock_as(void *base, size_t size, uint32_t flags);

// Returns whether the wish was granted.  MAP_POPULATE does not report that, and it copies the pages
// of private files.
int acre_linux_populate(void *base, size_t size, uint32_t access, uint32_t flags);

#endif  // ACRE_MMAP_PORT_LINUX_DEMAND_H_
