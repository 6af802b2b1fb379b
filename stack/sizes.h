// stack/sizes.h - sizes that single stacks and pools have in common.
#ifndef ACRE_STACK_SIZES_H_
#define ACRE_STACK_SIZES_H_

#include <stddef.h>
#include <stdint.h>

#include "acre/stack.h"

enum {
    STACK_KNOWN_FLAGS = ACRE_STACK_NO_DUMP | ACRE_STACK_LOCKED | ACRE_STACK_DONT_FORK,
    STACK_ALIGNMENT = 64,       // of the usable bytes' end, and of a header and its size
    STACK_AT_ONCE = 16 * 1024,  // accessible without growth, where stacks grow
// What a function with a large frame is sure to touch on its way down, and more
// (-fstack-clash-protection); on Windows also room for who handles an overflow.
#if defined(__aarch64__) || defined(_WIN32)
    STACK_DEFAULT_GUARD = 64 * 1024
#else
    STACK_DEFAULT_GUARD = 16 * 1024
#endif
};

// `unit` is a power of two.  0 when the result is too large.
static inline int
stack_round_up(size_t value, size_t unit, size_t *out)
{
    if (value > SIZE_MAX - (unit - 1))
        return 0;
    *out = (value + unit - 1) & ~(unit - 1);
    return 1;
}

// 0 when the sum is too large.
static inline int
stack_add(size_t a, size_t b, size_t *out)
{
    *out = a + b;
    return *out >= a;
}

#endif  // ACRE_STACK_SIZES_H_
