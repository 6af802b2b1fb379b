// Linux: mapping.
//
// Why these calls and no others (measured on Linux 6.18)
//   1. A reservation is PROT_NONE without MAP_NORESERVE: free in every overcommit mode.  NORESERVE
//      would stay with the area and exempt the later commit from accounting.
//   2. Commit is mprotect, which accounts the memory.
//   3. Decommit maps the range anew.  MADV_DONTNEED and mprotect return neither the accounting nor
//      the areas.
//   4. Demands (dump, fork, huge pages) are applied when pages are mapped, at creation and at
//      decommit, so that every page of a map has them and a commit need not apply them.  To replace
//      pages, acre maps and prepares the new ones elsewhere and then moves them into place, so that
//      a refused demand destroys nothing.
//   5. Locks are the exception: locked addresses count against the limit, so a reservation is
//      locked when it is committed.  It is locked on fault first, while it is still inaccessible:
//      if the limit refuses, it refuses there.
//   6. Explicit huge pages leave their pool when they are mapped, so a reservation of them consists
//      of addresses only, and a commit maps those parts of the range that are not huge yet.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/demand.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/map.h"
#include "mmap/port/linux/move.h"
#include "mmap/port/linux/near.h"
#include "mmap/port/linux/place.h"
#include "mmap/port/probe.h"

#include <sys/vfs.h>

static const uint32_t HUGETLBFS = 0x958458f6;  // struct statfs.f_type

