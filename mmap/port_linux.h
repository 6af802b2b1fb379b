// mmap/port_linux.h - system calls as the Linux port makes them: failures by value, errno kept.
#ifndef ACRE_MMAP_PORT_LINUX_H_
#define ACRE_MMAP_PORT_LINUX_H_

// Before the first system header.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64

// In the symbol table these carry the library's prefix, as the port's functions do.
#define linux_out_of_memory acre_linux_out_of_memory
#define linux_query_self acre_linux_query_self
#define linux_read_file acre_linux_read_file
#define linux_read_number acre_linux_read_number
#define linux_smallest_huge_size acre_linux_smallest_huge_size

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "mmap/port.h"

// Newer than the headers that acre is built with may be.
enum {
    LINUX_MAP_FIXED_NOREPLACE = 0x100000,
    LINUX_MADV_POPULATE_READ = 22,
    LINUX_MADV_POPULATE_WRITE = 23,
    LINUX_MADV_DONTNEED_LOCKED = 24,
    LINUX_MADV_GUARD_INSTALL = 102,
    LINUX_MADV_GUARD_REMOVE = 103
};

// `result` is that of a call that answers -1 on failure, `saved` the errno from before it.
static inline acre_status
status_of(long result, int saved)
{
    if (result != -1)
        return ACRE_OK;
    int error = errno;
    errno = saved;
    if (error == ENOSYS)
        return -ENOTSUP;
    return error > 0 ? -error : -EIO;  // never the latter: so that compilers see a failure, too
}

static inline acre_status
sys_mmap(void *address, size_t size, int protection, int flags, int file, uint64_t offset, void **base)
{
    int saved = errno;
    void *result = mmap(address, size, protection, flags, file, (off_t)offset);
    if (result == MAP_FAILED)
        return status_of(-1, saved);
    *base = result;
    return ACRE_OK;
}

static inline acre_status
sys_munmap(void *base, size_t size)
{
    int saved = errno;
    return status_of(munmap(base, size), saved);
}

static inline acre_status
sys_madvise(void *base, size_t size, int advice)
{
    int saved = errno;
    return status_of(madvise(base, size, advice), saved);
}

// The descriptor, or a failure.
static inline int
sys_open(const char *path, int flags)
{
    int saved = errno;
    int file;
    do
        file = open(path, flags | O_CLOEXEC);
    while (file == -1 && errno == EINTR);
    return file == -1 ? status_of(-1, saved) : file;
}

static inline void
sys_close(int file)
{
    // The descriptor is gone whatever close answers, and nothing was written through it.
    int saved = errno;
    (void)close(file);
    errno = saved;
}

// Bytes read, 0 at the end, or a failure.
static inline ssize_t
sys_read(int file, void *bytes, size_t count)
{
    int saved = errno;
    ssize_t got;
    do
        got = read(file, bytes, count);
    while (got == -1 && errno == EINTR);
    return got == -1 ? status_of(-1, saved) : got;
}

static inline acre_status
sys_ioctl(int file, unsigned long request, void *argument, int *answer)
{
    int saved = errno;
    int result = ioctl(file, request, argument);
    if (result == -1)
        return status_of(-1, saved);
    *answer = result;
    return ACRE_OK;
}

// The first `capacity` - 1 bytes of a small file, ended by 0; the count, or a failure.
ssize_t linux_read_file(const char *path, char *text, size_t capacity);
// The number at the start of a file; 0 when there is none.
uint64_t linux_read_number(const char *path);
// The smallest explicit huge page size; 0 when there is none.
size_t linux_smallest_huge_size(void);
// PROCMAP_QUERY for the area at `address` of this process; -ENOTSUP or another failure where the kernel has none.
acre_status linux_query_self(uintptr_t address, acre_area *out);
// -ENOMEM, or ACRE_TOO_MANY_AREAS when the process was seen to be at that limit.
acre_status linux_out_of_memory(void);


#endif  // ACRE_MMAP_PORT_LINUX_H_
