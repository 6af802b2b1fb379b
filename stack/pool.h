// stack/pool.h - what the parts of the pool share.
//
// From the lowest file up; each calls only those above it in this list.
//
//   pool_region.c   regions, and which stack an address or a handle stands for
//   pool_shared.c   the lock, the lists that all threads share, forks
//   pool_stats.c    what there is
//   pool_make.c     cold slots made ready: memory, guards, locks
//   pool_thread.c   a thread's magazines, and what becomes of them when it ends
//   pool_deep.c     memory of deep stacks returned
//   pool_take.c     take, give, flush: what a thread keeps for itself
//   pool_trim.c     memory of free stacks returned; stacks made beforehand
//   pool_create.c   options, layout, destroying
//
// 1. A pool is cut into slots, a slot is a guard, usable bytes and a header.  Slots lie in regions,
//    reserved as wanted, each twice as large as the one before.
// 2. Each slot has a word, its state: READY when its guard is known to be there, and a generation,
//    odd while the stack is out.  To give is one compare-and-swap from odd to even, which decides
//    who gave it; to take is a plain store, since a ready slot of even generation belongs to
//    whoever has its number.
// 3. That is a thread's magazine, the pool's list of free ones, its list of deep ones (whose memory
//    is to be returned), or a thread that is about to change it (counted as pending).  What is not
//    ready is cold: in the pool's list of cold ones, or beyond its region's frontier.
// 4. Lists are arrays of slot numbers under one lock, which is never held across a system call;
//    threads go there once for half a magazine.
// 5. The states alone tell what is out, free and cold, so that after a fork, when the threads are
//    gone that held the rest, the lists are made anew from them.
// 6. Nothing that another thread's end or a signal handler may come to is ever unmapped: pools,
//    regions' records and states, threads' magazines are recycled.
#ifndef ACRE_STACK_POOL_INTERNAL_H_
#define ACRE_STACK_POOL_INTERNAL_H_

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "acre/mmap.h"
#include "acre/stack_pool.h"
#include "stack/place.h"

enum {
    POOL_MAGAZINE = 64,  // most slots that a thread keeps of a pool
    POOL_MAKE = 32,      // cold slots made ready together
    POOL_DEEP = 256,     // deep slots whose memory is returned together
    POOL_MEASURE = 256,  // of so many whose memory is returned one is measured
    POOL_REGIONS = 1024,
    POOL_COLOURS = 16,
    POOL_LINE = 64,  // bytes: tops differ by lines, and marks are lines
    // A slot's number: its region in the pool, then its place there.
    POOL_SLOT_BITS = 22,
    POOL_REGION_SLOTS = 1 << POOL_SLOT_BITS
};

// A slot's state.  All-zero is cold.
enum { SLOT_GENERATION = (1 << 30) - 1, SLOT_TRIMMED = 1 << 30 };
static const uint32_t SLOT_READY = (uint32_t)1 << 31;

typedef struct region {
    // For whoever asks about an address or a handle.  Fields are stored with release before the use
    // becomes odd, and loaded with acquire, so whoever saw a field of the next use also sees that
    // it moved on.  What find and give look at first shares a line.
    _Alignas(POOL_LINE) _Atomic uint32_t use;  // odd while it is a pool's
    _Atomic uint32_t taken;                    // 1 from before `use` is odd until after it is even
    _Atomic uintptr_t start, end;
    _Atomic uintptr_t states;  // of its slots, in the pool's tables
    uint32_t slots;            // the pool's, as the last two below
    _Atomic uint32_t process;  // the only one that has it; 0 = children have it, too
    _Atomic uint32_t pool_id;  // of this use of the pool's record
    _Atomic uint32_t index;    // of the region in its pool
    _Atomic uintptr_t stride, guard, top, header;
    _Atomic uintptr_t pool, tag;
    _Atomic uint32_t guard_kind;
    _Atomic uint32_t locked;  // not 0: its stacks are
    shared_map map;

    _Atomic uint32_t frontier;  // slots below it were made ready, or tried to
    uint32_t record;            // its index among all pools' regions
} region;

