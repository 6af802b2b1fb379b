// Linux: mapping, committing, protecting, resizing.
//
// Why these calls and no others (measured on Linux 6.18)
//   1. A reservation is PROT_NONE without MAP_NORESERVE: free in every overcommit mode.  NORESERVE
//      would stay with the area and exempt the later commit from accounting.
//   2. Commit is mprotect, which accounts.
//   3. Decommit maps the range anew.  MADV_DONTNEED and mprotect return neither the accounting nor
//      the areas.
//   4. Demands (dump, fork, huge pages) are put on pages when they are mapped, at creation and at
//      decommit, so that every page of a map carries them and a commit has nothing to do.  Where
//      pages are replaced they are mapped and prepared elsewhere and then moved into place, so that
//      a refused demand has destroyed nothing.
//   5. Locks are the exception: locked addresses count against the limit, so a reservation is
//      locked as it is committed.  First on fault, while nothing is accessible yet: that is where
//      the limit refuses.
//   6. Explicit huge pages are taken from their pool when they are mapped, so a reservation of them
//      is addresses only, and a commit maps those parts of the range that are not huge yet.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/check.h"
#include "mmap/port/linux/linux.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

static const uint32_t HUGETLBFS = 0x958458f6;  // struct statfs.f_type

enum {
    LOCKS = ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
    DEMANDS = ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_NO_HUGE,
    // What needs a call besides mmap.
    PREPARED = DEMANDS | LOCKS | ACRE_MAP_POPULATE | ACRE_MAP_HUGE_TRANSPARENT
};

// ---- demands and wishes -------------------------------------------------------------------------

static acre_status
demand(void *base, size_t size, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        int advice;
    } table[] = {
        {ACRE_MAP_NO_DUMP, MADV_DONTDUMP},
        {ACRE_MAP_DONT_FORK, MADV_DONTFORK},
        {ACRE_MAP_WIPE_ON_FORK, MADV_WIPEONFORK},
        {ACRE_MAP_NO_HUGE, MADV_NOHUGEPAGE},
    };
    // A system that takes any advice for granted keeps none of it.
    int can = flags & ACRE_MAP_WIPE_ON_FORK ? acre_probe_can(ACRE_CAN_WIPE_ON_FORK) : 1;
    if (can == 1 && flags & (ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK))
        can = acre_probe_can(ACRE_CAN_EXCLUDE_FROM_DUMPS);
    if (can != 1)
        return can == 0 ? -ENOTSUP : -ENOMEM;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if ((flags & table[i].flag) == 0)
            continue;
        acre_status status = sys_madvise(base, size, table[i].advice);
        // Where the program never gets transparent huge pages (kernels without them, emulators)
        // the advice is rejected.
        if ((status == -EINVAL || status == -ENOTSUP) && table[i].flag == ACRE_MAP_NO_HUGE)
            continue;
        if (status != ACRE_OK)
            return linux_explain_refusal(status, table[i].advice);
    }
    return ACRE_OK;
}

static acre_status
lock(void *base, size_t size, uint32_t flags)
{
    if ((flags & LOCKS) == 0)
        return ACRE_OK;
    return linux_explain(flags & ACRE_MAP_LOCKED ? sys_mlock(base, size)
                                                 : sys_mlock_on_fault(base, size));
}

// Whether the wish was granted.  MAP_POPULATE would not tell, and copies the pages of private
// files.
static int
populate(void *base, size_t size, uint32_t access, uint32_t flags)
{
    if ((access & (ACRE_READ | ACRE_WRITE)) == 0)
        return 0;
    int copies = (flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) != 0;
    int advice =
        access & ACRE_WRITE && !copies ? LINUX_MADV_POPULATE_WRITE : LINUX_MADV_POPULATE_READ;
    return sys_madvise(base, size, advice) == ACRE_OK;
}

// The advice is taken whether the system's mode permits huge pages or not; shared memory has a mode
// of its own.
static int
want_huge(void *base, size_t size, uint32_t flags)
{
    char mode[96];
    if (sys_madvise(base, size, MADV_HUGEPAGE) != ACRE_OK)
        return 0;
    if ((flags & ACRE_MAP_SHARED) == 0)
        return acre_port_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES);
    return acre_linux_read_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", mode,
                                sizeof mode) > 0 &&
           strstr(mode, "[never]") == NULL && strstr(mode, "[deny]") == NULL;
}

