// sys/mman.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_MMAN_H_
#define ACRE_FREEBSD_SYS_MMAN_H_

#include <sys/types.h>

#define INHERIT_SHARE 0
#define INHERIT_COPY 1
#define INHERIT_NONE 2
#define INHERIT_ZERO 3

#define PROT_NONE 0x00
#define PROT_READ 0x01
#define PROT_WRITE 0x02
#define PROT_EXEC 0x04

#define MAP_SHARED 0x0001
#define MAP_PRIVATE 0x0002
#define MAP_FIXED 0x0010
#define MAP_NOSYNC 0x0800
#define MAP_ANON 0x1000
#define MAP_GUARD 0x00002000
#define MAP_EXCL 0x00004000
#define MAP_NOCORE 0x00020000
#define MAP_ALIGNED(n) ((n) << 24)
#define MAP_FAILED ((void *)-1)

#define MS_SYNC 0x0000
#define MS_ASYNC 0x0001

#define MADV_NORMAL 0
#define MADV_RANDOM 1
#define MADV_SEQUENTIAL 2
#define MADV_WILLNEED 3
#define MADV_DONTNEED 4
#define MADV_FREE 5
#define MADV_NOCORE 8
#define MADV_CORE 9

#define SHM_ANON ((char *)1)
#define MFD_CLOEXEC 0x00000001
#define MFD_ALLOW_SEALING 0x00000002

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int munmap(void *address, size_t size);
int mprotect(void *address, size_t size, int protection);
int madvise(void *address, size_t size, int advice);
int minherit(void *address, size_t size, int inheritance);
int mincore(const void *address, size_t size, char *present);
int mlock(const void *address, size_t size);
int munlock(const void *address, size_t size);
int msync(void *address, size_t size, int flags);
int getpagesizes(size_t *sizes, int capacity);
int shm_open(const char *path, int flags, mode_t mode);
int memfd_create(const char *name, unsigned int flags);

#endif  // ACRE_FREEBSD_SYS_MMAN_H_