struct acre_stack_pool {
    // What slots are like, from create on.  Offsets count from a slot's start.
    size_t stride;  // bytes from slot to slot: an odd number of pages
    size_t guard;   // bytes; usable ones lie above
    size_t top;     // offset of the end of the usable bytes, without colour
    size_t header;
    size_t mark;              // offset of a line that a stack writes when it needs a second page
    _Atomic uint32_t *token;  // what magazines are valid for: another after a fork
    _Atomic uint32_t id;      // of this use of the record; 0 = none
    uint32_t index;           // of the record
    uint32_t guard_kind;
    uint16_t returns_deep;
    uint16_t asks_for_process;  // where a fork does not change the token by itself

    size_t kept;     // offset of the first byte that stays when a deep stack is given back
    size_t page;     // of the system
    size_t at_once;  // bytes that are accessible without growth: marks, header, a first frame
    uintptr_t tag;
    size_t max_stacks;
    size_t shared_by_threads;  // most free slots that magazines may hold
    uint64_t area_limit;       // of the process; 0 = none is known
    _Atomic size_t deepest;    // of those that were measured before their memory was returned
    uint32_t flags;
    _Atomic uint32_t taken;  // the record is in use
    _Atomic(region *) regions[POOL_REGIONS];

    // Under the lock.
    _Atomic uint32_t lock;     // 0, or the process that holds it
    _Atomic uint32_t process;  // that the lists are true for
    uint32_t region_count;
    uint32_t growing;   // somebody maps a region
    uint32_t trimming;  // somebody trims
    size_t slots;       // in all regions
    size_t free_count;
    size_t cold_count;
    size_t deep_count;
    size_t pending;  // slots that some thread holds during a system call
    size_t ready;
    size_t peak;
    size_t room;    // what is left of shared_by_threads
    uint32_t *ids;  // free ones from the start, cold ones from the end (of `slots`)
    uint32_t deep[POOL_DEEP];

    // The record's for good: states, then ids, committed as regions come.
    acre_mmap tables;
    size_t table_size;  // bytes of each; 0 = there are none yet
};

// A free slot, with what its next taker wants to know.
typedef struct pool_slot {
    char *start;
    _Atomic uint32_t *state;
    uint32_t number;
    uint32_t generation;  // the state's value
} pool_slot;

typedef struct magazine {
    acre_stack_pool *pool;
    uint32_t token;
    uint32_t capacity;
    uint32_t count;
    pool_slot slots[POOL_MAGAZINE];
} magazine;

enum { POOL_MAGAZINES = 16 };

// What a thread keeps.  All-zero magazines are empty and full at once: of no pool, whatever its
// token.
typedef struct pool_thread {
    _Atomic uint32_t taken;
    uint32_t index;  // among all threads' blocks
    magazine magazines[POOL_MAGAZINES];
} pool_thread;

// ---- slots --------------------------------------------------------------------------------------

static inline uint32_t
slot_number(uint32_t region_index, uint32_t slot)
{
    return region_index << POOL_SLOT_BITS | slot;
}

static inline region *
region_at(const acre_stack_pool *pool, uint32_t index)
{
    return atomic_load_explicit(&pool->regions[index], memory_order_acquire);
}

static inline region *
region_of(const acre_stack_pool *pool, uint32_t id)
{
    return region_at(pool, id >> POOL_SLOT_BITS);
}

static inline uint32_t
slot_of(uint32_t id)
{
    return id & (POOL_REGION_SLOTS - 1);
}

// Slots are used from the highest on, so that what is committed of a region adjoins the one before.
static inline char *
slot_start(const acre_stack_pool *pool, const region *r, uint32_t slot)
{
    uintptr_t end = atomic_load_explicit(&r->end, memory_order_relaxed);
    return (char *)(end - (slot + 1) * pool->stride);
}

