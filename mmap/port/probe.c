// Capabilities: probed on first use, remembered once known.
#include "mmap/port/probe.h"

static _Atomic uint32_t known_capabilities;
static _Atomic uint32_t present_capabilities;
_Atomic uint32_t acre_probe_denied;

int
acre_probe_can(acre_capability what)
{
    uint32_t bit = (uint32_t)1 << what;
    if (atomic_load_explicit(&acre_probe_denied, memory_order_relaxed) & bit)
        return 0;
    if ((atomic_load_explicit(&known_capabilities, memory_order_acquire) & bit) == 0) {
        int found = acre_probes[what]();
        if (found < 0 || found == PROBE_NOW)
            return found < 0 ? -1 : 1;
        if (found)
            atomic_fetch_or_explicit(&present_capabilities, bit, memory_order_relaxed);
        atomic_fetch_or_explicit(&known_capabilities, bit, memory_order_release);
    }
    return (atomic_load_explicit(&present_capabilities, memory_order_relaxed) & bit) != 0;
}

int
acre_port_can(acre_capability what)
{
    return acre_probe_can(what) == 1;
}
