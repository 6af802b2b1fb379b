// The cache: reservations of destroyed arenas, kept for new ones.
//
// 1. A slot holds one reservation, is empty, or is owned by a thread for the moment (BUSY).  To
//    put, a thread exchanges an empty slot's content for BUSY, cuts its reservation down to what
//    the slot has room for, and stores it.  To take, it exchanges a reservation for BUSY.  Busy
//    slots are skipped.  A put and a take cost one exchange each.  Only a slot's owner reads the
//    reservation in it, since another thread may unmap it at any time.
// 2. Each slot has a budget, which counts against the limit: the bytes committed in the reservation
//    that it holds, or held before.  An empty slot keeps its budget, so that a program that
//    repeatedly creates and destroys similar arenas pays for no further exchange.  When the limit
//    is reached, the budgets of empty slots are taken back first.  The sum of the budgets,
//    `budgets`, is thus never less than what the cache holds.
// 3. A thread that fills a slot checks the limit afterwards, and empties the slot if it must.  A
//    processor may read the limit before others see what was stored, so a thread that lowers the
//    limit waits a while for busy slots: a further exchange would double the price of a put.
// 4. A thread starts its search at a slot derived from its stack's address, so that threads seldom
//    meet in a slot.
// 5. Slots that were busy at a fork stay busy in the child, which then has fewer.
#include <stdatomic.h>

#include "arena/core.h"

enum { SLOTS = 16 };

// On a cache line of its own.
struct cache_slot {
    _Alignas(64) _Atomic(acre_arena_core *) content;
    atomic_size_t budget;  // written by the owner
};

static cache_slot cache_slots[SLOTS];
static atomic_size_t budgets;
static atomic_size_t limit = (size_t)64 << 20;

// A value that is no arena's core.
#define BUSY ((acre_arena_core *)(void *)cache_slots)

static size_t
first_slot(void)
{
    // Thread stacks lie at least 16 KiB apart, mostly some power of two.
    char here;
    uintptr_t at = (uintptr_t)&here >> 14;
    return (at ^ at >> 4 ^ at >> 9) % SLOTS;
}

// Makes the calling thread the slot's owner if the slot is empty (`occupied` 0) or holds a
// reservation (`occupied` 1), and returns the content; otherwise returns BUSY.
static acre_arena_core *
own_slot(cache_slot *which, int occupied)
{
    acre_arena_core *found = atomic_load_explicit(&which->content, memory_order_relaxed);
    if (found == BUSY || (found != NULL) != occupied ||
        !atomic_compare_exchange_strong_explicit(&which->content, &found, BUSY,
                                                 memory_order_acquire, memory_order_relaxed))
        return BUSY;
    return found;
}

static void
disown_slot(cache_slot *which, acre_arena_core *content)
{
    atomic_store_explicit(&which->content, content, memory_order_release);
}

static void
take_budget_back(cache_slot *which)
{
    size_t budget = atomic_load_explicit(&which->budget, memory_order_relaxed);
    atomic_fetch_sub_explicit(&budgets, budget, memory_order_relaxed);
    atomic_store_explicit(&which->budget, 0, memory_order_relaxed);
}

static void
take_budgets_of_empty_slots_back(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (own_slot(&cache_slots[i], 0) == BUSY)
            continue;
        take_budget_back(&cache_slots[i]);
        disown_slot(&cache_slots[i], NULL);
    }
}

static int
is_over_limit(void)
{
    return atomic_load_explicit(&budgets, memory_order_relaxed) >
           atomic_load_explicit(&limit, memory_order_relaxed);
}

static int
add_to_budget(cache_slot *which, size_t budget, size_t more)
{
    size_t most = atomic_load_explicit(&limit, memory_order_relaxed);
    size_t sum = atomic_fetch_add_explicit(&budgets, more, memory_order_relaxed) + more;
    if (sum > most || sum < more) {
        atomic_fetch_sub_explicit(&budgets, more, memory_order_relaxed);
        return 0;
    }
    atomic_store_explicit(&which->budget, budget + more, memory_order_relaxed);
    return 1;
}

