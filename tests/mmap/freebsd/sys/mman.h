// sys/mman.h - FreeBSD's memory calls on Linux (fake_freebsd.c), for the port's own sources.
#ifndef ACRE_TESTS_FREEBSD_SYS_MMAN_H_
#define ACRE_TESTS_FREEBSD_SYS_MMAN_H_

#pragma GCC system_header  // include_next is an extension

#include_next <sys/mman.h>

#include <stddef.h>
#include <sys/types.h>

// In bits that Linux does not use.
#define MAP_GUARD 0x40000000
#define MAP_EXCL 0x20000000
#define MAP_NOCORE 0x10000000
#define MAP_NOSYNC 0x08000000
#define MAP_ALIGNED(n) ((n) << 22)

#define MADV_NOCORE MADV_DONTDUMP
#define MADV_CORE MADV_DODUMP

#define INHERIT_SHARE 0
#define INHERIT_COPY 1
#define INHERIT_NONE 2
#define INHERIT_ZERO 3

#define SHM_ANON ((char *)1)

#define mmap fake_mmap
#define mprotect fake_mprotect

void *fake_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int fake_mprotect(void *address, size_t size, int protection);
int minherit(void *address, size_t size, int inheritance);
int getpagesizes(size_t *sizes, int capacity);

#endif  // ACRE_TESTS_FREEBSD_SYS_MMAN_H_
