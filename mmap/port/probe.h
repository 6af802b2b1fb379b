// mmap/port/probe.h - capabilities, each probed once: port_can() of every system's port.
#ifndef ACRE_MMAP_PORT_PROBE_H_
#define ACRE_MMAP_PORT_PROBE_H_

#include "mmap/port/memory.h"

#define probes acre_probes
#define probe_can acre_probe_can
#define probe_always acre_probe_always
#define probe_never acre_probe_never

/// Answers 1, 0, or -1: not to be found out now.
typedef int (*probe)(void);

/// One for each capability, from the system's port.
extern const probe probes[ACRE_CAPABILITY_COUNT];

/// What the probe of a capability answered; -1 when it cannot be found out now.
int probe_can(acre_capability what);

int probe_always(void);
int probe_never(void);

#endif  // ACRE_MMAP_PORT_PROBE_H_