static int
place_on_node(void *base, size_t size, uint32_t node)
{
    // MPOL_PREFERRED: from elsewhere when the node is full.
    enum { PREFERRED = 1, LONG_BITS = 8 * sizeof(unsigned long) };
    unsigned long nodes[1024 / LONG_BITS] = {0};
    if (LINUX_IS_ANDROID || node >= 1024)
        return 0;
    nodes[node / LONG_BITS] = 1ul << node % LONG_BITS;
    int saved = errno;
    return status_of(syscall(SYS_mbind, base, size, PREFERRED, nodes, 1024ul + 1, 0), saved) ==
           ACRE_OK;
}

static int
set_name(void *base, size_t size, const char *name)
{
    enum { SET_VMA = 0x53564d41, SET_VMA_ANON_NAME = 0 };
    int saved = errno;
    return status_of(prctl(SET_VMA, SET_VMA_ANON_NAME, base, size, name), saved) == ACRE_OK;
}

static int
give_name(void *base, size_t size, const char *name)
{
    // Android's kernels before 5.10 keep the pointer, and read the program's memory whenever the
    // name is shown.  Those that copy a name look at its characters, and refuse a bracket.
    if (LINUX_IS_ANDROID && set_name(base, size, "[")) {
        (void)set_name(base, size, NULL);
        return 0;
    }
    return set_name(base, size, name);
}

acre_status
acre_linux_prepare(void *base, const port_request *request, uint32_t *flags)
{
    int reserved = (*flags & ACRE_IS_RESERVATION) != 0;
    acre_status status = demand(base, request->size, *flags);
    if (status != ACRE_OK)
        return status;

    // Wishes about where pages come from, before any page comes.
    if (*flags & ACRE_MAP_HUGE_TRANSPARENT && !want_huge(base, request->size, *flags))
        *flags &= ~(uint32_t)ACRE_MAP_HUGE_TRANSPARENT;
    if (request->node_plus_one != 0 &&
        place_on_node(base, request->size, request->node_plus_one - 1))
        *flags |= ACRE_GOT_NODE;
    if (request->name != NULL && (*flags & ACRE_GOT_NAME) == 0 &&
        give_name(base, request->size, request->name))
        *flags |= ACRE_GOT_NAME;

    if (reserved && *flags & ACRE_MAP_POPULATE && !acre_linux_can_populate())
        *flags &= ~(uint32_t)ACRE_MAP_POPULATE;
    if (!reserved) {
        // Inaccessible pages can only be locked as they come.
        uint32_t locks = request->access == ACRE_NONE && *flags & ACRE_MAP_LOCKED
                             ? ACRE_MAP_LOCK_ON_FAULT
                             : *flags;
        status = lock(base, request->size, locks);
        if (status != ACRE_OK)
            return status;
        if (*flags & ACRE_MAP_POPULATE && !populate(base, request->size, request->access, *flags))
            *flags &= ~(uint32_t)ACRE_MAP_POPULATE;
    }
    return ACRE_OK;
}

// ---- placing ------------------------------------------------------------------------------------

