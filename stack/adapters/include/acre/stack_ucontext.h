// acre/stack_ucontext.h - POSIX contexts on acre's stacks.
//
//     ucontext_t context;
//     getcontext(&context);
//     acre_stack_to_ucontext(&stack, &context);
//     context.uc_link = &caller;
//     makecontext(&context, entry, 0);
#ifndef ACRE_STACK_UCONTEXT_H_
#define ACRE_STACK_UCONTEXT_H_

#include <ucontext.h>

#include "acre/stack.h"

ACRE_EXTERN_C_BEGIN

/// Fills in what makecontext needs to know about a stack, a single one or a pool's.  The stack must
/// outlive the context's last use.
static inline void
acre_stack_to_ucontext(const acre_stack *stack, ucontext_t *context)
{
    context->uc_stack.ss_sp = ACRE_CAST_(char *, stack->base);
    context->uc_stack.ss_size = stack->size;
    context->uc_stack.ss_flags = 0;
}

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_UCONTEXT_H_
