// stack/pool.h - what the parts of the pool share.
//
// From the lowest file up; each file calls only those above it in this list.
//
//   pool_region.c   regions, and which stack an address or a handle stands for
//   pool_shared.c   the lock, the lists that all threads share, forks
//   pool_stats.c    counts, areas, depths
//   pool_make.c     makes cold slots ready: memory, guards, locks
//   pool_thread.c   a thread's magazines, and what happens to them when it ends
//   pool_deep.c     returns the memory of deep stacks
//   pool_take.c     take, give, flush
//   pool_trim.c     returns the memory of free stacks; makes stacks in advance
//   pool_create.c   options, layout, create, destroy
//
// 1. A pool is cut into slots; a slot is a guard, usable bytes and a header.  Slots lie in regions,
//    which are reserved on demand, each as large as all before it together.
// 2. Each slot has one state word: READY once its guard is known to be in place, the kind of that
//    guard, and a generation, which is odd while the stack is out.  Giving is one compare-and-swap
//    from odd to even, which decides which caller gave the stack.  Taking is a plain store, since a
//    ready slot of even generation belongs to whoever holds its number.
// 3. The holder is a thread's magazine, the pool's list of free slots, its list of deep ones (whose
//    memory is to be returned), or a thread that is changing the slot (counted as pending).  A slot
//    that is not ready is cold: in the pool's list of cold slots, or beyond its region's frontier.
// 4. Lists are arrays of slot numbers under one lock, which is never held across a system call;
//    threads take it once for half a magazine.
// 5. The states alone determine which slots are out, free and cold.  After a fork, when the threads
//    that held the rest are gone, the lists are rebuilt from them.
// 6. Nothing that an ending thread or a signal handler may access is ever unmapped: pools, the
//    regions' records and states, and the threads' magazines are recycled.
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
    POOL_MAKE = 32,      // cold slots made ready in one batch
    POOL_DEEP = 256,     // most deep slots whose memory is returned in one batch
    POOL_DISCARD = 64,   // ranges that are discarded by one call
    POOL_LOOK = 4096,    // one given stack in so many is looked at for hidden depth
    POOL_MEASURE = 256,  // one stack in so many is measured when memory is returned
    POOL_REGIONS = 1024,
    POOL_COLOURS = 16,
    POOL_LINE = 64,  // bytes: tops differ by multiples of it, and a mark has this size
    // A slot's number: its region in the pool, then its place there.
    POOL_SLOT_BITS = 22,
    POOL_REGION_SLOTS = 1 << POOL_SLOT_BITS
};

// A slot's state.  All-zero is cold.  A slot that is not ready has an even generation, but for the
// moment in which a thread trims it.
enum { SLOT_GENERATION = (1 << 30) - 1, SLOT_PAGES = 1 << 30 };
static const uint32_t SLOT_READY = (uint32_t)1 << 31;

// When stacks that are given back count as deep (pool->returns).
enum { RETURNS_NOTHING, RETURNS_MARKED, RETURNS_ALL };

typedef struct region {
    // For lookups by address or handle.  Fields are stored with release order before `use` becomes
    // odd, and loaded with acquire order: a reader that saw a field of the next use also sees that
    // `use` has changed.  The fields that find and give read first share a cache line.
    _Alignas(POOL_LINE) _Atomic uint32_t use;  // odd while a pool owns the region
    _Atomic uint32_t taken;  // set before `use` becomes odd, cleared after it becomes even
    _Atomic uintptr_t start, end;
    _Atomic uintptr_t states;  // of its slots; lies in the pool's tables
    uint32_t slots;            // only for the pool, like the last two below
    _Atomic uint32_t process;  // the only process that has it; 0 = children have it, too
    _Atomic uint32_t pool_id;  // of this use of the pool's record
    _Atomic uint32_t index;    // of the region in its pool
    _Atomic uintptr_t stride, guard, top, header;
    _Atomic uintptr_t pool, tag;
    _Atomic uint32_t colours;
    _Atomic uint32_t locked;  // not 0: its stacks are locked
    shared_map map;

    _Atomic uint32_t frontier;  // slots below it were made ready, or an attempt failed
    uint32_t record;            // its index among all pools' regions
} region;

