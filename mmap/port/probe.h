// mmap/port/probe.h - capabilities, each probed once: acre_port_can() of every system's port.
#ifndef ACRE_MMAP_PORT_PROBE_H_
#define ACRE_MMAP_PORT_PROBE_H_

#include "mmap/port/memory.h"

#include <stdatomic.h>

/// Returns 1, 0, PROBE_NOW, or -1: not to be found out now.
typedef int (*probe)(void);
enum { PROBE_NOW = 2 };  ///< Yes, but ask again: the program may change it.

/// One for each capability, from the system's port.
extern const probe acre_probes[ACRE_CAPABILITY_COUNT];

/// Bits of capabilities that are denied whatever the system has: 0 but in tests (tests/support/
/// pretend.c).
extern _Atomic uint32_t acre_probe_denied;

/// What the probe of a capability answered; -1 when it cannot be found out now.
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
