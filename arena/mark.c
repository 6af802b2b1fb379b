// Marks, and the calls deferred until memory is taken back.
//
// 1. A mark is a cursor and the arena's generation.  Each reset begins a new generation, so marks
//    from before it are recognised as stale; within a generation, so is a mark above the cursor.
// 2. Deferred calls are a list of nodes in the arena itself, newest first.  Each node is allocated
//    at the cursor and taken back with the blocks around it, so addresses fall along the list: one
//    compare with the newest node shows whether a restore has any to run.
// 3. A node is removed from the list before its call, so a call that longjmps away does not run
//    twice.
// 4. In the child of a fork that finds the arena's memory zeroed, a node whose call is NULL means
//    that it and all older ones are forgotten.
#include "arena/core.h"
#include "arena/watch.h"
#include "mmap/debug.h"

typedef struct deferred {
    struct deferred *older;
    void (*call)(void *argument);
    void *argument;
    uintptr_t unused[sizeof(void *) == 8 ? 1 : 5];
} deferred;

_Static_assert(sizeof(deferred) == 32, "documented");

void
acre_core_run_deferred(acre_arena *arena, uintptr_t cursor)
{
    while (arena->deferred != NULL && (uintptr_t)arena->deferred >= cursor) {
        deferred *newest = (deferred *)arena->deferred;
        arena->deferred = newest->older;
        if (newest->call != NULL)
            newest->call(newest->argument);
    }
}

acre_status
acre_arena_defer(acre_arena *arena, void (*call)(void *), void *argument)
{
    uintptr_t place = 0;
    acre_status status = ACRE_NULL_ARGUMENT;
    if (IS_VALID(call != NULL))
        status = acre_core_make_room(arena, sizeof(deferred), sizeof(void *), &place);
    if (status != ACRE_OK) {
        arena->status = status;
        return status;
    }
    deferred node = {0};
    node.older = (deferred *)arena->deferred;
    node.call = call;
    node.argument = argument;
    arena->deferred = acre_core_hand_out(arena, place, 0, sizeof node);
    *(deferred *)arena->deferred = node;
    return ACRE_OK;
}

acre_arena_mark
acre_arena_save(acre_arena *arena)
{
    acre_arena_mark mark = {0, 0};
    acre_arena_core *core = acre_core_or_note(arena);
    if (core == NULL)
        return mark;
    watch_boundary(core, arena->cursor);
    core->floor = arena->cursor;
    mark.cursor = arena->cursor;
    mark.generation = arena->generation;
    return mark;
}

void
acre_arena_restore(acre_arena *arena, acre_arena_mark mark)
{
    acre_arena_core *core = acre_core_or_note(arena);
    if (core == NULL && arena->core != NULL)
        return;
    // An address below `base` wraps to a large difference.
    uintptr_t used = arena->cursor - arena->base;
    if (mark.generation != arena->generation || mark.cursor - arena->base > used) {
        arena->status = ACRE_STALE;
        return;
    }
    if (core == NULL)
        return;
    if (watch_is_inside(core, mark.cursor)) {
        arena->status = ACRE_STALE;
        return;
    }
    if ((uintptr_t)arena->deferred >= mark.cursor)
        acre_core_run_deferred(arena, mark.cursor);
    acre_core_take_back(arena, core, mark.cursor);
    core->floor = mark.cursor;
}