struct acre_stack_pool {
    // The layout of slots, fixed at creation.  Offsets count from a slot's start.
    size_t stride;  // bytes from slot to slot: an odd number of pages
    size_t guard;   // bytes; the usable ones lie above
    size_t top;     // offset of the end of the usable bytes, without colour
    size_t header;
    size_t mark;                // offset of a line that a stack writes when it needs a second page
    _Atomic uint32_t *token;    // magazines with this value are valid; changes at a fork
    _Atomic uint32_t id;        // of this use of the record; 0 = none
    uint32_t index;             // of the record
    uint32_t colours;           // the number of colours less 1, a bit mask
    _Atomic uint16_t returns;   // RETURNS_*
    uint16_t asks_for_process;  // 1 where a fork does not change the token by itself

    size_t kept;     // offset of the first byte that a deep stack keeps when given back
    size_t page;     // the system's page size
    size_t at_once;  // bytes accessible without growth: marks, header, a first frame
    uintptr_t tag;
    size_t max_stacks;
    size_t shared_by_threads;      // most free slots that magazines may hold
    uint64_t area_limit;           // of the process; 0 = unknown or none
    _Atomic uint32_t guard_kind;   // of stacks that are made from now on
    _Atomic uint32_t had_markers;  // some were made with markers, before these were refused
    _Atomic uint32_t looks;        // as in a magazine, for threads without one
    _Atomic uint32_t interval;
    size_t deep_batch;       // deep slots whose memory is returned in one batch
    _Atomic size_t deepest;  // depth among stacks measured before their memory was returned
    uint32_t flags;
    _Atomic uint32_t taken;  // the record is in use
    _Atomic(region *) regions[POOL_REGIONS];

    _Atomic uint32_t
        *lock;       // the lock's word, see pool_shared.c; like `lends` the record's for good
    uint32_t lends;  // 1 where the lock lends priority

    // Under the lock.
    _Atomic uint32_t process;  // for which the lists are valid
    uint32_t region_count;
    uint32_t growing;          // a thread is mapping a region
    uint32_t trimming;         // a thread is trimming
    uint32_t waiting;          // threads wait for `changes`
    _Atomic uint32_t changes;  // counts what such threads may wait for
    uint32_t unmeasured;       // deep slots whose memory was returned since one was measured
    uint32_t shallow;          // measured ones in a row that were not deep
    size_t slots;              // in all regions
    size_t free_count;
    size_t cold_count;
    size_t deep_count;
    size_t pending;  // slots that threads hold during system calls
    size_t ready;
    size_t peak;
    size_t room;    // the part of shared_by_threads not yet granted
    uint32_t *ids;  // free ones from the start, cold ones from the end (of `slots`)
    uint32_t deep[POOL_DEEP];

    // Belong to the record for good: states, then ids; committed as regions are added.
    acre_mmap tables;
    size_t table_size;  // bytes of each; 0 = none yet
};

// A free slot, with what the next take needs.
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
    uint32_t looks;     // stacks to give until one is looked at for hidden depth
    uint32_t interval;  // the next value of `looks`
    pool_slot slots[POOL_MAGAZINE];
} magazine;

enum { POOL_MAGAZINES = 16 };

