// macOS and iOS: mapping, access, locks, advice.
//
// Memory is mapped by mach_vm_map, which accepts more than mmap, all in one step: an alignment, the
// behaviour at fork, a place that must be free (FIXED without OVERWRITE).  Files are mapped by
// mmap, which cannot demand a free place: addresses are claimed first and then mapped over.  Memory
// is not accounted for in advance.
//
// Memory for code that may be written and run at once (MAP_JIT) comes only from mmap, at no fixed
// address; the kernel refuses to map it anew or, while it is both, to remove its access.
#include "mmap/port/system.h"

#if ACRE_ON_DARWIN

#include "mmap/port/darwin/darwin.h"

const uint32_t acre_bsd_refused_flags =
    ACRE_MAP_NO_DUMP | ACRE_MAP_LOCK_ON_FAULT | ACRE_MAP_WIPE_ON_FORK;

acre_status
acre_darwin_status(kern_return_t result)
{
    switch (result) {
    case KERN_SUCCESS:
        return ACRE_OK;
    case KERN_INVALID_ADDRESS:
    case KERN_INVALID_ARGUMENT:
    case KERN_INVALID_VALUE:
        return -EINVAL;
    case KERN_PROTECTION_FAILURE:
    case KERN_NO_ACCESS:
    case KERN_INVALID_RIGHT:
    case KERN_INVALID_CAPABILITY:
        return -EACCES;
    case KERN_NO_SPACE:
    case KERN_RESOURCE_SHORTAGE:
        return -ENOMEM;
    case KERN_NOT_SUPPORTED:
    case MIG_BAD_ID:
        return -ENOTSUP;
    case KERN_INVALID_TASK:
    case KERN_TERMINATED:
    case MACH_SEND_INVALID_DEST:
        return -ESRCH;
    case KERN_DENIED:
        return -EPERM;
    default:
        return -EIO;
    }
}

// ---- mapping ------------------------------------------------------------------------------------

// Why no address was found.  The limits RLIMIT_AS and RLIMIT_DATA have the result of an occupied
// place.
static acre_status
explain_no_space(const port_request *request)
{
    darwin_region_info region;
    uintptr_t start = (uintptr_t)request->address;
    int occupied = request->flags & ACRE_MAP_FIXED &&
                   acre_darwin_region(mach_task_self(), start, &region) == 1 &&
                   region.start < start + request->size;
    return occupied ? -EEXIST : -ENOMEM;
}

