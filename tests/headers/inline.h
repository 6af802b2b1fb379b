// The inline functions and macros of the public headers, used by C and by C++ code under the
// strictest warnings.
#ifndef ACRE_TESTS_HEADERS_INLINE_H_
#define ACRE_TESTS_HEADERS_INLINE_H_

#include "acre/arena.h"

typedef struct inline_uses {
    void *(*alloc)(acre_arena *arena, size_t size);
    void *(*alloc_aligned)(acre_arena *arena, size_t size, size_t alignment);
    void *(*alloc_constant)(acre_arena *arena);
    void *(*zalloc)(acre_arena *arena, size_t size, size_t alignment);
    double *(*new_double)(acre_arena *arena);
    double *(*new_doubles)(acre_arena *arena, size_t count);
    size_t largest_inline_alignment;
    void (*destroy)(acre_arena *arena);
} inline_uses;

ACRE_EXTERN_C_BEGIN

extern const inline_uses inline_uses_in_c11;
extern const inline_uses inline_uses_in_cpp11;

ACRE_EXTERN_C_END

#endif  // ACRE_TESTS_HEADERS_INLINE_H_
