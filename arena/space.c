// The addresses that arenas live in.
//
// 1. An arena without a size of its own reserves 64 GiB, or 1/64 of the address space where that is
//    less.
// 2. What the system refuses is tried again at half the size, down to the least that the user
//    accepts.
// 3. All arenas together leave a quarter of the address space to the program: what goes beyond is
//    refused like the system would refuse it.  A system that is asked until it refuses would leave
//    the program's own mmap nothing.
// 4. Once arenas hold half of the address space, one without a size of its own takes 1/64 of what
//    is left to take, so thousands more can be made.
#include <stdatomic.h>

#include "acre/page.h"
#include "arena/core.h"

static const uint64_t DEFAULT_RESERVE = (uint64_t)64 << 30;
static const size_t DEFAULT_LEAST = (size_t)16 << 20;

// Bytes of addresses that arenas hold.
static atomic_size_t held;

static uint64_t
address_space(void)
{
    // Kept, since reading it costs more than the rest of a create, and it never changes.
    static atomic_uint known_bits;
    unsigned bits = atomic_load_explicit(&known_bits, memory_order_relaxed);
    if (bits == 0) {
        acre_system system;
        bits = sizeof(void *) > 4 ? 39 : 31;  // the smallest there are
        if (acre_system_read(&system) == ACRE_OK && system.address_bits > bits)
            bits = system.address_bits < 63 ? (unsigned)system.address_bits : 63;
        atomic_store_explicit(&known_bits, bits, memory_order_relaxed);
    }
    return (uint64_t)1 << bits;
}

static uint64_t
share_of_arenas(void)
{
    return address_space() / 4 * 3;
}

static size_t
default_reserve(void)
{
    uint64_t size = address_space() / 64;
    return (size_t)(size < DEFAULT_RESERVE ? size : DEFAULT_RESERVE);
}

// What an arena without a size of its own tries first.
static size_t
modest(size_t size, size_t least)
{
    uint64_t taken = atomic_load_explicit(&held, memory_order_relaxed);
    if (taken <= address_space() / 2)
        return size;
    uint64_t part = taken < share_of_arenas() ? (share_of_arenas() - taken) / 64 : 0;
    if (part >= size)
        return size;
    return part > least ? (size_t)part : least;
}

// Counts `size` bytes as held, if that leaves the program its quarter.
static int
take(size_t size)
{
    uint64_t most = share_of_arenas();
    size_t taken = atomic_load_explicit(&held, memory_order_relaxed);
    do {
        if (taken > most || size > most - taken)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&held, &taken, taken + size,
                                                    memory_order_relaxed, memory_order_relaxed));
    return 1;
}

static void
give(size_t size)
{
    atomic_fetch_sub_explicit(&held, size, memory_order_relaxed);
}

static uint32_t
map_flags(uint32_t flags)
{
    static const struct {
        uint32_t arena;
        uint32_t map;
    } PAIRS[] = {
        {ACRE_ARENA_NO_HUGE, ACRE_MAP_NO_HUGE},
        {ACRE_ARENA_LAZY, ACRE_MAP_NO_RESERVE},
        {ACRE_ARENA_NO_DUMP, ACRE_MAP_NO_DUMP},
        {ACRE_ARENA_WIPE_ON_FORK, ACRE_MAP_WIPE_ON_FORK},
        {ACRE_ARENA_DONT_FORK, ACRE_MAP_DONT_FORK},
    };
    uint32_t result = 0;
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++)
        result |= (flags & PAIRS[i].arena) != 0 ? PAIRS[i].map : 0;
    return result;
}

static acre_status
reserve_exactly(size_t size, const acre_arena_opts *opts, acre_mmap *out)
{
    acre_mmap_opts map_opts = {0};
    map_opts.flags = map_flags(opts->flags);
    map_opts.name = opts->name;
    map_opts.node_plus_one = opts->node_plus_one;

    if (!take(size))
        return -ENOMEM;
    acre_status status = acre_mmap_reserve(size, ACRE_READ_WRITE, &map_opts, out);
    if (status != ACRE_OK)
        give(size);
    return status;
}

// Rounded up to pages; down where that would wrap (and is refused anyway).
static size_t
whole_pages(size_t size)
{
    size_t page = acre_page_size();
    return size > SIZE_MAX - (page - 1) ? round_down(SIZE_MAX, page) : round_up(size, page);
}

acre_status
space_reserve(const acre_arena_opts *opts, acre_mmap *out)
{
    size_t wanted = opts->reserve != 0 ? opts->reserve : default_reserve();
    size_t least = opts->reserve_least;
    if (least == 0)
        least = wanted < DEFAULT_LEAST ? wanted : DEFAULT_LEAST;
    if (least > wanted)
        return ACRE_BAD_OPTION;
    if ((opts->flags & (ACRE_ARENA_HUGE | ACRE_ARENA_LOCKED)) != 0)
        return -ENOTSUP;

    size_t size = whole_pages(opts->reserve != 0 ? wanted : modest(wanted, least));
    least = whole_pages(least);
    for (;;) {
        acre_status status = reserve_exactly(size, opts, out);
        // What is refused for another reason is refused at any size.
        if ((status != -ENOMEM && status != -EAGAIN) || size == least)
            return status;
        size = size / 2 > least ? whole_pages(size / 2) : least;
    }
}

acre_status
space_release(acre_mmap *map)
{
    size_t size = map->size;
    acre_status status = acre_mmap_unmap(map);
    if (status == ACRE_OK)
        give(size);
    return status;
}
