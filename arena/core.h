// arena/core.h - the cold part of an arena, and what the files of this package share.
#ifndef ACRE_ARENA_CORE_H_
#define ACRE_ARENA_CORE_H_

#include <stdatomic.h>

#include "acre/arena.h"
#include "acre/mmap.h"

enum { CORE_ALIVE = 0x61637265, NAME_SIZE = 32 };

struct acre_arena_core {
    uint32_t alive;       // CORE_ALIVE; reads 0 in a child that did not get the arena (DONT_FORK)
    uint16_t cacheable;   // whether the cache may take the reservation
    uint16_t modest;      // whether it is small because arenas held most of the addresses
    uintptr_t base;       // first byte handed out
    uintptr_t floor;      // cursor of the newest mark: a block that starts below it grows by moving
    uintptr_t peak;       // highest cursor ever taken back
    uintptr_t ceiling;    // end of what may be handed out: the user's limit or the memory's end
    uintptr_t committed;  // end of the committed pages
    uintptr_t boundary;   // from here on, commits are whole huge pages; UINTPTR_MAX: nowhere
    size_t huge;          // size of the huge pages that could form; 0: none
    size_t wanted;        // the size asked for; 0: the default
    size_t keep;          // bytes from `base` that a reset leaves committed
    acre_exhausted_fn exhausted;
    void *context;
    acre_mmap map;     // the reservation; empty over the caller's memory
    uintptr_t memory;  // the caller's memory, else 0
    size_t memory_size;
    uint64_t commits;
    char name[NAME_SIZE];
    uintptr_t dirty;      // while in the cache: `dirty` of the next arena
    uint32_t generation;  // likewise its generation
    uint16_t watched;     // whether each block is reported to a checker (watch.h)
    uint8_t root;         // how the reservation is registered with LeakSanitizer (roots.h)
    uint8_t own_root;     // likewise the core, when it has a page of its own

    // For a thread that prefaults: what was committed but unused at the last commit.
    _Atomic uint32_t prefaulting;  // 0, the prefaulting process (mmap/process.h), or GROW_STOPPED
    atomic_uintptr_t unused;
    atomic_uintptr_t unused_end;
};

// Rounds up to a multiple of `alignment`, a power of two; the caller makes sure that it cannot
// wrap.
static inline uintptr_t
round_up(uintptr_t value, uintptr_t alignment)
{
    return (value + (alignment - 1)) & ~(alignment - 1);
}

static inline uintptr_t
round_down(uintptr_t value, uintptr_t alignment)
{
    return value & ~(alignment - 1);
}

// Where the reservation begins.
static inline uintptr_t
core_start(const acre_arena_core *core)
{
    return (uintptr_t)core->map.base;
}

// The end of what can be handed out without a further commit.
static inline uintptr_t
core_limit(const acre_arena_core *core)
{
    return core->committed < core->ceiling ? core->committed : core->ceiling;
}

// A watched arena takes every request out of line.
static inline void
core_set_limit(acre_arena *arena, const acre_arena_core *core)
{
    arena->limit = core->watched ? arena->cursor : core_limit(core);
}

// NULL for an all-zero arena, and in a child that did not get it.
static inline acre_arena_core *
core_of(const acre_arena *arena)
{
    acre_arena_core *core = arena->core;
    return core != NULL && core->alive == CORE_ALIVE ? core : NULL;
}

// Why core_of returned NULL.
static inline acre_status
status_without_core(const acre_arena *arena)
{
    return arena->core == NULL ? ACRE_EMPTY_HANDLE : ACRE_BAD_STATE;
}

// ---- core.c -------------------------------------------------------------------------------------

// Like core_of, but in a child that did not get the arena it also sets the arena's status.
acre_arena_core *acre_core_or_note(acre_arena *arena);

// Commits room for a block and returns where it would lie.  Does not move the cursor.
acre_status acre_core_make_room(acre_arena *arena, size_t size, size_t alignment, uintptr_t *block);
// The same for a block that begins at `start`, which is not below `base`.
acre_status acre_core_make_room_at(acre_arena *arena, acre_arena_core *core, uintptr_t start,
                                   size_t size);

