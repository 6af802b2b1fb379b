// Linux: the contents and residency of pages: guards, discarding, locks, advice.
//
// A guard is a marker in the page tables, which costs no area.  Where the kernel has no markers,
// and on locked pages, which take none, a guard is a protected page.  MADV_DONTNEED drops pages and
// so restores their first contents; locked pages need a different call.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/check.h"
#include "mmap/port/area.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/probe.h"

#include <stdatomic.h>
#include <sys/uio.h>

// The kernel does not drop locked pages of shared memory; before 5.18 it drops no locked pages at
// all.  So unlock them, drop them and lock them again.
static acre_status
drop_locked(const acre_mmap *map, void *start, size_t length, int advice)
{
    acre_status status = sys_munlock(start, length);
    if (status == ACRE_OK)
        status = linux_advise(start, length, advice);
    acre_status locked = sys_mlock_on_fault(start, length);
    if (status == ACRE_OK && locked == ACRE_OK && map->flags & ACRE_MAP_LOCKED)
        locked = sys_mlock(start, length);
    return status != ACRE_OK ? status : locked;
}

// Drops area by area: the kernel locks whole areas, so pages that were not locked stay unlocked.
static acre_status
drop_areas(const acre_mmap *map, void *start, size_t length, int advice)
{
    char *end = (char *)start + length;
    for (char *at = start; at < end;) {
        acre_area area;
        acre_status status = acre_port_area_at((uintptr_t)at, &area);
        if (status != ACRE_OK)
            return status;
        char *part_end = area.end < (uintptr_t)end ? (char *)area.end : end;
        size_t part = (size_t)(part_end - at);
        status = linux_advise(at, part, advice);
        if (status == -EINVAL)
            status = drop_locked(map, at, part, advice);
        if (status != ACRE_OK)
            return status;
        at = part_end;
    }
    return ACRE_OK;
}

// Restores the first contents of the range.  Not for shared file maps.
static acre_status
empty_pages(const acre_mmap *map, void *start, size_t length)
{
    int advice = posix_is_shared_memory(map) ? MADV_REMOVE : MADV_DONTNEED;
    acre_status status = linux_advise(start, length, advice);
    if (status == -EINVAL && advice == MADV_DONTNEED)
        status = linux_advise(start, length, LINUX_MADV_DONTNEED_LOCKED);
    int unknown = status == -EINVAL || (status == -ENOTSUP && advice == MADV_DONTNEED);
    if (unknown && acre_linux_takes_advice(advice) == 0)
        return -ENOTSUP;
    return unknown ? drop_areas(map, start, length, advice) : status;
}

