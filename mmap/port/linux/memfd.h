// mmap/port/linux/memfd.h - memory that is an object of its own: files without a name in any
// folder.
#ifndef ACRE_MMAP_PORT_LINUX_MEMFD_H_
#define ACRE_MMAP_PORT_LINUX_MEMFD_H_

#include "mmap/port/linux/sys.h"

// Kernel memory with a name, closed on exec: a descriptor, or a failure (-EFBIG: RLIMIT_FSIZE).
// `huge` is a page size or 0; with huge pages the first writable map sets the size.
int acre_linux_memory_object(const char *name, uint64_t size, size_t huge);

#endif  // ACRE_MMAP_PORT_LINUX_MEMFD_H_