// Sets *anywhere to the request without its address, and returns whether that was only a wish.  The
// kernel looks only above the address that it is given.
static int
without_wish(const port_request *request, port_request *anywhere)
{
    *anywhere = *request;
    anywhere->address = NULL;
    return request->address != NULL && (request->flags & (ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) == 0;
}

acre_status
acre_darwin_map_memory(const port_request *request, mem_entry_name_port_t object, void **base)
{
    uint32_t flags = request->flags;
    int placement = darwin_placement(flags);
    vm_prot_t protection =
        flags & ACRE_IS_RESERVATION ? VM_PROT_NONE : posix_protection(request->access);
    // Must not exceed what a memory entry permits.
    vm_prot_t most = flags & ACRE_IS_RING ? VM_PROT_READ | VM_PROT_WRITE : VM_PROT_ALL;
    if (flags & ACRE_MAP_HUGE && (flags & ACRE_IS_RESERVATION) == 0)
        placement |= VM_FLAGS_SUPERPAGE_SIZE_2MB;
    else if (object == MACH_PORT_NULL)
        placement |= VM_FLAGS_4GB_CHUNK;  // else each 128 MiB become an area
    mach_vm_address_t address = (uintptr_t)request->address;
    mach_vm_offset_t mask = placement & VM_FLAGS_ANYWHERE ? request->alignment - 1 : 0;
    kern_return_t result =
        mach_vm_map(mach_task_self(), &address, request->size, mask, placement | DARWIN_TAG_FLAGS,
                    object, 0, FALSE, protection, most, darwin_inheritance(flags));
    port_request anywhere;
    if (result == KERN_NO_SPACE && without_wish(request, &anywhere))
        return acre_darwin_map_memory(&anywhere, object, base);
    if (result == KERN_NO_SPACE)
        return explain_no_space(request);
    if (result == KERN_SUCCESS)
        *base = (void *)(uintptr_t)address;
    return acre_darwin_status(result);
}

// Claims addresses for a file, to be mapped over.
static acre_status
claim_addresses(const port_request *request, void **base)
{
    port_request addresses = *request;
    addresses.flags = (request->flags & ACRE_MAP_FIXED) | ACRE_IS_RESERVATION;
    return acre_darwin_map_memory(&addresses, MACH_PORT_NULL, base);
}

static acre_status
map_file(const port_request *request, void **base)
{
    int kind = request->flags & ACRE_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE;
    int claims = request->flags & ACRE_MAP_FIXED || request->alignment > acre_port_page_size();
    void *at = request->address;
    if (request->flags & ACRE_MAP_REPLACE)
        claims = 0;
    if (claims) {
        acre_status status = claim_addresses(request, &at);
        if (status != ACRE_OK)
            return status;
    }
    int fixed = claims || request->flags & ACRE_MAP_REPLACE ? MAP_FIXED : 0;
    acre_status status =
        sys_mmap(at, request->size, posix_protection(request->access), kind | fixed,
                 posix_descriptor(request->file), request->offset, base);
    if (status != ACRE_OK) {
        if (claims)
            (void)sys_munmap(at, request->size);
        return acre_bsd_explain_file(status, request->file);
    }
    if (request->flags & ACRE_MAP_DONT_FORK)
        status = sys_minherit(*base, request->size, VM_INHERIT_NONE);
    if (status != ACRE_OK)
        (void)sys_munmap(*base, request->size);
    return status;
}

// Maps a copy of the image's pages, which stay shared until one is written.
static acre_status
map_clone(const port_request *request, void **base)
{
    const bsd_image *image = bsd_image_of(request->file);
    int placement = darwin_placement(request->flags);
    mach_vm_address_t address = (uintptr_t)request->address;
    mach_vm_offset_t mask = placement & VM_FLAGS_ANYWHERE ? request->alignment - 1 : 0;
    vm_prot_t protection = VM_PROT_NONE;
    vm_prot_t most = VM_PROT_NONE;
    kern_return_t result =
        mach_vm_remap(mach_task_self(), &address, request->size, mask, placement, mach_task_self(),
                      image->source + (uintptr_t)request->offset, TRUE, &protection, &most,
                      darwin_inheritance(request->flags));
    port_request anywhere;
    if (result == KERN_NO_SPACE && without_wish(request, &anywhere))
        return map_clone(&anywhere, base);
    if (result != KERN_SUCCESS)
        return result == KERN_NO_SPACE ? explain_no_space(request) : acre_darwin_status(result);
    void *mapped = (void *)(uintptr_t)address;
    acre_status status = sys_mprotect(mapped, request->size, posix_protection(request->access));
    if (status != ACRE_OK) {
        (void)sys_munmap(mapped, request->size);
        return status;
    }
    *base = mapped;
    return ACRE_OK;
}

// Maps at `wish`, or wherever the kernel chooses.
static acre_status
map_jit_at(const port_request *request, void *wish, size_t size, void **base)
{
    int protection =
        request->flags & ACRE_IS_RESERVATION ? PROT_NONE : posix_protection(request->access);
    return sys_mmap(wish, size, protection, MAP_PRIVATE | MAP_ANON | MAP_JIT, DARWIN_TAG_FLAGS, 0,
                    base);
}

// Maps a larger range, and keeps the part that begins at a multiple of the alignment.
static acre_status
map_jit_aligned(const port_request *request, void **base)
{
    size_t slack = request->alignment - acre_port_page_size();
    if (request->size > SIZE_MAX - slack)
        return -ENOMEM;
    void *range = NULL;
    acre_status status = map_jit_at(request, request->address, request->size + slack, &range);
    if (status != ACRE_OK)
        return status;
    size_t before = (size_t)(-(uintptr_t)range & (request->alignment - 1));
    char *start = (char *)range + before;
    if (before != 0)
        status = sys_munmap(range, before);
    if (status == ACRE_OK && slack != before)
        status = sys_munmap(start + request->size, slack - before);
    if (status != ACRE_OK) {
        (void)sys_munmap(range, request->size + slack);
        return status;
    }
    *base = start;
    return ACRE_OK;
}

static acre_status
map_jit(const port_request *request, void **base)
{
    if (request->flags & (ACRE_MAP_REPLACE | ACRE_MAP_SHARED | ACRE_MAP_HUGE))
        return -ENOTSUP;
    acre_status status;
    if (request->flags & ACRE_MAP_FIXED || request->alignment <= acre_port_page_size())
        status = map_jit_at(request, request->address, request->size, base);
    else
        status = map_jit_aligned(request, base);
    if (status == ACRE_OK && request->flags & ACRE_MAP_FIXED && *base != request->address)
        status = -EEXIST;
    else if (status == ACRE_OK && request->flags & ACRE_MAP_DONT_FORK)
        status = sys_minherit(*base, request->size, VM_INHERIT_NONE);
    else
        return status;
    if (status != ACRE_OK)
        (void)sys_munmap(*base, request->size);
    return status;
}

acre_status
acre_bsd_map(const port_request *request, void **base)
{
    if (request->reach != 0)
        return acre_bsd_map_near(request, base);
    // A fork's children never get superpages, so DONT_FORK must be requested with them.
    uint32_t kept = ACRE_MAP_HUGE | ACRE_MAP_DONT_FORK;
    if (request->flags & ACRE_MAP_HUGE &&
        (request->flags & (kept | ACRE_MAP_SHARED | ACRE_IS_FILE)) != kept)
        return -ENOTSUP;
    if (request->flags & ACRE_IS_FILE)
        return map_file(request, base);
    if (request->flags & ACRE_IS_CLONE)
        return map_clone(request, base);
    if (request->flags & ACRE_MAP_JIT)
        return map_jit(request, base);
    return acre_darwin_map_memory(request, MACH_PORT_NULL, base);
}

acre_status
acre_bsd_move_pages(const acre_mmap *map, void *target)
{
    mach_vm_address_t address = (uintptr_t)target;
    vm_prot_t protection = VM_PROT_NONE;
    vm_prot_t most = VM_PROT_NONE;
    return acre_darwin_status(mach_vm_remap(mach_task_self(), &address, map->size, 0,
                                            VM_FLAGS_FIXED | VM_FLAGS_OVERWRITE, mach_task_self(),
                                            (uintptr_t)map->base, FALSE, &protection, &most,
                                            darwin_inheritance(map->flags)));
}

// ---- access -------------------------------------------------------------------------------------

// Maps superpages where the range has none yet; existing ones keep their contents.
static acre_status
give_huge(acre_mmap *map, uintptr_t at, uintptr_t end, uint32_t access, uintptr_t *reached)
{
    acre_status status = ACRE_OK;
    while (at < end && status == ACRE_OK) {
        darwin_region_info region;
        status = acre_darwin_region(mach_task_self(), at, &region);
        if (status < 0)
            return status;
        if (status == 0 || region.start > at)
            return -ENOMEM;
        uintptr_t part_end = region.end < end ? region.end : end;
        void *part = (void *)at;
        status = region.info.protection == VM_PROT_NONE && acre_bsd_is_reserved(part, part_end - at)
                     ? acre_bsd_map_fresh(map, part, part_end - at, access)
                     : sys_mprotect(part, part_end - at, posix_protection(access));
        at = part_end;
        if (status == ACRE_OK)
            *reached = at;
    }
    return status;
}

acre_status
acre_bsd_give_access(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    if (map->flags & ACRE_MAP_HUGE) {
        uintptr_t first = (uintptr_t)start;
        uintptr_t reached = first;
        int reserved = acre_bsd_is_reserved(start, length);
        acre_status status = give_huge(map, first, first + length, access, &reached);
        if (status != ACRE_OK && reserved && reached != first)
            (void)acre_port_decommit(map, start, reached - first);
        return status;
    }
    acre_status status = sys_mprotect(start, length, posix_protection(access));
    // If that is refused, only the kernel's statistics are wrong.
    if (status == ACRE_OK && map->private_[1] & BSD_FREED)
        (void)sys_madvise(start, length, MADV_FREE_REUSE);
    return status;
}

// ---- contents, locks ----------------------------------------------------------------------------

acre_status
acre_bsd_free_lazily(void *start, size_t length)
{
    // MADV_FREE_REUSABLE also lowers the process's reported memory use, but accepts only writable
    // memory that no other map shows.
    acre_status status = sys_madvise(start, length, MADV_FREE_REUSABLE);
    if (status != ACRE_OK)
        status = sys_madvise(start, length, MADV_FREE);
    return status == ACRE_OK ? ACRE_OK : -ENOTSUP;
}

acre_status
acre_bsd_touch(const void *page)
{
    // The kernel does the read, so no signal is raised.  A page that was only read also becomes a
    // private page this way.
    char byte;
    mach_vm_size_t got;
    acre_status status = acre_darwin_status(mach_vm_read_overwrite(
        mach_task_self(), (uintptr_t)page, 1, (mach_vm_address_t)(uintptr_t)&byte, &got));
    return status == ACRE_OK || status == -ENOMEM ? status : -EFAULT;
}

int
acre_bsd_huge(const port_request *request)
{
    (void)request;
    return 0;
}

// How many regions of a range are locked, are not, and are inaccessible; a hole is not locked.
typedef struct region_counts {
    size_t locked, free, inaccessible;
} region_counts;

static acre_status
count_regions(const void *start, size_t length, region_counts *out)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    *out = (region_counts){0};
    while (at < end) {
        darwin_region_info region;
        acre_status status = acre_darwin_region(mach_task_self(), at, &region);
        if (status < 0)
            return status;
        if (status == 0 || region.start > at)
            out->free++;
        if (status == 0)
            return ACRE_OK;
        if (region.start < end) {
            ++*(region.info.user_wired_count != 0 ? &out->locked : &out->free);
            out->inaccessible += region.info.protection == VM_PROT_NONE;
        }
        at = region.end;
    }
    return ACRE_OK;
}