static inline size_t
region_size(const region *r)
{
    return atomic_load_explicit(&r->end, memory_order_relaxed) -
           atomic_load_explicit(&r->start, memory_order_relaxed);
}

static inline _Atomic uint32_t *
slot_state(const region *r, uint32_t slot)
{
    return (_Atomic uint32_t *)atomic_load_explicit(&r->states, memory_order_relaxed) + slot;
}

// By how much the end of a slot's usable bytes lies below that of others.
static inline size_t
slot_colour(uint32_t slot)
{
    return (size_t)(slot % POOL_COLOURS) * POOL_LINE;
}

// ---- pool_thread.c ------------------------------------------------------------------------------

/// Whether threads may have magazines is known from here on.
void acre_pool_thread_hook(void);
/// The calling thread's block, made when there is none, which takes system calls; NULL when it can
/// have no magazine for the pool.
pool_thread *acre_pool_this_thread(const acre_stack_pool *pool);
/// Its magazine for the pool, or NULL.  Under the lock.
magazine *acre_pool_attach(acre_stack_pool *pool, pool_thread *thread);
/// The magazine's slots to the pool.  Under the lock.
void acre_pool_flush(acre_stack_pool *pool, magazine *m);

// ---- pool_shared.c ------------------------------------------------------------------------------

/// @return ACRE_OK; ACRE_BAD_STATE in a child that does not have the pool
acre_status acre_pool_lock(acre_stack_pool *pool);
void acre_pool_unlock(acre_stack_pool *pool);
/// Lists and counts from the slots' states, and a token that no magazine has.  Under the lock.
void acre_pool_rebuild(acre_stack_pool *pool);
/// A number, not 0, that no pool and no magazine has.
uint32_t acre_pool_fresh_token(void);

// ---- pool_make.c --------------------------------------------------------------------------------

/// Makes cold slots ready until `enough` free ones are in the pool's lists.
///
/// @return ACRE_OK; ACRE_FULL when there are no more; the system's limits
acre_status acre_pool_make(acre_stack_pool *pool, size_t enough);
/// `count` slots have lost their guards.
void acre_pool_guards_removed(const acre_stack_pool *pool, size_t count);

// ---- pool_region.c ------------------------------------------------------------------------------

/// Whether a region can be what is demanded: ACRE_OK, or -ENOTSUP.
acre_status acre_region_check(uint32_t flags);
/// A region of at least one slot and at most `slots`, which follow the pool's others.
acre_status acre_region_create(acre_stack_pool *pool, size_t slots, region **out);
/// Unmaps it.  Its addresses are nobody's before that.  On failure it is as it was.
acre_status acre_region_destroy(region *r);
/// As acre_stack_find, for stacks of pools.
acre_status acre_pool_find(uintptr_t address, acre_stack_info *out);
/// As acre_handle_get, for stacks of pools: by pool, region and slot that the handle names, not by
/// its address.
acre_status acre_region_get(const acre_stack *stack, stack_place *out);

// ---- pool_stats.c -------------------------------------------------------------------------------

/// How many of its slots are ready (`out`: and out).
size_t acre_region_count_ready(const region *r, int out);
/// Remembers how deep a stack has been that nobody else holds.
void acre_pool_note_depth(acre_stack_pool *pool, uint32_t id);

// ---- pool_deep.c --------------------------------------------------------------------------------

/// Clears the marks from offset `first` on: as if the stack in the slot had never been so deep.
void acre_pool_clear_marks(const acre_stack_pool *pool, char *start, size_t first);
/// One stack that nobody else holds: all but its highest `keep` bytes goes, and where stacks grow,
/// what has to be accessible comes anew.
acre_status acre_pool_shrink(const acre_stack_pool *pool, const region *r, char *start,
                             size_t keep);
/// Returns the memory of slots that nobody else holds, but for what is kept.
void acre_pool_discard(acre_stack_pool *pool, const uint32_t *ids, size_t count);

#endif  // ACRE_STACK_POOL_INTERNAL_H_
