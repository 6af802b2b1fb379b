// mmap/process.h - tells the child of a fork from its parent.
//
// All packages use this number, never the system's process ID, to record which process does
// something (holds a lock, populates pages).  In a new PID namespace a child may have the same ID
// as its parent.
#ifndef ACRE_MMAP_PROCESS_H_
#define ACRE_MMAP_PROCESS_H_

#include <stdint.h>

#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

/// Returns a number that no ancestor of this process has, never 0 and below 2^31.  A child of
/// a fork gets a new one when it calls this.
///
/// @return ACRE_OK; -ENOMEM or ACRE_TOO_MANY_AREAS when the first call could not map a page
acre_status acre_process_number(uint32_t *number);

/// Returns 1 when `number` belongs to this process, else 0.  `number` comes from
/// acre_process_number in this process or an ancestor.  Costs only loads; where memory cannot be
/// wiped in children, one call of acre_port_process_id.
int acre_process_is(uint32_t number);

ACRE_EXTERN_C_END

#endif  // ACRE_MMAP_PROCESS_H_
