// mmap/port/freebsd/freebsd.h - what the files of the FreeBSD port share.
#ifndef ACRE_MMAP_PORT_FREEBSD_FREEBSD_H_
#define ACRE_MMAP_PORT_FREEBSD_FREEBSD_H_

#include "mmap/port/bsd/bsd.h"

// Memory as a file without a name, closed on exec: a descriptor, or a failure.
int acre_freebsd_memory_object(uint64_t size, int sealable);
// Whether something is mapped in the range: 1, 0, or a failure.
int acre_freebsd_is_mapped(const void *start, size_t length);
// A number of the system's, of 1 to 8 bytes; 0 when there is none of that name.
uint64_t acre_freebsd_read_number(const char *name);

#endif  // ACRE_MMAP_PORT_FREEBSD_FREEBSD_H_
