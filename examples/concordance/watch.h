// watch.h - reading the map of a file that may shrink meanwhile.
//
// Reading a page that the file no longer has, or that its disk does not give, raises SIGBUS, or an
// exception on Windows.
// While a map is watched, zeroed pages then take the place of the rest of it, and its reader goes
// on.
#ifndef CONCORDANCE_WATCH_H_
#define CONCORDANCE_WATCH_H_

#include "acre/mmap.h"

typedef struct watched_map {
    acre_mmap map;
    volatile size_t readable;  ///< bytes of the file from the map's base; less after a fault
} watched_map;

/// Installs the handler.  Every SIGBUS that is not about a watched map takes its default action.
ACRE_NODISCARD acre_status watch_install(void);

/// From now on faults in this map, and no other, are caught; NULL = none.
void watch(watched_map *map);

/// For the handler: zeroed pages from the one at `address` on; 0 when it is not the map's.
int watch_replace_rest(watched_map *watching, const void *address);

#endif  // CONCORDANCE_WATCH_H_
