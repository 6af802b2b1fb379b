#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic error "-Wuseless-cast"
#endif

#include "acre/mmap.h"
#include "inline.h"

// From C++20 on compilers warn of an operation on two enumerations; adopt takes both kinds of flag.
static_assert((ACRE_IS_FILE | ACRE_MAP_SHARED) == (1 << 17 | 1), "");

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

// Also of a template's parameter.
template <class T>
T *new_one(acre_arena *arena)
{
    return ACRE_NEW(arena, T);
}

double *new_double(acre_arena *arena)
{
    return new_one<double>(arena);
}

double *new_doubles(acre_arena *arena, size_t count)
{
    return ACRE_NEW_ARRAY(arena, double, count);
}

// Nobody is warned of the status.
void destroy(acre_arena *arena)
{
    ACRE_IGNORE(acre_arena_destroy(arena));
}

}  // namespace

const inline_uses inline_uses_in_cpp11 = {
    alloc, alloc_aligned, alloc_constant, zalloc, new_double, new_doubles, ACRE_ARENA_LINE, destroy,
};
