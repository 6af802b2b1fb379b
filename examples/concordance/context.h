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

#include "acre/stack_switch.h"

typedef struct context {
    ucontext_t registers;
    acre_stack_switch tools;  // what sanitizers and Valgrind are told
} context;
#endif

/// The calling thread, before it first goes on elsewhere.
void context_of_thread(context *self);
/// Begins with `body` on the stack, which calls context_begun and must not return.
ACRE_NODISCARD acre_status context_make(context *self, const acre_stack *stack, void (*body)(void));
void context_begun(context *self);
/// Of one that was made, and will not go on: before its stack is destroyed.
void context_close(context *self);
/// Goes on at `to`; returns when somebody goes on at `from`.
ACRE_NODISCARD acre_status context_swap(context *from, context *to);

#endif  // CONCORDANCE_CONTEXT_H_
