// mmap/port/linux/memfd.h - memory objects: files in kernel memory that are in no folder.
#ifndef ACRE_MMAP_PORT_LINUX_MEMFD_H_
#define ACRE_MMAP_PORT_LINUX_MEMFD_H_

#include "mmap/port/linux/sys.h"

// Creates a named memory object, closed on exec: a descriptor, or a failure (-EFBIG: RLIMIT_FSIZE).
// `huge` is a page size or 0; with huge pages the first writable map sets the size.
int acre_linux_memory_object(const char *name, uint64_t size, size_t huge);

#endif  // ACRE_MMAP_PORT_LINUX_MEMFD_H_
