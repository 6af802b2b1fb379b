#include "tests/support/pretend.h"

#include "mmap/port/probe.h"

void acre_port_pretend_without(acre_capability what)
{
    atomic_fetch_or(&acre_probe_denied, (uint32_t)1 << what);
}

void acre_port_pretend_nothing(void)
{
    atomic_store(&acre_probe_denied, 0);
}