static int
kind_of_map(const port_request *request)
{
    uint32_t flags = request->flags;
    int kind = flags & ACRE_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE;
    if ((flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0) {
        kind |= MAP_ANONYMOUS;
        if (flags & ACRE_MAP_DROPPABLE)
            kind = LINUX_MAP_DROPPABLE | MAP_ANONYMOUS;
        // Of a reservation the pages come with the commit.
        if (flags & ACRE_MAP_HUGE && (flags & ACRE_IS_RESERVATION) == 0)
            kind |= MAP_HUGETLB | __builtin_ctzll(request->page_size) << LINUX_MAP_HUGE_SHIFT;
    }
    return kind | (flags & ACRE_MAP_NO_RESERVE ? MAP_NORESERVE : 0) |
           (flags & ACRE_MAP_STACK ? MAP_STACK : 0);
}

static acre_status
map_at(const port_request *request, void *address, int placement, void **base)
{
    int file = request->flags & (ACRE_IS_FILE | ACRE_IS_CLONE) ? (int)request->file : -1;
    int protection =
        request->flags & ACRE_IS_RESERVATION ? PROT_NONE : posix_protection(request->access);
    return linux_explain(sys_mmap(address, request->size, protection,
                                  placement | kind_of_map(request), file, request->offset, base));
}

acre_status
acre_linux_hold(size_t size, size_t alignment, void *wish, void **base)
{
    // Aligned pages lie somewhere in a range that is larger by less than the alignment.
    size_t slack = alignment - acre_port_page_size();
    if (size > SIZE_MAX - slack)
        return -ENOMEM;
    void *range = NULL;
    acre_status status = sys_mmap(wish, size + slack, PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &range);
    if (status != ACRE_OK)
        return linux_explain(status);

    size_t before = (size_t)(-(uintptr_t)range & (alignment - 1));
    size_t after = slack - before;
    char *start = (char *)range + before;
    if (before != 0 && sys_munmap(range, before) != ACRE_OK) {
        // Only at the limit of areas, and where the range had merged with a neighbour; then this
        // may fail as well.
        (void)sys_munmap(range, size + slack);
        return ACRE_TOO_MANY_AREAS;
    }
    if (after != 0 && sys_munmap(start + size, after) != ACRE_OK) {
        (void)sys_munmap(start, size + after);
        return ACRE_TOO_MANY_AREAS;
    }
    *base = start;
    return ACRE_OK;
}

static acre_status
map_fixed(const port_request *request, void *address, void **base)
{
    acre_status status = map_at(request, address, LINUX_MAP_FIXED_NOREPLACE, base);
    if (status != ACRE_OK || *base == address)
        return status;
    // Old kernels and emulators take the address for a wish.
    status = sys_munmap(*base, request->size);
    return status == ACRE_OK ? -EEXIST : linux_explain(status);
}

static acre_status
map_aligned(const port_request *request, void **base)
{
    void *held = NULL;
    acre_status status =
        acre_linux_hold(request->size, request->alignment, request->address, &held);
    if (status != ACRE_OK)
        return status;
    status = map_at(request, held, MAP_FIXED, base);
    if (status != ACRE_OK)
        (void)sys_munmap(held, request->size);
    return status;
}

static acre_status
map_near(const port_request *request, void **base)
{
    uintptr_t near_address = request->near_address, refused = 0, beyond = 0;
    size_t step = 64 * 1024;
    for (int tries = 32; tries > 0; tries--) {
        void *room;
        acre_status status = acre_linux_find_near(request->size, request->alignment, near_address,
                                                  request->reach, beyond, &room);
        if (status == ACRE_OK)
            status = map_fixed(request, room, base);
        if (status != -EEXIST)
            return status;
        // Another thread may have been faster, which the next look shows.  What is refused again
        // is not shown (an emulator's own memory): the next room is further away.
        uintptr_t at = (uintptr_t)room;
        if (beyond != 0 || at == refused) {
            beyond = (at > near_address ? at - near_address : near_address - at) + step;
            step *= 2;
        }
        refused = at;
    }
    return -ENOMEM;
}

// Somewhere off the place that it will be moved to.  What lies across that keeps the kernel from
// choosing there again, and more than two of them find no room there.
static acre_status
map_apart(const port_request *request, void **base)
{
    void *found = NULL;
    acre_status status = map_at(request, NULL, 0, &found);
    if (status != ACRE_OK || !linux_overlap(found, request->address, request->size)) {
        *base = found;
        return status;
    }
    status = map_apart(request, base);
    (void)sys_munmap(found, request->size);
    return status;
}

// 0 where there are no explicit huge pages.
static size_t
huge_page_of(size_t page_size, uint32_t flags)
{
    return flags & ACRE_MAP_HUGE && (flags & ACRE_IS_RESERVATION) == 0 ? page_size : 0;
}

static acre_status
map_somewhere(const port_request *request, void **base)
{
    if (request->flags & ACRE_MAP_FIXED)
        return map_fixed(request, request->address, base);
    if (request->flags & ACRE_MAP_REPLACE)
        return map_apart(request, base);
    if (request->reach != 0)
        return map_near(request, base);
    // Explicit huge pages lie at their multiples by themselves.
    size_t huge = huge_page_of(request->page_size, request->flags);
    size_t natural = huge != 0 ? huge : acre_port_page_size();
    if (request->alignment > natural)
        return map_aligned(request, base);
    return map_at(request, request->address, 0, base);
}

// A file of huge pages is mapped in whole ones, whatever size was asked for; without the flag
// nobody would know.
static acre_status
check_file(const port_request *request, void *base)
{
    size_t smallest = acre_linux_smallest_huge_size();
    int huge = (request->flags & ACRE_MAP_HUGE) != 0;
    if ((request->flags & ACRE_IS_FILE) == 0 ||
        (!huge && (smallest == 0 || (uintptr_t)base & (smallest - 1))))
        return ACRE_OK;
    struct statfs system;
    int saved = errno;
    acre_status status = status_of(fstatfs((int)request->file, &system), saved);
    size_t page = acre_port_page_size();
    if (status == ACRE_OK && (uint32_t)system.f_type == HUGETLBFS)
        page = (size_t)system.f_bsize;
    if (status == ACRE_OK && page == (huge ? request->page_size : acre_port_page_size()))
        return ACRE_OK;
    // All of what the kernel mapped.
    (void)sys_munmap(base, (request->size + page - 1) & ~(page - 1));
    return status == ACRE_OK ? ACRE_BAD_OPTION : status;
}

acre_status
acre_linux_build(const port_request *request, void **base, uint32_t *granted)
{
    acre_status status = map_somewhere(request, base);
    if (status == ACRE_OK)
        status = check_file(request, *base);
    if (status != ACRE_OK)
        return status;
    *granted = request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
    status = acre_linux_prepare(*base, request, granted);
    if (status != ACRE_OK)
        (void)sys_munmap(*base, request->size);
    return status;
}

// Explicit huge pages are missed only after the kernel has taken the old map away.
static int
is_replaced_whole(const port_request *request)
{
    return (request->flags & PREPARED) == 0 &&
           huge_page_of(request->page_size, request->flags) == 0 && request->node_plus_one == 0 &&
           request->name == NULL;
}

static acre_status
replace(const port_request *request, void **base, uint32_t *granted)
{
    *granted = request->flags & ~(uint32_t)ACRE_MAP_REPLACE;
    acre_status status = map_at(request, request->address, MAP_FIXED, base);
    if (status == ACRE_OK)
        status = check_file(request, *base);
    return status == ACRE_OK && !is_replaced_whole(request)
               ? acre_linux_prepare(*base, request, granted)
               : status;
}

static acre_status
build_in_place(const port_request *request, void **base, uint32_t *granted)
{
    if (request->flags & ACRE_MAP_REPLACE && is_replaced_whole(request))
        return replace(request, base, granted);
    acre_status status = acre_linux_build(request, base, granted);
    if (status != ACRE_OK || (request->flags & ACRE_MAP_REPLACE) == 0)
        return status;
    size_t huge = huge_page_of(request->page_size, request->flags);
    status = acre_linux_move(*base, request->size, request->address, huge, request->access);
    if (status != ACRE_OK)
        (void)sys_munmap(*base, request->size);
    // Kernels before 5.16 do not move explicit huge pages.
    if (status == -EINVAL && huge != 0)
        return replace(request, base, granted);
    *base = request->address;
    return status;
}

acre_status
acre_port_map(const port_request *request, acre_mmap *out)
{
    void *base = NULL;
    uint32_t granted = 0;
    acre_status status = build_in_place(request, &base, &granted);
    // Which failure tells that the kernel has no such pages differs.
    if (status != ACRE_OK && request->flags & ACRE_MAP_DROPPABLE) {
        port_request plain = *request;
        plain.flags &= ~(uint32_t)ACRE_MAP_DROPPABLE;
        return acre_port_map(&plain, out);
    }
    if (status != ACRE_OK)
        return status;
    out->base = base;
    out->flags = granted;
    out->private_[1] = request->node_plus_one;
    return ACRE_OK;
}

acre_status
acre_port_unmap(acre_mmap *map)
{
    // Cutting an area in two at the limit of areas is the only cause of ENOMEM.
    acre_status status = sys_munmap(map->base, map->size);
    return status == -ENOMEM ? ACRE_TOO_MANY_AREAS : status;
}

// ---- commit, decommit, protect ------------------------------------------------------------------

acre_status
acre_port_decommit(acre_mmap *map, void *start, size_t length)
{
    uint32_t kept = DEMANDS | ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_DROPPABLE |
                    ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_HUGE;
    port_request fresh = {
        .address = start,
        .size = length,
        .alignment = map->page_size,
        .page_size = map->page_size,
        .flags = (map->flags & kept) | ACRE_IS_RESERVATION | ACRE_MAP_REPLACE,
        .node_plus_one = (uint32_t)map->private_[1],
    };
    acre_mmap replaced;
    return acre_port_map(&fresh, &replaced);
}

int
acre_port_is_reserved(const void *start, size_t length)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    acre_area area;
    while (at < end) {
        if (acre_port_area_at(at, &area) != ACRE_OK || area.access != ACRE_NONE)
            return 0;
        at = area.end;
    }
    // What was hidden by a protection has pages, which a reservation has not.
    const void *lowest;
    return acre_port_lowest_touched(start, length, &lowest) == ACRE_OK && (uintptr_t)lowest == end;
}

