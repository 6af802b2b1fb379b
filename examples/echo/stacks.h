// stacks.h - where the coroutines' stacks come from: acre's pool, or what others do.
#ifndef ECHO_STACKS_H_
#define ECHO_STACKS_H_

#include <stddef.h>

#include "acre/stack.h"

enum { STACK_SIZE = 64 * 1024 };  ///< usable bytes, or some more

typedef struct stack_kind {
    const char *name;
    /// Before the first take, for stacks with `header` bytes at their top.
    acre_status (*begin)(size_t header);
    acre_status (*take)(acre_stack *out);
    acre_status (*give)(const acre_stack *stack);
    /// When all were given back.
    acre_status (*end)(void);
} stack_kind;

/// An acre_stack_pool.
extern const stack_kind pool_stacks;
/// Each stack a map of its own with a protected page, as Boost's protected_fixedsize_stack does it.
extern const stack_kind protected_stacks;

#endif  // ECHO_STACKS_H_
