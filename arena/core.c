// What the files built on grow.c share: room for a block, handing it out, taking it back, refusing.
#include <string.h>

#include "arena/core.h"
#include "arena/watch.h"
#include "mmap/debug.h"
#include "mmap/port/trace.h"

acre_arena_core *
acre_core_or_note(acre_arena *arena)
{
    acre_arena_core *core = core_of(arena);
    if (core == NULL && arena->core != NULL)
        arena->status = ACRE_BAD_STATE;
    return core;
}

acre_status
acre_core_make_room_at(acre_arena *arena, acre_arena_core *core, uintptr_t start, size_t size)
{
    if (size > UINTPTR_MAX - start)
        return ACRE_BAD_SIZE;
    if (start > core->ceiling || size > core->ceiling - start)
        return ACRE_FULL;
    uintptr_t end = watch_end(core, start, size);
    if (end > core->ceiling)
        return ACRE_FULL;
    if (end <= core_limit(core))
        return ACRE_OK;
    acre_status status = acre_grow_commit(core, arena->cursor, end);
    if (status == ACRE_OK)
        core_set_limit(arena, core);
    return status;
}

acre_status
acre_core_make_room(acre_arena *arena, size_t size, size_t alignment, uintptr_t *block)
{
    if (!IS_VALID(alignment != 0 && (alignment & (alignment - 1)) == 0))
        return ACRE_BAD_ALIGNMENT;
    acre_arena_core *core = core_of(arena);
    if (core == NULL)
        return status_without_core(arena);
    if (alignment - 1 > UINTPTR_MAX - arena->cursor)
        return ACRE_BAD_SIZE;
    uintptr_t start = round_up(arena->cursor, alignment);
    acre_status status = acre_core_make_room_at(arena, core, start, size);
    if (status == ACRE_OK)
        *block = start;
    return status;
}

void *
acre_core_hand_out(acre_arena *arena, uintptr_t block, size_t had, size_t size)
{
    const acre_arena_core *core = arena->core;
    arena->cursor = watch_end(core, block, size);
    if (core->watched) {
        watch_open(block + had, size - had);
        watch_close(block + size, arena->cursor - (block + size));
        if (arena->cursor > arena->dirty)
            arena->dirty = arena->cursor;
        core_set_limit(arena, core);
    }
    return (void *)block;
}

void *
acre_core_refuse(acre_arena *arena, size_t size, acre_status why)
{
    arena->status = why;
    TRACE(arena_refused, arena, size, why);
    acre_arena_core *core = core_of(arena);
    if (core != NULL && core->exhausted != NULL)
        core->exhausted(arena, why == ACRE_BAD_SIZE ? SIZE_MAX : size, why, core->context);
    return NULL;
}

void
acre_core_wipe(const acre_arena_core *core, uintptr_t start, uintptr_t end)
{
    if (core->watched)
        watch_open(start, end - start);
    memset((void *)start, 0, end - start);
}

void
acre_core_take_back(acre_arena *arena, acre_arena_core *core, uintptr_t cursor)
{
    uintptr_t old = arena->cursor;
    if (old > core->peak)
        core->peak = old;
    if ((arena->flags & ACRE_ARENA_WIPE) != 0)
        acre_core_wipe(core, cursor, old);
    else if (old > arena->dirty)
        arena->dirty = old;
    arena->cursor = cursor;
    if (core->watched) {
        watch_close(cursor, old - cursor);
        core_set_limit(arena, core);
    }
}