acre_status
acre_port_can_account(size_t length)
{
    void *trial = NULL;
    acre_status status =
        sys_mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &trial);
    if (status == ACRE_OK)
        status = sys_munmap(trial, length);
    return linux_explain(status);
}

// Maps huge pages where the range has none yet.  What was mapped, or lost in a failed attempt, at
// most `capacity` parts, is noted in `parts`.
static acre_status
map_huge_parts(acre_mmap *map, uintptr_t start, uintptr_t end, acre_range *parts, size_t capacity,
               size_t *count, uintptr_t *reached)
{
    port_request request = {
        .alignment = map->page_size,
        .page_size = map->page_size,
        .flags = (map->flags & (DEMANDS | ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK)) | ACRE_MAP_HUGE |
                 ACRE_MAP_REPLACE,
        .node_plus_one = (uint32_t)map->private_[1],
    };
    uintptr_t at = start;
    while (at < end && *count < capacity) {
        acre_area area;
        acre_status status = acre_port_area_at(at, &area);
        if (status != ACRE_OK)
            return status;
        uintptr_t part_end = area.end < end ? area.end : end;
        if (area.page_size != map->page_size) {
            acre_mmap mapped;
            request.address = (void *)at;
            request.size = part_end - at;
            // Noted before: a kernel that does not move huge pages takes the old ones away first,
            // and only then sees that the pool is short.
            parts[*count].base = (void *)at;
            parts[(*count)++].length = part_end - at;
            status = acre_port_map(&request, &mapped);
            if (status != ACRE_OK)
                return status;
        }
        at = part_end;
    }
    *reached = at;
    return ACRE_OK;
}

