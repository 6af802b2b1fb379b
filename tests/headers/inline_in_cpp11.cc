#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic error "-Wuseless-cast"
#endif

#include "inline.h"

namespace {

void *alloc(acre_arena *arena, size_t size)
{
    return acre_arena_alloc(arena, size);
}

void *alloc_aligned(acre_arena *arena, size_t size, size_t alignment)
{
    return acre_arena_alloc_aligned(arena, size, alignment);
}

void *alloc_constant(acre_arena *arena)
{
    return acre_arena_alloc(arena, 24);
}

void *zalloc(acre_arena *arena, size_t size, size_t alignment)
{
    return acre_arena_zalloc(arena, size, alignment);
}

double *new_double(acre_arena *arena)
{
    return ACRE_NEW(arena, double);
}

double *new_doubles(acre_arena *arena, size_t count)
{
    return ACRE_NEW_ARRAY(arena, double, count);
}

}  // namespace

const inline_uses inline_uses_in_cpp11 = {
    alloc, alloc_aligned, alloc_constant, zalloc, new_double, new_doubles, ACRE_ARENA_LINE,
};
