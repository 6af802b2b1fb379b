// mmap/port/freebsd/freebsd.h - what the files of the FreeBSD port share.
#ifndef ACRE_MMAP_PORT_FREEBSD_FREEBSD_H_
#define ACRE_MMAP_PORT_FREEBSD_FREEBSD_H_

#include "mmap/port/bsd/bsd.h"

// Creates memory as an unnamed file, closed on exec: a descriptor, or a failure.
int acre_freebsd_memory_object(uint64_t size, int sealable);
// Returns whether something is mapped in the range: 1, 0, or a failure.
int acre_freebsd_is_mapped(const void *start, size_t length);
// Reads one of the system's numbers, of 1 to 8 bytes; 0 when there is none with that name.
uint64_t acre_freebsd_read_number(const char *name);

#endif  // ACRE_MMAP_PORT_FREEBSD_FREEBSD_H_