static acre_status
commit_huge(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    enum { PARTS = 16 };
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + length;
    while (at < end) {
        acre_range parts[PARTS];
        size_t count = 0;
        uintptr_t reached = at;
        acre_status status = map_huge_parts(map, at, end, parts, PARTS, &count, &reached);
        if (status == ACRE_OK)
            status =
                linux_explain(sys_mprotect((void *)at, reached - at, posix_protection(access)));
        if (status != ACRE_OK) {
            while (count-- > 0)
                (void)acre_port_decommit(map, parts[count].base, parts[count].length);
            return status;
        }
        at = reached;
    }
    return ACRE_OK;
}

static acre_status
commit_locked(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    acre_status status = sys_mlock_on_fault(start, length);
    if (status == ACRE_OK)
        status = sys_mprotect(start, length, posix_protection(access));
    if (status == ACRE_OK)
        status = lock(start, length, map->flags);
    return linux_explain(status);
}

acre_status
acre_port_commit(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    acre_status status;
    if (map->flags & ACRE_MAP_HUGE)
        status = commit_huge(map, start, length, access);
    else if (map->flags & LOCKS)
        status = commit_locked(map, start, length, access);
    else
        status = linux_explain(sys_mprotect(start, length, posix_protection(access)));
    if (status == ACRE_OK && map->flags & ACRE_MAP_POPULATE)
        (void)populate(start, length, access, map->flags);
    return status;
}

acre_status
acre_port_protect(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    // What is committed by the way is committed in full.
    int commits = access != ACRE_NONE && map->flags & (ACRE_MAP_HUGE | LOCKS | ACRE_MAP_POPULATE) &&
                  posix_is_committable(map->flags);
    return commits ? acre_port_commit(map, start, length, access)
                   : linux_explain(sys_mprotect(start, length, posix_protection(access)));
}

// ---- resizing -----------------------------------------------------------------------------------

