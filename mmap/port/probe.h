// mmap/port/probe.h - capabilities, each probed once: implements acre_port_can() for every system.
#ifndef ACRE_MMAP_PORT_PROBE_H_
#define ACRE_MMAP_PORT_PROBE_H_

#include "mmap/port/memory.h"

#include <stdatomic.h>

/// Returns 1, 0, PROBE_NOW, or -1 when that cannot be determined now.
typedef int (*probe)(void);
enum { PROBE_NOW = 2 };  ///< Yes, but probe again: the program may change it.

/// One for each capability, from the system's port.
extern const probe acre_probes[ACRE_CAPABILITY_COUNT];

/// Bits of capabilities that are denied whatever the system has; 0 except in tests
/// (tests/support/pretend.c).
extern _Atomic uint32_t acre_probe_denied;

/// Returns the result of a capability's probe, 1 or 0; -1 when it cannot be determined now.
int acre_probe_can(acre_capability what);

static inline int
probe_always(void)
{
    return 1;
}

static inline int
probe_never(void)
{
    return 0;
}

#endif  // ACRE_MMAP_PORT_PROBE_H_
