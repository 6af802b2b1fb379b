// arena/core.h - the cold part of an arena, and what the files of this package share.
//
// In the symbol table every name carries the library's prefix.
#ifndef ACRE_ARENA_CORE_H_
#define ACRE_ARENA_CORE_H_

#include "acre/arena.h"
#include "acre/mmap.h"

#define core_of acre_arena_core_of
#define core_or_note acre_arena_core_or_note
#define core_commit acre_arena_core_commit
#define core_make_room acre_arena_core_make_room
#define core_refuse acre_arena_core_refuse
#define core_take_back acre_arena_core_take_back
#define core_run_deferred acre_arena_core_run_deferred
#define space_reserve acre_arena_space_reserve
#define space_release acre_arena_space_release

enum { CORE_ALIVE = 0x61637265 };

struct acre_arena_core {
    uint32_t alive;     // CORE_ALIVE; in a child that did not get the arena (DONT_FORK) it reads 0
    uintptr_t floor;    // cursor of the newest mark: a block that starts below it grows by moving
    uintptr_t peak;     // highest cursor ever taken back
    uintptr_t ceiling;  // nothing from here on is handed out: the user's limit or the memory's end
    uintptr_t committed;  // end of what is committed
    size_t keep;          // bytes from `base` that a reset leaves committed
    acre_exhausted_fn exhausted;
    void *context;
    acre_mmap map;     // the reservation; empty over the caller's memory
    uintptr_t memory;  // the caller's memory, else 0
    size_t memory_size;
    uint64_t commits;
    char name[32];
};

// Up to the next multiple of `alignment`, a power of two; the caller knows that it cannot wrap.
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

// NULL for an all-zero arena, and in a child that did not get it.
acre_arena_core *core_of(const acre_arena *arena);
// The same, and the arena's status tells of the child.
acre_arena_core *core_or_note(acre_arena *arena);

// Commits up to `need`, which lies above `committed` and at most at the ceiling, or further.
acre_status core_commit(acre_arena_core *core, uintptr_t need);

// Where a block could lie, with all of it committed.  The cursor stays.
acre_status core_make_room(acre_arena *arena, size_t size, size_t alignment, uintptr_t *block);

// Notes why, tells the user's handler, returns NULL.  Comes last: the handler may not return.
void *core_refuse(acre_arena *arena, size_t size, acre_status why);

// Moves the cursor down.
void core_take_back(acre_arena *arena, acre_arena_core *core, uintptr_t cursor);

// Runs the deferred calls noted at `cursor` or above, newest first.
void core_run_deferred(acre_arena *arena, uintptr_t cursor);

// A reservation of the size that `opts` (checked) asks for, or the next smaller one to be had.
acre_status space_reserve(const acre_arena_opts *opts, acre_mmap *out);
acre_status space_release(acre_mmap *map);

#endif  // ACRE_ARENA_CORE_H_