static acre_status
shrink(acre_mmap *map, size_t size)
{
    acre_mmap rest = {.base = (char *)map->base + size, .size = map->size - size};
    acre_status status = acre_port_unmap(&rest);
    if (status == ACRE_OK)
        map->size = size;
    return status;
}

// What is added behind an anonymous map or a reservation is a map of the same kind.
static acre_status
map_added(const acre_mmap *map, void *address, size_t size, uint32_t placement)
{
    uint32_t kept = PREPARED | ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_DROPPABLE |
                    ACRE_MAP_HUGE | ACRE_IS_RESERVATION;
    port_request request = {
        .address = address,
        .size = size,
        .alignment = map->page_size,
        .page_size = map->page_size,
        .access = map->access,
        .flags = (map->flags & kept) | placement,
        .node_plus_one = (uint32_t)map->private_[1],
    };
    acre_mmap added;
    acre_status status = acre_port_map(&request, &added);
    return status == -EEXIST ? -ENOMEM : status;
}

// Pages and more of their kind behind them, one area of the kernel's.
static acre_status
stretch(void *base, size_t size, size_t stretched, int manner, void **result)
{
    int saved = errno;
    *result = mremap(base, size, stretched, manner);
    acre_status status = linux_explain(status_of(*result == MAP_FAILED ? -1 : 0, saved));
    return status == -EINVAL ? -ENOMEM : status;  // told of a size beyond all addresses
}

// What is added to locked memory is brought or refused, and explicit huge pages do not stretch.
static int
is_stretchable(const acre_mmap *map)
{
    return (map->flags & (LOCKS | ACRE_MAP_HUGE)) == 0;
}

static uint32_t
access_of_added(const acre_mmap *map)
{
    return map->flags & ACRE_IS_RESERVATION ? ACRE_NONE : map->access;
}

static void
populate_added(const acre_mmap *map, char *end, size_t more)
{
    if (map->flags & ACRE_MAP_POPULATE)
        (void)populate(end, more, access_of_added(map), map->flags);
}

// The last `size` bytes of a map, stretched where they are.
static acre_status
stretch_end(const acre_mmap *map, size_t size, size_t more)
{
    char *end = (char *)map->base + map->size;
    void *result;
    acre_status status = stretch(end - size, size, size + more, 0, &result);
    if (status != ACRE_OK)
        return status;
    status = sys_mprotect(end, more, posix_protection(access_of_added(map)));
    if (status != ACRE_OK)
        (void)sys_munmap(end, more);
    else
        populate_added(map, end, more);
    return linux_explain(status);
}

// Memory that stays one area grows and moves without end: what is mapped behind memory that has
// moved is not merged with it.
static acre_status
grow_in_place(acre_mmap *map, size_t size)
{
    size_t more = size - map->size;
    acre_status status;
    if (map->flags & ACRE_IS_FILE) {
        status = stretch_end(map, map->page_size, more);
        status = status == -EFAULT ? -ENOMEM : status;
    } else {
        status = is_stretchable(map) ? stretch_end(map, map->size, more) : -ENOMEM;
        if (status != ACRE_OK)
            status = map_added(map, (char *)map->base + map->size, more, ACRE_MAP_FIXED);
    }
    if (status == ACRE_OK)
        map->size = size;
    return status;
}

static acre_status
move_stretched(acre_mmap *map, size_t size)
{
    void *moved;
    acre_status status = stretch(map->base, map->size, size, MREMAP_MAYMOVE, &moved);
    if (status != ACRE_OK)
        return status;
    populate_added(map, (char *)moved + map->size, size - map->size);
    map->base = moved;
    map->size = size;
    return ACRE_OK;
}

// Area by area, all with the same access.  A failure leaves them where they were.
static acre_status
move_areas(char *base, size_t size, char *target, size_t huge, uint32_t access)
{
    acre_status status = ACRE_OK;
    size_t moved = 0;
    while (moved < size && status == ACRE_OK) {
        uintptr_t at = (uintptr_t)base + moved;
        acre_area area;
        status = acre_port_area_at(at, &area);
        if (status == ACRE_OK) {
            size_t part = area.end - at < size - moved ? area.end - at : size - moved;
            status = acre_linux_move(base + moved, part, target + moved, huge, access);
            moved += status == ACRE_OK ? part : 0;
        }
    }
    if (status != ACRE_OK && moved != 0)
        (void)move_areas(target, moved, base, huge, access);
    return status;
}

