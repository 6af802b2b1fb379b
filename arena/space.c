// Address space for arenas.
//
// 1. An arena without a size of its own reserves 64 GiB, or 1/64 of the address space where that is
//    less.  Where the process may map less than the address space (RLIMIT_AS), that counts instead.
// 2. When the system refuses, the cache is emptied and the same size tried again, then half the
//    size, down to the least that the user accepts.
// 3. All arenas together leave a quarter of the address space to the program: a reservation beyond
//    that is refused as the system would refuse it.  If arenas reserved until the system refused,
//    nothing would be left for the program's own mmap.
// 4. Once arenas hold half of the address space, one without a size of its own takes 1/1024 of the
//    remaining share, so that thousands more can be made.  What the cache holds does not count,
//    because it is released first.
// 5. Where there are transparent huge pages, all of a reservation is advised to have them, so that
//    the committed part grows as one area.  From where they are worth it (core->boundary) grow.c
//    commits whole ones; below, it commits so that none forms.  Huge pages of more than 4 MiB
//    (processors with larger base pages) are left to the system's mode: one touch would cost too
//    much.
#include <stdatomic.h>

#include "acre/page.h"
#include "arena/core.h"
#include "arena/watch.h"
#include "mmap/port/memory.h"

static const uint64_t DEFAULT_RESERVE = (uint64_t)64 << 30;
static const size_t DEFAULT_LEAST = (size_t)16 << 20;
static const size_t LARGEST_HUGE = (size_t)4 << 20;
// Room for 4 MiB of blocks and what lies before the first: huge pages begin behind it.
static const size_t BASE_PAGES_ONLY = ((size_t)4 << 20) + ((size_t)64 << 10);

// Totals of all reservations: their number, bytes of addresses, bytes committed.
static atomic_size_t reservations;
static atomic_size_t held;
static atomic_size_t committed_total;

static uint64_t
address_space(void)
{
    // Kept, since it never changes.
    static atomic_uint known_bits;
    unsigned bits = atomic_load_explicit(&known_bits, memory_order_relaxed);
    if (bits == 0) {
        uint64_t told = acre_port_address_bits();
        bits = sizeof(void *) > 4 ? 39 : 31;  // the smallest there are
        if (told > bits)
            bits = told < 63 ? (unsigned)told : 63;
        atomic_store_explicit(&known_bits, bits, memory_order_relaxed);
    }
    return (uint64_t)1 << bits;
}

// The address space, or as much of it as a limit permits now.
static uint64_t
usable_space(void)
{
    uint64_t space = address_space();
    uint64_t limit = acre_port_address_limit();
    return limit < space ? limit : space;
}

static size_t
default_reserve(uint64_t space)
{
    return (size_t)(space / 64 < DEFAULT_RESERVE ? space / 64 : DEFAULT_RESERVE);
}

static uint64_t
share_of_arenas(uint64_t space)
{
    return space / 4 * 3;
}

static int
is_scarce(uint64_t space)
{
    return atomic_load_explicit(&held, memory_order_relaxed) > space / 2;
}

int
acre_space_is_scarce(void)
{
    return is_scarce(usable_space());
}

// The size that an arena without a size of its own tries first.
static size_t
modest_size(uint64_t space, size_t least)
{
    uint64_t size = default_reserve(space);
    if (is_scarce(space)) {
        uint64_t taken = atomic_load_explicit(&held, memory_order_relaxed);
        uint64_t most = share_of_arenas(space);
        uint64_t part = taken < most ? (most - taken) / 1024 : 0;
        size = part < size ? part : size;
    }
    return size > least ? (size_t)size : least;
}

// Counts `size` bytes as held, if that leaves the program its quarter.
static int
take_addresses(uint64_t space, size_t size)
{
    uint64_t most = share_of_arenas(space);
    size_t taken = atomic_load_explicit(&held, memory_order_relaxed);
    do {
        if (taken > most || size > most - taken)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&held, &taken, taken + size,
                                                    memory_order_relaxed, memory_order_relaxed));
    return 1;
}

static void
give_addresses(size_t size)
{
    atomic_fetch_sub_explicit(&held, size, memory_order_relaxed);
}

void
acre_space_count_commit(size_t more, size_t less)
{
    atomic_fetch_add_explicit(&committed_total, more - less, memory_order_relaxed);
}

void
acre_space_totals(size_t *count, size_t *reserved, size_t *committed)
{
    *count = atomic_load_explicit(&reservations, memory_order_relaxed);
    *reserved = atomic_load_explicit(&held, memory_order_relaxed);
    *committed = atomic_load_explicit(&committed_total, memory_order_relaxed);
}

// ---- reserve and release ------------------------------------------------------------------------