acre_status
acre_port_discard(acre_mmap *map, void *start, size_t length, uint32_t when)
{
    int lazily = when == ACRE_DISCARD_LAZY && !posix_is_shared_memory(map) &&
                 (map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0;
    if (lazily) {
        acre_status status = linux_advise(start, length, MADV_FREE);
        if (status != -EINVAL && status != -ENOTSUP)
            return linux_explain_advice(status);
    }
    return linux_explain_advice(empty_pages(map, start, length));
}

// ---- many ranges --------------------------------------------------------------------------------

// Gives advice on many ranges by one call and sets *bytes to how much it handled.  From 6.13 on.
static acre_status
advise_batch(const struct iovec *ranges, size_t count, int advice, size_t *bytes)
{
    enum { PIDFD_SELF = -10000 };
    int saved = errno;
    long done = syscall(LINUX_SYS_process_madvise, PIDFD_SELF, ranges, count, advice, 0);
    if (done < 0)
        return status_of(-1, saved);
    *bytes = (size_t)done;
    return ACRE_OK;
}

// Gives advice on many ranges by few calls, and uses `one` for a range that such a call refuses
// (because it is locked, for example).  Sets *done to the number of ranges handled.
static acre_status
advise_many(const acre_range *ranges, size_t count, int advice,
            acre_status (*one)(void *start, size_t length), size_t *done)
{
    static _Atomic int refused = LINUX_IS_ANDROID;
    enum { BATCH = 128 };
    struct iovec batch[BATCH];
    *done = 0;
    while (*done < count) {
        size_t filled = 0;
        for (; filled < BATCH && *done + filled < count; filled++) {
            batch[filled].iov_base = ranges[*done + filled].base;
            batch[filled].iov_len = ranges[*done + filled].length;
        }
        size_t bytes = 0;
        acre_status batched = ACRE_OK;
        // Kernels that have markers have the call; Valgrind, which knows neither, would complain.
        if (filled > 1 && !atomic_load_explicit(&refused, memory_order_relaxed) &&
            acre_port_can(ACRE_CAN_GUARD_WITH_MARKERS))
            batched = advise_batch(batch, filled, advice, &bytes);
        // The call stops inside the first range that it refuses.
        size_t taken = 0;
        while (taken < filled && bytes >= batch[taken].iov_len)
            bytes -= batch[taken++].iov_len;
        *done += taken;
        if (taken == filled)
            continue;
        const acre_range *next = &ranges[*done];
        acre_status status = next->length == 0 ? ACRE_OK : one(next->base, next->length);
        if (status != ACRE_OK)
            return status;  // perhaps a sealed range, which says nothing about the batch
        if (batched == -ENOTSUP || batched == -EPERM || batched == -EBADF)
            atomic_store_explicit(&refused, 1, memory_order_relaxed);
        ++*done;
    }
    return ACRE_OK;
}

static acre_status
discard_now(void *start, size_t length)
{
    acre_mmap anonymous = {0};
    return acre_port_discard(&anonymous, start, length, ACRE_DISCARD_NOW);
}

static acre_status
discard_lazily(void *start, size_t length)
{
    acre_mmap anonymous = {0};
    return acre_port_discard(&anonymous, start, length, ACRE_DISCARD_LAZY);
}

acre_status
acre_port_discard_many(const acre_range *ranges, size_t count, uint32_t when, size_t *done)
{
    return when == ACRE_DISCARD_LAZY ? advise_many(ranges, count, MADV_FREE, discard_lazily, done)
                                     : advise_many(ranges, count, MADV_DONTNEED, discard_now, done);
}

int
acre_port_discards_at_once(void)
{
    return 1;
}

acre_status
acre_port_shrink_stack(acre_mmap *map, void *start, size_t length, size_t keep)
{
    return acre_port_discard(map, start, length - keep, ACRE_DISCARD_NOW);
}

static acre_status
install_marker(void *start, size_t length)
{
    return linux_advise(start, length, LINUX_MADV_GUARD_INSTALL);
}

acre_status
acre_port_guard_many(const acre_range *ranges, size_t count, size_t *done)
{
    *done = 0;
    if (!acre_port_can(ACRE_CAN_GUARD_WITH_MARKERS))
        return -ENOTSUP;
    return linux_explain_advice(
        advise_many(ranges, count, LINUX_MADV_GUARD_INSTALL, install_marker, done));
}

// ---- guards -------------------------------------------------------------------------------------

acre_status
acre_port_guard(acre_mmap *map, void *start, size_t length, uint32_t *kind)
{
    // Shared memory can only be emptied while it is writable.  Private pages are dropped by the
    // marker, or after the guard is in place.
    int shared = posix_is_shared_memory(map);
    acre_status status = shared ? linux_explain_advice(empty_pages(map, start, length)) : ACRE_OK;
    if (status != ACRE_OK)
        return status;
    // Locked pages take no markers, and a later commit could not lock pages that have one.  Neither
    // do huge pages, and a commit of reserved ones would lose those that the addresses have.
    enum { NEVER = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT | ACRE_MAP_HUGE };
    // Also try when it is unknown whether there are markers: at the limit on areas there is no page
    // to probe with.
    int tried = (map->flags & NEVER) == 0 && acre_probe_can(ACRE_CAN_GUARD_WITH_MARKERS) != 0;
    if (tried) {
        *kind = ACRE_HAS_MARKER_GUARDS;
        status = linux_advise(start, length, LINUX_MADV_GUARD_INSTALL);
        if (status == ACRE_OK)
            return ACRE_OK;
        // A page may be locked or sealed; pages before it may already have markers.  If the map had
        // some before this call, all stay: the new ones cannot be told from the old.
        if ((map->flags & ACRE_HAS_MARKER_GUARDS) == 0)
            (void)linux_advise(start, length, LINUX_MADV_GUARD_REMOVE);
        // Any other refusal is one of markers: of locked pages, or by a sandbox.
        if (status == -ENOMEM || status == -EAGAIN)
            return linux_explain_advice(status);
    }
    *kind = ACRE_HAS_PAGE_GUARDS;
    status = linux_explain(sys_mprotect(start, length, PROT_NONE));
    if (status != ACRE_OK)
        return status;
    if (tried && map->flags & ACRE_HAS_MARKER_GUARDS)
        (void)linux_advise(start, length, LINUX_MADV_GUARD_REMOVE);
    return shared ? ACRE_OK : linux_explain_advice(empty_pages(map, start, length));
}

acre_status
acre_port_unguard(acre_mmap *map, void *start, size_t length, int set_access)
{
    // Access first: if that is refused, everything is still guarded.
    if (set_access) {
        acre_status status = acre_port_protect(map, start, length, map->access);
        if (status != ACRE_OK) {
            // Part of the range may have become accessible.
            if (map->flags & ACRE_HAS_PAGE_GUARDS)
                (void)sys_mprotect(start, length, PROT_NONE);
            return status;
        }
    }
    if ((map->flags & ACRE_HAS_MARKER_GUARDS) == 0)
        return ACRE_OK;
    return linux_explain_advice(linux_advise(start, length, LINUX_MADV_GUARD_REMOVE));
}

// ---- locks, residency ---------------------------------------------------------------------------

acre_status
acre_port_lock(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    acre_status status = linux_explain(sys_mlock(start, length));
    if (status != ACRE_OK)
        (void)sys_munlock(start, length);  // a part may be locked, or all of it but not present
    return status;
}

acre_status
acre_port_lock_on_fault(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    acre_status status = linux_explain(sys_mlock_on_fault(start, length));
    if (status != ACRE_OK && status != -ENOTSUP)
        (void)sys_munlock(start, length);
    return status;
}

acre_status
acre_port_unlock(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    return linux_explain(sys_munlock(start, length));
}

acre_status
acre_port_populate(acre_mmap *map, void *start, size_t length)
{
    // Writing would copy a private file's pages and mark a shared file's pages as modified.
    int copies = (map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) != 0;
    acre_status status = -EINVAL;
    if ((map->access & ACRE_WRITE || map->private_[0] & MIXED) && !copies)
        status = linux_advise(start, length, LINUX_MADV_POPULATE_WRITE);
    // A part is not writable, or the kernel is older than 5.14.
    if (status == -EINVAL)
        status = linux_advise(start, length, LINUX_MADV_POPULATE_READ);
    if (status == -EINVAL && !acre_linux_can_populate())
        return -ENOTSUP;
    // Of huge pages without a file only those can be missing that the pool does not have.
    int of_pool = (map->flags & (ACRE_MAP_HUGE | ACRE_IS_FILE)) == ACRE_MAP_HUGE;
    return of_pool && status == -EFAULT ? -ENOMEM : linux_explain(status);
}

// ---- advice -------------------------------------------------------------------------------------

acre_status
acre_port_advise(acre_mmap *map, void *start, size_t length, acre_advice advice)
{
    static const int table[] = {
        [ACRE_ADVISE_NORMAL] = MADV_NORMAL,
        [ACRE_ADVISE_SEQUENTIAL] = MADV_SEQUENTIAL,
        [ACRE_ADVISE_RANDOM] = MADV_RANDOM,
        [ACRE_ADVISE_WILL_NEED] = MADV_WILLNEED,
        [ACRE_ADVISE_COLD] = LINUX_MADV_COLD,
        [ACRE_ADVISE_PAGE_OUT] = LINUX_MADV_PAGEOUT,
        [ACRE_ADVISE_HUGE] = MADV_HUGEPAGE,
        [ACRE_ADVISE_NO_HUGE] = MADV_NOHUGEPAGE,
        [ACRE_ADVISE_COLLAPSE] = LINUX_MADV_COLLAPSE,
        [ACRE_ADVISE_NO_DUMP] = MADV_DONTDUMP,
        [ACRE_ADVISE_DUMP] = MADV_DODUMP,
        [ACRE_ADVISE_DONT_FORK] = MADV_DONTFORK,
        [ACRE_ADVISE_DO_FORK] = MADV_DOFORK,
        [ACRE_ADVISE_WIPE_ON_FORK] = MADV_WIPEONFORK,
        [ACRE_ADVISE_KEEP_ON_FORK] = MADV_KEEPONFORK,
    };
    (void)map;
    int can = advice >= ACRE_ADVISE_NO_DUMP ? acre_probe_can(ACRE_CAN_EXCLUDE_FROM_DUMPS) : 1;
    if (can != 1)
        return can == 0 ? -ENOTSUP : -ENOMEM;
    return linux_explain_refusal(linux_advise(start, length, table[advice]), table[advice]);
}

#endif  // ACRE_ON_LINUX