// Sets the budget of a slot that the caller owns to `size`, if the limit permits that.
static int
set_budget(cache_slot *which, size_t size)
{
    size_t budget = atomic_load_explicit(&which->budget, memory_order_relaxed);
    if (size == budget)
        return 1;
    if (size < budget) {
        atomic_fetch_sub_explicit(&budgets, budget - size, memory_order_relaxed);
        atomic_store_explicit(&which->budget, size, memory_order_relaxed);
        return 1;
    }
    if (add_to_budget(which, budget, size - budget))
        return 1;
    take_budgets_of_empty_slots_back();
    return add_to_budget(which, budget, size - budget);
}

// Unmaps `core`, or leaves it in the slot if the system refuses.  Returns whether it was unmapped.
static int
unmap_from_slot(cache_slot *which, acre_arena_core *core)
{
    acre_mmap map = core->map;
    int released = acre_space_release(&map, core->committed - core_start(core)) == ACRE_OK;
    if (released)
        take_budget_back(which);
    disown_slot(which, released ? NULL : core);
    return released;
}

// Returns whether the slot held a reservation and it was unmapped.
static int
empty_slot(cache_slot *which)
{
    acre_arena_core *core = own_slot(which, 1);
    return core != BUSY && unmap_from_slot(which, core);
}

cache_slot *
acre_cache_claim(size_t size)
{
    size_t first = first_slot();
    for (size_t i = 0; i < SLOTS; i++) {
        cache_slot *which = &cache_slots[(first + i) % SLOTS];
        if (own_slot(which, 0) == BUSY)
            continue;
        // The limit may have been lowered since the slot got its budget.
        if (set_budget(which, size) && !is_over_limit())
            return which;
        disown_slot(which, NULL);
        return NULL;
    }
    return NULL;
}

void
acre_cache_fill(cache_slot *which, acre_arena_core *core)
{
    disown_slot(which, core);
    if (!is_over_limit())
        return;
    take_budgets_of_empty_slots_back();
    if (is_over_limit())
        (void)empty_slot(which);
}

void
acre_cache_abandon(cache_slot *which)
{
    disown_slot(which, NULL);
}

acre_arena_core *
acre_cache_take(size_t wanted, size_t least)
{
    size_t first = first_slot();
    for (size_t i = 0; i < SLOTS; i++) {
        cache_slot *which = &cache_slots[(first + i) % SLOTS];
        acre_arena_core *core = own_slot(which, 1);
        if (core == BUSY)
            continue;
        if (core->modest && !acre_space_is_scarce()) {
            (void)unmap_from_slot(which, core);
            continue;
        }
        if (core->wanted == wanted && core->map.size >= least) {
            disown_slot(which, NULL);
            return core;
        }
        acre_cache_fill(which, core);
    }
    return NULL;
}

static int
empty_slots(void)
{
    int emptied = 0;
    for (size_t i = 0; i < SLOTS; i++)
        emptied |= empty_slot(&cache_slots[i]);
    return emptied;
}

int
acre_cache_makes_way(acre_status refusal)
{
    int scarce = refusal == -ENOMEM || refusal == -EAGAIN || refusal == ACRE_TOO_MANY_AREAS;
    return scarce && empty_slots();
}

void
acre_arena_cache_trim(void)
{
    (void)empty_slots();
    take_budgets_of_empty_slots_back();
}

// Not for ever: the owner may have been lost in a fork.  An owner that spends longer in a system
// call checks the limit afterwards.
static void
wait_while_busy(cache_slot *which)
{
    for (int i = 0; i < 10000; i++) {
        if (atomic_load_explicit(&which->content, memory_order_acquire) != BUSY)
            return;
    }
}

void
acre_arena_cache_limit(size_t bytes)
{
    atomic_store_explicit(&limit, bytes, memory_order_seq_cst);
    take_budgets_of_empty_slots_back();
    for (size_t i = 0; i < SLOTS && is_over_limit(); i++) {
        wait_while_busy(&cache_slots[i]);
        (void)empty_slot(&cache_slots[i]);
    }
}

void
acre_cache_count(size_t *reservations, size_t *committed)
{
    *reservations = 0;
    *committed = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        acre_arena_core *core = atomic_load_explicit(&cache_slots[i].content, memory_order_relaxed);
        if (core == NULL || core == BUSY)
            continue;
        ++*reservations;
        *committed += atomic_load_explicit(&cache_slots[i].budget, memory_order_relaxed);
    }
}