int
acre_linux_kind_of_map(uint32_t flags, size_t page_size)
{
    int kind = flags & ACRE_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE;
    if ((flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0) {
        kind |= MAP_ANONYMOUS;
        if (flags & ACRE_MAP_DROPPABLE)
            kind = LINUX_MAP_DROPPABLE | MAP_ANONYMOUS;
        // The huge pages of a reservation are mapped by the commit.
        if (flags & ACRE_MAP_HUGE && (flags & ACRE_IS_RESERVATION) == 0)
            kind |=
                MAP_HUGETLB | (int)((unsigned)__builtin_ctzll(page_size) << LINUX_MAP_HUGE_SHIFT);
    }
    return kind | (flags & ACRE_MAP_NO_RESERVE ? MAP_NORESERVE : 0) |
           (flags & ACRE_MAP_STACK ? MAP_STACK : 0);
}

static int
protection_of(const port_request *request)
{
    return request->flags & ACRE_IS_RESERVATION ? PROT_NONE : posix_protection(request->access);
}

static acre_status
map_at(const port_request *request, void *address, int placement, void **base)
{
    int file =
        request->flags & (ACRE_IS_FILE | ACRE_IS_CLONE) ? posix_descriptor(request->file) : -1;
    int kind = acre_linux_kind_of_map(request->flags, request->page_size);
    return linux_explain(sys_mmap(address, request->size, protection_of(request), placement | kind,
                                  file, request->offset, base));
}

// ---- placing ------------------------------------------------------------------------------------

static acre_status
map_fixed(const port_request *request, void *address, void **base)
{
    acre_status status = map_at(request, address, LINUX_MAP_FIXED_NOREPLACE, base);
    if (status != ACRE_OK || *base == address)
        return status;
    // Old kernels and emulators treat the address as a hint.
    status = sys_munmap(*base, request->size);
    return status == ACRE_OK ? -EEXIST : linux_explain(status);
}

// Whether a hold can become the map by being made accessible.  (Executable maps cannot: with
// PR_SET_MDWE a process cannot make memory executable later.)
static int
can_be_held(const port_request *request)
{
    return (request->flags & (ACRE_MAP_SHARED | ACRE_IS_FILE | ACRE_IS_CLONE)) == 0 &&
           linux_huge_page_of(request->page_size, request->flags) == 0 &&
           (request->access & ACRE_EXEC) == 0;
}

static acre_status
hold_map(const port_request *request, void **base)
{
    int kind = acre_linux_kind_of_map(request->flags, request->page_size);
    acre_status status =
        acre_linux_hold(request->size, request->alignment, request->address, kind, base);
    if (status != ACRE_OK || protection_of(request) == PROT_NONE)
        return status;
    status = linux_explain(sys_mprotect(*base, request->size, protection_of(request)));
    if (status != ACRE_OK)
        (void)sys_munmap(*base, request->size);
    return status;
}

typedef struct settled {
    const port_request *request;
    void *base;
} settled;

static acre_status
settle_map_and_note(void *what, void *base)
{
    settled *result = what;
    return map_fixed(result->request, base, &result->base);
}

static acre_status
map_aligned(const port_request *request, void **base)
{
    if (can_be_held(request))
        return hold_map(request, base);
    linux_room room = {
        .size = request->size, .alignment = request->alignment, .wish = request->address};
    settled result = {.request = request};
    acre_status status = acre_linux_settle(&room, settle_map_and_note, &result);
    *base = result.base;
    return status;
}

// Tries one address after another, ever further away and in ever larger steps.  Used when the file
// that shows which addresses are free cannot be opened.
static acre_status
map_near_blindly(const port_request *request, void **base)
{
    posix_room room = acre_posix_room_within(request->size, request->alignment,
                                             request->near_address, request->reach);
    if (request->size > room.high - room.low)
        return -ENOMEM;
    uintptr_t last = room.high - request->size;
    uintptr_t mask = request->alignment - 1;
    size_t step = request->alignment > 64 * 1024 ? request->alignment : 64 * 1024;
    acre_status status = -EEXIST;
    for (size_t away = 0; away <= request->reach; step += step / 16) {
        uintptr_t below = room.center > away ? (room.center - away) & ~mask : 0;
        uintptr_t above =
            room.center <= last && away <= last - room.center ? (room.center + away) & ~mask : 0;
        if (below >= room.low && below <= last)
            status = map_fixed(request, (void *)below, base);
        int refused = status == -EEXIST || status == -EPERM;
        if (refused && above >= room.low && above <= last)
            status = map_fixed(request, (void *)above, base);
        if (status != -EEXIST && status != -EPERM)
            return status;
        status = -EEXIST;
        if (away > SIZE_MAX - step)
            break;
        away += step;
    }
    return -ENOMEM;
}

static acre_status
map_near(const port_request *request, void **base)
{
    uintptr_t near_address = request->near_address, refused = 0, beyond = 0;
    size_t step = 64 * 1024;
    // When this fails, another thread has mapped something there, and the next search sees that.
    for (int tries = 4096; tries > 0; tries--) {
        void *room;
        acre_status status = acre_linux_find_near(request->size, request->alignment, near_address,
                                                  request->reach, beyond, &room);
        if (status != ACRE_OK)
            return status == -ENOMEM ? status : map_near_blindly(request, base);
        status = map_fixed(request, room, base);
        if (status != -EEXIST && status != -EPERM)
            return status;
        // Refused again: the map there is hidden (an emulator's own memory).  -EPERM: the address
        // is below vm.mmap_min_addr.  In both cases search further away.
        uintptr_t at = (uintptr_t)room;
        if (beyond != 0 || at == refused || status == -EPERM) {
            beyond = (at > near_address ? at - near_address : near_address - at) + step;
            step *= 2;
            tries -= 128;
        }
        refused = at;
    }
    return -ENOMEM;
}

// Maps at a place that does not overlap the one that the map will be moved to.  A map that overlaps
// it is kept meanwhile, so that the kernel chooses another place; at most two maps can overlap it.
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

// The same with a free page on both sides.  A map that merges with a neighbour whose pages were
// touched or guarded keeps its old offset in the kernel's books when it is moved, and so never
// merges with anything at the new place.
static acre_status
map_alone(const port_request *request, void **base)
{
    size_t page = acre_port_page_size();
    linux_room room = {
        .size = request->size, .alignment = page, .margin = page, .apart = request->address};
    settled result = {.request = request};
    acre_status status = acre_linux_settle(&room, settle_map_and_note, &result);
    *base = result.base;
    // There may be just enough addresses without the free pages.
    return status == -ENOMEM ? map_apart(request, base) : status;
}

// Whether a map needs the free pages around it.  A reservation without guards does not: what it
// merges with is untouched, and decommit maps it often.  Explicit huge pages do not merge.
static int
may_merge(const port_request *request)
{
    int untouched =
        (request->flags & (ACRE_IS_RESERVATION | ACRE_HAS_MARKER_GUARDS)) == ACRE_IS_RESERVATION;
    return !untouched && linux_huge_page_of(request->page_size, request->flags) == 0;
}

static acre_status
map_somewhere(const port_request *request, void **base)
{
    if (request->flags & ACRE_MAP_FIXED)
        return map_fixed(request, request->address, base);
    if (request->flags & ACRE_MAP_REPLACE)
        return may_merge(request) ? map_alone(request, base) : map_apart(request, base);
    if (request->reach != 0)
        return map_near(request, base);
    // The kernel aligns explicit huge pages to their size.
    size_t huge = linux_huge_page_of(request->page_size, request->flags);
    size_t natural = huge != 0 ? huge : acre_port_page_size();
    if (request->alignment > natural)
        return map_aligned(request, base);
    return map_at(request, request->address, 0, base);
}

// ---- files of huge pages ------------------------------------------------------------------------

// The kernel maps such a file in whole huge pages, whatever size is requested.  Without the flag
// the caller would not know, so that is refused.
static acre_status
check_file(const port_request *request, size_t *page)
{
    struct statfs system;
    int saved = errno;
    acre_status status = status_of(fstatfs(posix_descriptor(request->file), &system), saved);
    if (status != ACRE_OK)
        return status;
    *page = acre_port_page_size();
    if ((uint32_t)system.f_type == HUGETLBFS)
        *page = (size_t)system.f_bsize;
    size_t wanted = request->flags & ACRE_MAP_HUGE ? request->page_size : acre_port_page_size();
    return *page == wanted ? ACRE_OK : ACRE_BAD_OPTION;
}

// Checks a file that was mapped at free addresses.  Skipped when it cannot matter, since it costs a
// third of the call.
static acre_status
check_mapped_file(const port_request *request, void *base)
{
    if ((request->flags & ACRE_IS_FILE) == 0 ||
        ((request->flags & ACRE_MAP_HUGE) == 0 && !acre_linux_may_be_huge((uintptr_t)base)))
        return ACRE_OK;
    size_t page = acre_port_page_size();
    acre_status status = check_file(request, &page);
    // Unmap all that the kernel mapped.
    if (status != ACRE_OK)
        (void)sys_munmap(base, (request->size + page - 1) & ~(page - 1));
    return status;
}

// ---- building -----------------------------------------------------------------------------------

acre_status
acre_linux_build(const port_request *request, void **base, uint32_t *granted)
{
    acre_status status = map_somewhere(request, base);
    if (status == ACRE_OK)
        status = check_mapped_file(request, *base);
    if (status != ACRE_OK)
        return status;
    *granted = request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
    status = acre_linux_prepare(*base, request, granted);
    if (status != ACRE_OK)
        (void)sys_munmap(*base, request->size);
    return status;
}

// Whether one mmap can replace the old map: true when nothing can fail after the old map is gone.
// Wishes cannot fail.
static int
is_replaced_whole(const port_request *request)
{
    return (request->flags & (DEMANDS | LOCKS)) == 0 &&
           linux_huge_page_of(request->page_size, request->flags) == 0;
}

static acre_status
replace_map(const port_request *request, void **base, uint32_t *granted)
{
    *granted = request->flags & ~(uint32_t)ACRE_MAP_REPLACE;
    acre_status status = map_at(request, request->address, MAP_FIXED, base);
    return status == ACRE_OK ? acre_linux_prepare(*base, request, granted) : status;
}

static acre_status
build_in_place(const port_request *request, void **base, uint32_t *granted)
{
    if ((request->flags & ACRE_MAP_REPLACE) == 0)
        return acre_linux_build(request, base, granted);
    // For a file of huge pages the kernel would replace more than was requested.
    size_t page;
    acre_status status = request->flags & ACRE_IS_FILE ? check_file(request, &page) : ACRE_OK;
    if (status != ACRE_OK)
        return status;
    if (is_replaced_whole(request))
        return replace_map(request, base, granted);
    status = acre_linux_build(request, base, granted);
    if (status != ACRE_OK)
        return status;
    size_t huge = linux_huge_page_of(request->page_size, request->flags);
    status = acre_linux_move(*base, request->size, request->address, huge, request->access);
    if (status != ACRE_OK)
        (void)sys_munmap(*base, request->size);
    // Kernels before 5.16 do not move explicit huge pages.
    if (status == -EINVAL && huge != 0)
        return replace_map(request, base, granted);
    *base = request->address;
    return status;
}

static uintptr_t
private_word_of(const port_request *request)
{
    unsigned exponent = (unsigned)__builtin_ctzll(request->demanded != 0 ? request->demanded : 1);
    // A larger node is never granted (demand.c).
    uint32_t node = request->node_plus_one >> LINUX_NODE_BITS == 0 ? request->node_plus_one : 0;
    return node | (uintptr_t)exponent << LINUX_NODE_BITS |
           (uintptr_t)(request->reach != 0) << (LINUX_NODE_BITS + LINUX_ALIGNMENT_BITS);
}

acre_status
acre_linux_map_alike(const port_request *request, acre_mmap *out)
{
    void *base = NULL;
    uint32_t granted = 0;
    acre_status status = build_in_place(request, &base, &granted);
    if (status != ACRE_OK)
        return status;
    out->base = base;
    out->flags = granted;
    out->private_[1] = private_word_of(request);
    return ACRE_OK;
}

acre_status
acre_port_map(const port_request *request, acre_mmap *out)
{
    acre_status status = acre_linux_map_alike(request, out);
    if (status == ACRE_OK || (request->flags & ACRE_MAP_DROPPABLE) == 0)
        return status;
    // A kernel without droppable pages may fail with various errors, so retry after any.
    port_request plain = *request;
    plain.flags &= ~(uint32_t)ACRE_MAP_DROPPABLE;
    return acre_linux_map_alike(&plain, out);
}

acre_status
acre_port_unmap(acre_mmap *map)
{
    // The only cause of ENOMEM is to split an area at the limit on areas.
    acre_status status = sys_munmap(map->base, map->size);
    return status == -ENOMEM ? ACRE_TOO_MANY_AREAS : status;
}

acre_status
acre_port_seal(acre_mmap *map)
{
    if (!acre_port_can(ACRE_CAN_SEAL))
        return -ENOTSUP;
    int saved = errno;
    return linux_explain(status_of(syscall(LINUX_SYS_mseal, map->base, map->size, 0), saved));
}

acre_status
acre_port_continues(acre_mmap *map, const acre_mmap *next)
{
    // The kernel tracks the pages of memory without a file one by one.
    if ((map->flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) == 0)
        return ACRE_OK;
    acre_area first;
    acre_area second;
    acre_status status = acre_port_area_at((uintptr_t)map->base + map->size - 1, &first);
    if (status == ACRE_OK)
        status = acre_port_area_at((uintptr_t)next->base, &second);
    if (status != ACRE_OK)
        return status;
    // Compare the kernel's offsets, not the handles': adopted maps do not have them.
    uint64_t first_end = first.file_offset + ((uintptr_t)map->base + map->size - first.start);
    uint64_t second_start = second.file_offset + ((uintptr_t)next->base - second.start);
    int same = first.device == second.device && first.inode == second.inode && first.inode != 0 &&
               first_end == second_start;
    return same ? ACRE_OK : ACRE_BACKING_MISMATCH;
}

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
