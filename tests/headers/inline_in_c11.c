#include "inline.h"

static void *alloc(acre_arena *arena, size_t size)
{
    return acre_arena_alloc(arena, size);
}

static void *alloc_aligned(acre_arena *arena, size_t size, size_t alignment)
{
    return acre_arena_alloc_aligned(arena, size, alignment);
}

static void *alloc_constant(acre_arena *arena)
{
    return acre_arena_alloc(arena, 24);
}

static void *zalloc(acre_arena *arena, size_t size, size_t alignment)
{
    return acre_arena_zalloc(arena, size, alignment);
}

static double *new_double(acre_arena *arena)
{
    return ACRE_NEW(arena, double);
}

static double *new_doubles(acre_arena *arena, size_t count)
{
    return ACRE_NEW_ARRAY(arena, double, count);
}

// Nobody is warned of the status.
static void destroy(acre_arena *arena)
{
    ACRE_IGNORE(acre_arena_destroy(arena));
}

const inline_uses inline_uses_in_c11 = {
    alloc, alloc_aligned, alloc_constant, zalloc, new_double, new_doubles, ACRE_ARENA_LINE, destroy,
};