// Moves the cursor to the end of a block of `size` bytes, for which there is room.  The first `had`
// bytes were handed out before.
void *acre_core_hand_out(acre_arena *arena, uintptr_t block, size_t had, size_t size);

// Records the reason, calls the user's handler, returns NULL.  Must be the last step: the handler
// may not return.
void *acre_core_refuse(acre_arena *arena, size_t size, acre_status why);

// Zeroes a range that was handed out or at least committed.
void acre_core_wipe(const acre_arena_core *core, uintptr_t start, uintptr_t end);
// Moves the cursor down to `cursor`.
void acre_core_take_back(acre_arena *arena, acre_arena_core *core, uintptr_t cursor);

// ---- mark.c -------------------------------------------------------------------------------------

// Runs the deferred calls registered at `cursor` or above, newest first.
void acre_core_run_deferred(acre_arena *arena, uintptr_t cursor);

// ---- grow.c -------------------------------------------------------------------------------------

#define GROW_STOPPED UINT32_MAX  // no process has that number

// Commits at least up to `need`, which lies above `committed` and not above the ceiling.
acre_status acre_grow_commit(acre_arena_core *core, uintptr_t cursor, uintptr_t need);
// Where the committed pages will end after acre_grow_give_back, if the system permits it.
uintptr_t acre_grow_end_of_kept(const acre_arena_core *core, uintptr_t cursor, size_t keep);
// Decommits whole pages beyond both the cursor and `keep` bytes; they are zero when committed
// again.
acre_status acre_grow_give_back(acre_arena_core *core, uintptr_t cursor, size_t keep);
// Whether anything could be given back.
static inline int
grow_has_surplus(const acre_arena_core *core, size_t keep)
{
    return core->memory == 0 && keep < core->committed - core->base;
}
// Publishes to a prefaulting thread what is committed; everything from `unused` on is unused.
static inline void
grow_publish(acre_arena_core *core, uintptr_t unused)
{
    atomic_store_explicit(&core->unused, unused, memory_order_relaxed);
    atomic_store_explicit(&core->unused_end, core_limit(core), memory_order_release);
}
// Waits for a prefaulting thread to finish, and lets none begin until `prefaulting` is 0 again.
void acre_grow_stop_prefault(acre_arena_core *core);

// ---- space.c ------------------------------------------------------------------------------------

// Whether arenas hold more than half of the address space.
int acre_space_is_scarce(void);
// The fewest bytes of addresses that an arena with these (checked) options accepts; 0: the options
// contradict each other.
size_t acre_space_least(const acre_arena_opts *opts);
// Reserves the size that `opts` (checked) asks for, or the next smaller one available, and sets
// where whole huge pages begin in it (core->boundary, core->huge).  After a refusal it tries once
// more if `makes_way` returns true.
acre_status acre_space_reserve(const acre_arena_opts *opts, int (*makes_way)(acre_status refusal),
                               acre_arena_core *core);
// Unmaps a reservation, `committed` bytes of which are committed.
acre_status acre_space_release(acre_mmap *map, size_t committed);
// Adds `more` to the count of committed bytes and subtracts `less`.
void acre_space_count_commit(size_t more, size_t less);
// The number of reservations, their bytes of addresses, and how many of these are committed.
void acre_space_totals(size_t *count, size_t *reserved, size_t *committed);

// ---- cache.c ------------------------------------------------------------------------------------

// Takes a reservation of at least `least` bytes that was made when `wanted` bytes were asked for;
// NULL: none.  Unmaps the modest ones it meets once addresses are no longer scarce.
acre_arena_core *acre_cache_take(size_t wanted, size_t least);
// Claims room for a reservation with `size` committed bytes; the caller owns it until it is filled
// or abandoned.  NULL: there is none.
typedef struct cache_slot cache_slot;
cache_slot *acre_cache_claim(size_t size);
// The cache owns the reservation from here on.
void acre_cache_fill(cache_slot *which, acre_arena_core *core);
void acre_cache_abandon(cache_slot *which);
// Whether it is worth trying again after this refusal: the cache released what it held.
int acre_cache_makes_way(acre_status refusal);
// The cache's reservations and the bytes committed in them.
void acre_cache_count(size_t *reservations, size_t *committed);

#endif  // ACRE_ARENA_CORE_H_