// A thread's magazines.  An all-zero magazine is both empty and full, and belongs to no pool,
// whatever the pool's token is.
typedef struct pool_thread {
    _Atomic uint32_t taken;
    uint32_t index;  // among all threads' blocks
    uint32_t used;   // a bit for each magazine that a pool ever had
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

// Slots are used from the highest address down, so that newly committed memory adjoins what is
// committed already.
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

// How far below the slot's highest possible top its usable bytes end.
static inline size_t
slot_colour(uint32_t colours, uint32_t slot)
{
    return (size_t)(slot & colours) * POOL_LINE;
}

// Whether the slot's stack is taken.
static inline int
slot_is_out(uint32_t state)
{
    return (state & SLOT_READY) != 0 && state % 2 != 0;
}

static inline uint32_t
state_guard_kind(uint32_t state)
{
    return state & SLOT_PAGES ? ACRE_GUARD_PAGES : ACRE_GUARD_MARKER;
}

// ---- pool_thread.c ------------------------------------------------------------------------------

/// Registers the thread-exit hook; threads get magazines only if that succeeds.
void acre_pool_thread_hook(void);
/// Returns the calling thread's block, made if there is none (which takes system calls); NULL when
/// the thread can have no magazine for the pool.
pool_thread *acre_pool_this_thread(const acre_stack_pool *pool);
/// Returns the thread's magazine for the pool, or NULL.  Under the lock.
magazine *acre_pool_attach(acre_stack_pool *pool, pool_thread *thread);
/// Returns the magazine's slots to the pool.  Under the lock.
void acre_pool_flush(acre_stack_pool *pool, magazine *m);

// ---- pool_shared.c ------------------------------------------------------------------------------

/// @return ACRE_OK; ACRE_BAD_STATE in a child that does not have the pool
acre_status acre_pool_lock(acre_stack_pool *pool);
void acre_pool_unlock(acre_stack_pool *pool);
/// Unlocks, and waits until a thread calls acre_pool_unlock_changed.
void acre_pool_unlock_wait(acre_stack_pool *pool);
/// Unlocks after `growing`, `trimming` or `pending` went down, and wakes whoever waits for that.
void acre_pool_unlock_changed(acre_stack_pool *pool);
/// Rebuilds lists and counts from the slots' states, and sets a token that no magazine has.  Under
/// the lock.
void acre_pool_rebuild(acre_stack_pool *pool);
/// Returns a number, not 0, that no pool and no magazine has.
uint32_t acre_pool_fresh_token(void);

// ---- pool_make.c --------------------------------------------------------------------------------

/// Makes cold slots ready until `enough` free ones are in the pool's lists.
///
/// @return ACRE_OK; ACRE_FULL when there are no more; the system's limits
acre_status acre_pool_make(acre_stack_pool *pool, size_t enough);
/// Records that `count` slots have lost guards by protection.
void acre_pool_page_guards_removed(size_t count);

// ---- pool_region.c ------------------------------------------------------------------------------

/// Whether the system can meet the flags' demands on a region: ACRE_OK, or -ENOTSUP.
acre_status acre_region_check(uint32_t flags);
/// Creates a region of 1 to `slots` slots, numbered after the pool's others.
acre_status acre_region_create(acre_stack_pool *pool, size_t slots, region **out);
/// Unmaps the region; lookups stop finding its addresses before that.  On failure the region is
/// unchanged.
acre_status acre_region_destroy(region *r);
/// Like acre_stack_find, for stacks of pools.  Sets `key` to a handle's private words.
acre_status acre_pool_find(uintptr_t address, acre_stack_info *out, uintptr_t key[2]);
/// Like acre_stack_each, for stacks of pools.
acre_status acre_pool_each(acre_stack_visit_fn visit, void *context);
/// Like acre_handle_get, for stacks of pools: goes by the pool, region and slot that the handle
/// names, not by its address.
acre_status acre_region_get(const acre_stack *stack, stack_place *out);

// ---- pool_stats.c -------------------------------------------------------------------------------

/// How many of its slots have all bits of `wanted` in their state, and SLOT_READY.
size_t acre_region_count_ready(const region *r, uint32_t wanted);
/// Records how deep a stack has been; no other thread may hold the stack.  Returns the depth, 0
/// when it is unknown.
size_t acre_pool_note_depth(acre_stack_pool *pool, uint32_t id);

// ---- pool_deep.c --------------------------------------------------------------------------------

/// Clears the marks from offset `first` up, as if the stack in the slot had never been that deep.
void acre_pool_clear_marks(const acre_stack_pool *pool, char *start, size_t first);
/// Returns all but the highest `keep` bytes of a stack that no other thread holds.  Where stacks
/// grow, it then makes the bytes accessible again that must be.
acre_status acre_pool_shrink(const acre_stack_pool *pool, const region *r, char *start,
                             size_t keep);
/// Returns the memory of slots that no other thread holds, except for the kept bytes.
void acre_pool_discard(const acre_stack_pool *pool, const uint32_t *ids, size_t count);
/// Whether a given stack has memory below the kept bytes, whatever its marks say.
int acre_pool_hides_depth(const acre_stack_pool *pool, const char *start);

#endif  // ACRE_STACK_POOL_INTERNAL_H_
