// mmap/process.h - whether this is still the same process, or the child of a fork.
//
// For all packages: whoever notes who is doing something (holds a lock, populates pages) notes this
// number, never the system's own.  A child in a new namespace of processes may have the number that
// its parent has.
#ifndef ACRE_MMAP_PROCESS_H_
#define ACRE_MMAP_PROCESS_H_

#include <stdint.h>

#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

/// A number that no ancestor of this process has, never 0 and never UINT32_MAX.  A child of a fork
/// gets another when it asks.
///
/// @return ACRE_OK, or why the first call could not map a page: -ENOMEM, ACRE_TOO_MANY_AREAS
acre_status acre_process_number(uint32_t *number);

/// 1 when `number` is this process's, else 0.  It came from acre_process_number, here or in an
/// ancestor.  Loads only; where no memory is wiped in children, one call of acre_port_process_id.
int acre_process_is(uint32_t number);

ACRE_EXTERN_C_END

#endif  // ACRE_MMAP_PROCESS_H_
