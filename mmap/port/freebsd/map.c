// FreeBSD: mapping, access, locks, advice.
//
//   1. Reservations and guards are MAP_GUARD, which has no memory object and no accounting.
//      (Inaccessible anonymous memory will not do: when its first part becomes writable, the whole
//      is accounted for.)  mprotect on MAP_GUARD succeeds and changes nothing.  So reserved parts
//      get access by being mapped anew, which accounts for just them, and other pages by mprotect.
//      Only the table of areas shows which are which.
//   2. MAP_STACK is never used: it grows, and keeps a guard within the requested size.
//   3. No call reports fork behaviour (minherit).  So pages whose fork behaviour differs from the
//      map's are not mapped anew as long as they can be zeroed by hand.
#include "mmap/port/system.h"

#if ACRE_ON_FREEBSD

#include "mmap/port/freebsd/freebsd.h"

#include <string.h>
#include <sys/syscall.h>

const uint32_t acre_bsd_refused_flags = ACRE_MAP_LOCK_ON_FAULT | ACRE_MAP_HUGE;

// ---- mapping ------------------------------------------------------------------------------------

static int
kind_of_map(const port_request *request)
{
    int kind = MAP_GUARD;  // accepts only flags about the place
    if ((request->flags & ACRE_IS_RESERVATION) == 0) {
        kind = request->flags & ACRE_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE;
        if ((request->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0)
            kind |= MAP_ANON;
        if (request->flags & ACRE_MAP_NO_DUMP)
            kind |= MAP_NOCORE;
    }
    if (request->flags & ACRE_MAP_REPLACE)
        kind |= MAP_FIXED;
    else if (request->flags & ACRE_MAP_FIXED)
        kind |= MAP_FIXED | MAP_EXCL;
    else if (request->alignment > acre_port_page_size())
        kind |= MAP_ALIGNED(__builtin_ctzll(request->alignment));
    return kind;
}

static int
file_of(const port_request *request)
{
    if (request->flags & ACRE_IS_CLONE)
        return (int)bsd_image_of(request->file)->source;
    return request->flags & ACRE_IS_FILE ? posix_descriptor(request->file) : -1;
}

static acre_status
set_fork_behavior(void *base, size_t size, uint32_t flags)
{
    if (flags & ACRE_MAP_DONT_FORK)
        return sys_minherit(base, size, INHERIT_NONE);
    return flags & ACRE_MAP_WIPE_ON_FORK ? sys_minherit(base, size, INHERIT_ZERO) : ACRE_OK;
}

// Whether a program can get the requested place at all.
static int
is_usable_place(const port_request *request)
{
    if ((request->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) == 0)
        return 1;
    uint64_t bits = acre_port_address_bits();
    uint64_t last = (uintptr_t)request->address + (request->size - 1);
    return bits == 64 || last >> bits == 0;
}

acre_status
acre_bsd_map(const port_request *request, void **base)
{
    if (request->reach != 0)
        return acre_bsd_map_near(request, base);
    uint32_t flags = request->flags;
    int protection = flags & ACRE_IS_RESERVATION ? PROT_NONE : posix_protection(request->access);
    acre_status status = sys_mmap(request->address, request->size, protection, kind_of_map(request),
                                  file_of(request), request->offset, base);
    // An occupied place is reported as a lack of memory or an invalid argument.
    if ((status == -ENOMEM || status == -EINVAL) && flags & ACRE_MAP_FIXED) {
        int mapped = acre_freebsd_is_mapped(request->address, request->size);
        if (mapped == 1)
            return -EEXIST;
    }
    // The kernel also reports -EINVAL when accounting refuses (vm_mmap_to_errno).
    if (status == -EINVAL && (flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0 &&
        is_usable_place(request))
        return -ENOMEM;
    if (status != ACRE_OK)
        return flags & ACRE_IS_FILE ? acre_bsd_explain_file(status, request->file) : status;
    if (flags & ACRE_MAP_FIXED && *base != request->address)
        status = -EEXIST;
    else if ((uintptr_t)*base & (request->alignment - 1))
        status = -ENOMEM;
    else
        status = set_fork_behavior(*base, request->size, flags);
    if (status != ACRE_OK)
        (void)sys_munmap(*base, request->size);
    return status;
}

acre_status
acre_port_unmap(acre_mmap *map)
{
    acre_status status = sys_munmap(map->base, map->size);
    bsd_image *image = (bsd_image *)map->backing;
    bsd_image last;
    if (status == ACRE_OK && image != NULL && acre_bsd_image_release(image, map->size, &last))
        sys_close((int)last.source);
    return status;
}

// The system has no call that moves pages, so this copies.
acre_status
acre_bsd_move_pages(const acre_mmap *map, void *target)
{
    acre_area area;
    acre_status status = acre_port_area_at((uintptr_t)map->base, &area);
    if (status != ACRE_OK || area.flags & ACRE_AREA_RESERVED)
        return status;
    if ((area.access & ACRE_READ) == 0)
        return -ENOTSUP;
    acre_mmap copy = *map;
    copy.base = target;
    status = acre_bsd_give_access(&copy, target, map->size, ACRE_READ_WRITE);
    if (status != ACRE_OK)
        return status;
    memcpy(target, map->base, map->size);
    return sys_mprotect(target, map->size, posix_protection(area.access));
}

// ---- access, contents ---------------------------------------------------------------------------

// A refused map has removed what was in its place (vm_map_fixed): reserve the addresses again
// before anyone else gets them.  A thread that was faster keeps them.
static void
reserve_again(void *start, size_t length)
{
    void *base;
    (void)sys_mmap(start, length, PROT_NONE, MAP_GUARD | MAP_FIXED | MAP_EXCL, -1, 0, &base);
}

acre_status
acre_bsd_give_access(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    // A map that was always accessible has no reserved parts.
    if ((map->flags & ACRE_IS_RESERVATION) == 0 && (map->private_[0] & MIXED) == 0 &&
        map->access != ACRE_NONE)
        return sys_mprotect(start, length, posix_protection(access));
    acre_status status;
    // No need to read the table of areas, which is always read as a whole.
    if (map->flags & ACRE_IS_RESERVATION && is_as_made(map, start)) {
        status = acre_bsd_map_fresh(map, start, length, access);
        if (status != ACRE_OK)
            reserve_again(start, length);
        return status;
    }
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    bsd_walk walk;
    status = acre_bsd_walk_begin(&walk);
    if (status != ACRE_OK)
        return status;
    int all_reserved = 1;
    while (at < end && status == ACRE_OK) {
        acre_area area;
        status = acre_bsd_walk_next(&walk, at, &area);
        if (status >= 0 && (status == 0 || area.start > at))
            status = -ENOMEM;  // a hole
        if (status < 0)
            break;
        size_t part = (area.end < end ? area.end : end) - at;
        int reserved = (area.flags & ACRE_AREA_RESERVED) != 0;
        all_reserved &= reserved;
        status = reserved ? acre_bsd_map_fresh(map, (void *)at, part, access)
                          : sys_mprotect((void *)at, part, posix_protection(access));
        if (status == ACRE_OK)
            at += part;
        else if (reserved)
            reserve_again((void *)at, part);
    }
    acre_bsd_walk_end(&walk);
    if (status != ACRE_OK && all_reserved && at != (uintptr_t)start)
        (void)acre_bsd_map_fresh(map, start, at - (uintptr_t)start, ACRE_NONE);
    return status;
}

acre_status
acre_bsd_free_lazily(void *start, size_t length)
{
    acre_status status = sys_madvise(start, length, MADV_FREE);
    return status == -EINVAL ? -ENOTSUP : status;
}

acre_status
acre_bsd_touch(const void *page)
{
    // The kernel reads a signal set from there, so no signal is raised, and then rejects the
    // invalid operation.  Called by number: the threads library would read the set itself.
    int saved = errno;
    acre_status status = status_of(syscall(SYS_sigprocmask, 0, page, NULL), saved);
    return status == -EINVAL ? ACRE_OK : -EFAULT;
}

int
acre_bsd_huge(const port_request *request)
{
    size_t huge = acre_port_transparent_huge_size();
    return huge != 0 && request->size >= huge && (request->flags & ACRE_IS_FILE) == 0;
}

// Locks do not nest, and unlocking what is not locked succeeds.
acre_status
acre_bsd_lock(void *start, size_t length)
{
    return sys_mlock(start, length);
}

acre_status
acre_bsd_unlock(void *start, size_t length)
{
    return sys_munlock(start, length);
}

// ---- advice -------------------------------------------------------------------------------------

static acre_status
give_advice(const acre_mmap *map, void *start, size_t length, acre_advice advice)
{
    int shared = (map->flags & (ACRE_MAP_SHARED | ACRE_IS_RING | ACRE_IS_TWIN)) != 0;
    switch (advice) {
    case ACRE_ADVISE_NORMAL:
        return sys_madvise(start, length, MADV_NORMAL);
    case ACRE_ADVISE_SEQUENTIAL:
        return sys_madvise(start, length, MADV_SEQUENTIAL);
    case ACRE_ADVISE_RANDOM:
        return sys_madvise(start, length, MADV_RANDOM);
    case ACRE_ADVISE_WILL_NEED:
        return sys_madvise(start, length, MADV_WILLNEED);
    case ACRE_ADVISE_COLD:
        return sys_madvise(start, length, MADV_DONTNEED);  // contents stay
    case ACRE_ADVISE_HUGE:
        // Pages become huge by themselves where the system permits it.
        return acre_port_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES) ? ACRE_OK : -ENOTSUP;
    case ACRE_ADVISE_NO_HUGE:
        return ACRE_OK;  // only touched pages become huge, so none costs memory: platforms.md
    case ACRE_ADVISE_NO_DUMP:
        return sys_madvise(start, length, MADV_NOCORE);
    case ACRE_ADVISE_DUMP:
        return sys_madvise(start, length, MADV_CORE);
    case ACRE_ADVISE_DONT_FORK:
        return sys_minherit(start, length, INHERIT_NONE);
    case ACRE_ADVISE_WIPE_ON_FORK:
        return shared || map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)
                   ? -EINVAL
                   : sys_minherit(start, length, INHERIT_ZERO);
    case ACRE_ADVISE_DO_FORK:
    case ACRE_ADVISE_KEEP_ON_FORK:
        return sys_minherit(start, length, shared ? INHERIT_SHARE : INHERIT_COPY);
    case ACRE_ADVISE_PAGE_OUT:
    case ACRE_ADVISE_COLLAPSE:
    default:
        return -ENOTSUP;
    }
}

acre_status
acre_port_advise(acre_mmap *map, void *start, size_t length, acre_advice advice)
{
    acre_status status = give_advice(map, start, length, advice);
    if (status == ACRE_OK && advice >= ACRE_ADVISE_NO_DUMP)
        map->private_[1] |= BSD_CHANGED;
    return status;
}

#endif  // ACRE_ON_FREEBSD