// Room for all, the new part at its end, then the old pages to its beginning: each step can be
// undone but the last.
static acre_status
move_memory(acre_mmap *map, size_t size, uint32_t access)
{
    size_t huge = huge_page_of(map->page_size, map->flags);
    size_t alignment = map->page_size;
    if (map->flags & ACRE_MAP_HUGE_TRANSPARENT) {
        size_t wanted = acre_port_transparent_huge_size();
        alignment = wanted > alignment && size >= wanted ? wanted : alignment;
    }
    void *room = NULL;
    acre_status status = huge != 0 ? acre_linux_hold_for_huge(map->base, size, huge, &room)
                                   : acre_linux_hold(size, alignment, NULL, &room);
    if (status != ACRE_OK)
        return status;
    status = map_added(map, (char *)room + map->size, size - map->size, ACRE_MAP_REPLACE);
    if (status == ACRE_OK)
        status = move_areas(map->base, map->size, room, huge, access);
    if (status != ACRE_OK) {
        (void)sys_munmap(room, size);
        return status;
    }
    map->base = room;
    map->size = size;
    return ACRE_OK;
}

acre_status
acre_port_resize(acre_mmap *map, size_t size, uint32_t how)
{
    if (size < map->size)
        return shrink(map, size);
    acre_status status = grow_in_place(map, size);
    if (status == ACRE_OK || how != ACRE_RESIZE_MAY_MOVE)
        return status;
    if (map->flags & (ACRE_HAS_MARKER_GUARDS | ACRE_HAS_PAGE_GUARDS))
        return ACRE_BAD_STATE;
    // The kernel chooses places without regard to alignment, gives the added pages the access of
    // the last, and moves one area.
    int file = (map->flags & ACRE_IS_FILE) != 0;
    int stretches = is_stretchable(map) && (map->flags & ACRE_MAP_HUGE_TRANSPARENT) == 0;
    int uniform = (map->flags & ACRE_IS_RESERVATION) == 0 && (map->private_[0] & MIXED) == 0;
    if (stretches && !file && uniform) {
        status = move_stretched(map, size);
        if (status != -EFAULT)
            return status;
    }
    uint32_t access = ACRE_NONE;
    size_t areas = 0;
    if (!posix_is_alike(map, &access, &areas) || (file && areas != 1))
        return ACRE_BAD_STATE;
    if (!file && (!stretches || areas != 1 || access != access_of_added(map)))
        return move_memory(map, size, access);
    status = move_stretched(map, size);
    return status == -EFAULT ? -ENOMEM : status;
}

acre_status
acre_port_seal(acre_mmap *map)
{
    if (!acre_port_can(ACRE_CAN_SEAL))
        return -ENOTSUP;
    int saved = errno;
    return status_of(syscall(LINUX_SYS_mseal, map->base, map->size, 0), saved);
}

// ---- identity -----------------------------------------------------------------------------------

acre_status
acre_port_continues(acre_mmap *map, const acre_mmap *next)
{
    // Of memory without a file the kernel tracks pages one by one.
    if ((map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0)
        return ACRE_OK;
    acre_area first;
    acre_area second;
    acre_status status = acre_port_area_at((uintptr_t)map->base + map->size - 1, &first);
    if (status == ACRE_OK)
        status = acre_port_area_at((uintptr_t)next->base, &second);
    if (status != ACRE_OK)
        return status;
    // By the kernel's offsets, not the handles': of adopted maps nobody told them.
    uint64_t first_end = first.file_offset + ((uintptr_t)map->base + map->size - first.start);
    uint64_t second_start = second.file_offset + ((uintptr_t)next->base - second.start);
    int same = first.device == second.device && first.inode == second.inode && first.inode != 0 &&
               first_end == second_start;
    return same ? ACRE_OK : ACRE_BACKING_MISMATCH;
}

// ---- caches -------------------------------------------------------------------------------------

void
acre_port_icache_flush(void *start, size_t length)
{
    __builtin___clear_cache((char *)start, (char *)start + length);
}

void
acre_port_jit_write(int allowed)
{
    (void)allowed;  // no such toggle here
}

#endif  // ACRE_ON_LINUX