static uint32_t
map_flags(uint32_t flags)
{
    static const struct {
        uint32_t arena;
        uint32_t map;
    } PAIRS[] = {
        {ACRE_ARENA_NO_HUGE, ACRE_MAP_NO_HUGE},
        {ACRE_ARENA_HUGE, ACRE_MAP_HUGE},
        {ACRE_ARENA_LAZY, ACRE_MAP_NO_RESERVE},
        {ACRE_ARENA_LOCKED, ACRE_MAP_LOCKED},
        {ACRE_ARENA_NO_DUMP, ACRE_MAP_NO_DUMP},
        {ACRE_ARENA_WIPE_ON_FORK, ACRE_MAP_WIPE_ON_FORK},
        {ACRE_ARENA_DONT_FORK, ACRE_MAP_DONT_FORK},
    };
    uint32_t result = 0;
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++)
        result |= (flags & PAIRS[i].arena) != 0 ? PAIRS[i].map : 0;
    return result;
}

// The size of the transparent huge pages that could form in a reservation; 0: none.
static size_t
huge_for(uint32_t flags)
{
    size_t huge = acre_port_transparent_huge_size();
    if ((flags & (ACRE_ARENA_NO_HUGE | ACRE_ARENA_HUGE)) != 0 || huge > LARGEST_HUGE)
        return 0;
    return acre_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES) ? huge : 0;
}

static acre_status
reserve_exactly(uint64_t space, size_t size, const acre_arena_opts *opts, acre_arena_core *core)
{
    size_t huge = huge_for(opts->flags);
    acre_mmap_opts map_opts = {0};
    map_opts.flags = map_flags(opts->flags) | (huge != 0 ? ACRE_MAP_HUGE_TRANSPARENT : 0);
    map_opts.name = opts->name;
    map_opts.node_plus_one = opts->node_plus_one;

    if (!take_addresses(space, size))
        return -ENOMEM;
    acre_status status = acre_mmap_reserve(size, ACRE_READ_WRITE, &map_opts, &core->map);
    if (status != ACRE_OK) {
        give_addresses(size);
        // On 32 bits, half of all addresses or more exceeds what a map can be: treat that like any
        // other refusal.
        return status == ACRE_BAD_SIZE ? -ENOMEM : status;
    }
    core->huge = huge;
    core->boundary = UINTPTR_MAX;
    if (huge != 0 && core->map.size >= BASE_PAGES_ONLY + 2 * huge)
        core->boundary = round_up(core_start(core) + BASE_PAGES_ONLY, huge);
    atomic_fetch_add_explicit(&reservations, 1, memory_order_relaxed);
    return ACRE_OK;
}

// Rounds up to pages; rounds down where that would wrap (such a size is refused anyway).
static size_t
whole_pages(size_t size, uint32_t flags)
{
    size_t page = acre_page_size();
    size_t huge = (flags & ACRE_ARENA_HUGE) != 0 ? acre_port_default_huge_size() : 0;
    if (huge > page)
        page = huge;
    return size > SIZE_MAX - (page - 1) ? round_down(SIZE_MAX, page) : round_up(size, page);
}

size_t
acre_space_least(const acre_arena_opts *opts)
{
    if (opts->reserve_least == 0) {
        // The default reserve is larger in any address space without a limit.
        int small = opts->reserve != 0 && opts->reserve < DEFAULT_LEAST;
        return small ? opts->reserve : DEFAULT_LEAST;
    }
    size_t wanted = opts->reserve != 0 ? opts->reserve : default_reserve(address_space());
    return opts->reserve_least <= wanted ? opts->reserve_least : 0;
}

acre_status
acre_space_reserve(const acre_arena_opts *opts, int (*makes_way)(acre_status refusal),
                   acre_arena_core *core)
{
    // A size that the user chose may take all that a limit leaves.
    uint64_t space = opts->reserve != 0 ? address_space() : usable_space();
    size_t least = acre_space_least(opts);
    int emptied = opts->reserve == 0 && is_scarce(space) && makes_way(-ENOMEM);
    core->modest = opts->reserve == 0 && is_scarce(space);
    size_t wanted = opts->reserve != 0 ? opts->reserve : modest_size(space, least);
    size_t size = whole_pages(wanted, opts->flags);
    least = whole_pages(least, opts->flags);
    for (;;) {
        acre_status status = reserve_exactly(space, size, opts, core);
        if (status == ACRE_OK)
            return ACRE_OK;
        if (!emptied && makes_way(status)) {
            emptied = 1;
            continue;
        }
        // A refusal for any other reason would repeat at every size.
        if ((status != -ENOMEM && status != -EAGAIN) || size == least)
            return status;
        size = size / 2 > least ? whole_pages(size / 2, opts->flags) : least;
    }
}

acre_status
acre_space_release(acre_mmap *map, size_t committed)
{
    size_t size = map->size;
    if (watch_is_on() && size != 0)
        watch_forget((uintptr_t)map->base, committed);
    acre_status status = acre_mmap_unmap(map);
    if (status != ACRE_OK || size == 0)
        return status;
    give_addresses(size);
    acre_space_count_commit(0, committed);
    atomic_fetch_sub_explicit(&reservations, 1, memory_order_relaxed);
    return ACRE_OK;
}
