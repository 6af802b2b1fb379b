// context.h - one flow of control that waits, and the switch to another.
#ifndef CONCORDANCE_CONTEXT_H_
#define CONCORDANCE_CONTEXT_H_

#include "acre/stack.h"

#ifdef _WIN32
#include "acre/stack_bounds.h"

typedef struct context {
    void *stack_pointer;
    acre_stack_bounds bounds;
} context;
#else
#include <ucontext.h>

typedef ucontext_t context;
#endif

/// Begins with `body` on the stack, which must not return.
ACRE_NODISCARD acre_status context_make(context *self, const acre_stack *stack, void (*body)(void));
/// Goes on at `to`; returns when somebody goes on at `from`.
ACRE_NODISCARD acre_status context_swap(context *from, context *to);

#endif  // CONCORDANCE_CONTEXT_H_