int
acre_bsd_is_locked(const void *start, size_t length)
{
    region_counts counts;
    acre_status status = count_regions(start, length, &counts);
    return status == ACRE_OK ? counts.locked != 0 : status;
}

// The kernel counts locks; acre does not.  It also asks for no access before it locks.
acre_status
acre_bsd_lock(void *start, size_t length)
{
    region_counts counts;
    acre_status status = count_regions(start, length, &counts);
    if (status == ACRE_OK && counts.inaccessible != 0)
        return -ENOMEM;
    return status == ACRE_OK && counts.free != 0 ? sys_mlock(start, length) : status;
}

acre_status
acre_bsd_unlock(void *start, size_t length)
{
    int locked;
    do {
        acre_status status = sys_munlock(start, length);
        if (status != ACRE_OK)
            return status;
        locked = acre_bsd_is_locked(start, length);
    } while (locked == 1);
    return locked;
}

// ---- advice -------------------------------------------------------------------------------------

acre_status
acre_port_advise(acre_mmap *map, void *start, size_t length, acre_advice advice)
{
    uint32_t fork = advice == ACRE_ADVISE_DONT_FORK ? ACRE_MAP_DONT_FORK
                                                    : map->flags & ~(uint32_t)ACRE_MAP_DONT_FORK;
    acre_status status;
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
    case ACRE_ADVISE_PAGE_OUT:
        return sys_madvise(start, length, MADV_PAGEOUT);
    case ACRE_ADVISE_DONT_FORK:
    case ACRE_ADVISE_DO_FORK:
        status = sys_minherit(start, length, (int)darwin_inheritance(fork));
        if (status == ACRE_OK)
            map->private_[1] |= BSD_CHANGED;
        return status;
    case ACRE_ADVISE_NO_HUGE:
    case ACRE_ADVISE_DUMP:
    case ACRE_ADVISE_KEEP_ON_FORK:
        return ACRE_OK;  // always so on this system
    case ACRE_ADVISE_HUGE:
    case ACRE_ADVISE_COLLAPSE:
    case ACRE_ADVISE_NO_DUMP:
    case ACRE_ADVISE_WIPE_ON_FORK:
    default:
        return -ENOTSUP;
    }
}

#endif  // ACRE_ON_DARWIN
