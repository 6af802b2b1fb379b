// POSIX systems: the port functions that are the same on all of them.
#include "mmap/port/system.h"

#if ACRE_ON_POSIX

#include "mmap/port/posix/posix.h"

#include <stdatomic.h>
#include <sys/resource.h>

// ---- facts --------------------------------------------------------------------------------------

size_t
acre_port_page_size(void)
{
    static _Atomic size_t known;
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);
    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

size_t
acre_port_granularity(void)
{
    return acre_port_page_size();
}

uint64_t
acre_port_address_limit(void)
{
    struct rlimit limit;
    int saved = errno;
    int limited = status_of(getrlimit(RLIMIT_AS, &limit), saved) == ACRE_OK &&
                  limit.rlim_cur != RLIM_INFINITY;
    return limited ? (uint64_t)limit.rlim_cur : UINT64_MAX;
}

// ---- files and processes ------------------------------------------------------------------------

acre_status
acre_port_flush(acre_mmap *map, void *start, size_t length, uint32_t how)
{
    (void)map;
    int saved = errno;
    return status_of(msync(start, length, how == ACRE_FLUSH_WAIT ? MS_SYNC : MS_ASYNC), saved);
}

acre_status
acre_port_file_open(const char *path, int writable, acre_file *file, uint64_t *size)
{
    // NONBLOCK: do not wait for the writer of a pipe.
    int how = (writable ? O_RDWR : O_RDONLY) | O_NOCTTY;
    int opened = sys_open(path, how | O_NONBLOCK);
    struct stat status;
    int saved = errno;
    // A lease on the file (Linux): wait, as any open does, until its holder has given it up.
    if (opened == -EAGAIN && status_of(stat(path, &status), saved) == ACRE_OK &&
        S_ISREG(status.st_mode))
        opened = sys_open(path, how);
    if (opened < 0)
        return opened;
    acre_status result = status_of(fstat(opened, &status), saved);
    if (result == ACRE_OK && !S_ISREG(status.st_mode))
        result = ACRE_NOT_A_FILE;
    if (result != ACRE_OK) {
        sys_close(opened);
        return result;
    }
    *file = opened;
    *size = (uint64_t)status.st_size;
    return ACRE_OK;
}

void
acre_port_file_close(acre_file file)
{
    sys_close((int)file);
}

acre_process
acre_port_process_id(void)
{
    return getpid();
}

// ---- room near an address -----------------------------------------------------------------------

static uintptr_t
distance(uintptr_t a, uintptr_t b)
{
    return a > b ? a - b : b - a;
}

static void
consider_hole(posix_room *room, uintptr_t start, uintptr_t end)
{
    if (start < room->low)
        start = room->low;
    if (end > room->high)
        end = room->high;
    if (start > UINTPTR_MAX - (room->alignment - 1))
        return;
    uintptr_t first = (start + room->alignment - 1) & ~(uintptr_t)(room->alignment - 1);
    if (first > end || end - first < room->size)
        return;
    uintptr_t last = (end - room->size) & ~(uintptr_t)(room->alignment - 1);
    uintptr_t at = room->center & ~(uintptr_t)(room->alignment - 1);
    at = at < first ? first : at > last ? last : at;
    if (room->best == 0 || distance(at, room->center) < distance(room->best, room->center))
        room->best = at;
}

void
acre_posix_consider(posix_room *room, uintptr_t start, uintptr_t end)
{
    if (room->beyond == 0) {
        consider_hole(room, start, end);
        return;
    }
    // The part of the hole below the center, and the part above.
    uintptr_t center = room->center, beyond = room->beyond;
    uintptr_t low_end = center > beyond ? center - beyond : 0;
    low_end = low_end > UINTPTR_MAX - room->size ? UINTPTR_MAX : low_end + room->size;
    uintptr_t high_start = center > UINTPTR_MAX - beyond ? UINTPTR_MAX : center + beyond;
    consider_hole(room, start, end < low_end ? end : low_end);
    consider_hole(room, start > high_start ? start : high_start, end);
}

posix_room
acre_posix_room_within(size_t size, size_t alignment, uintptr_t near_address, size_t reach)
{
    enum { LOWEST = 64 * 1024 };  // the system keeps the lowest pages
    posix_room room = {
        .size = size,
        .alignment = alignment,
        .low =
            near_address > reach && near_address - reach > LOWEST ? near_address - reach : LOWEST,
        .high = near_address > UINTPTR_MAX - reach ? UINTPTR_MAX : near_address + reach,
        .center = near_address,
    };
    return room;
}

#endif  // ACRE_ON_POSIX
