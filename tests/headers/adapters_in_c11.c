// The adapters in a plain C11 program, built once for each set of macros that a program may ask its
// C library with (BUILD.bazel).
#ifdef OTHERS_FIRST
#include <stdio.h>
#include <stdlib.h>

#include "acre/arena.h"
#endif

#include "acre/stack_fcontext.h"
#include "acre/stack_minicoro.h"
#include "acre/stack_pthread.h"

#ifndef WITHOUT_UCONTEXT
#include "acre/stack_ucontext.h"
#endif

int uses_adapters(const acre_stack *stack);
void *uses_hooks(acre_stack_pool *pool);
void *uses_fcontext(acre_fcontext *self, const acre_stack *stack, acre_fcontext_body body);

int uses_adapters(const acre_stack *stack)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return -1;
    acre_status status = acre_stack_to_pthread(stack, &attributes);
#ifndef WITHOUT_UCONTEXT
    ucontext_t context;
    acre_stack_to_ucontext(stack, &context);
    status = context.uc_stack.ss_size == stack->size ? status : ACRE_BAD_SIZE;
#endif
    return status;
}

void *uses_hooks(acre_stack_pool *pool)
{
    void *block = acre_minicoro_alloc(acre_minicoro_stack_size(1000), pool);
    if (block != NULL)
        acre_minicoro_dealloc(block, 1000, pool);
    return block;
}

// Nothing of Boost's is here: this is compiled, not linked.
void *uses_fcontext(acre_fcontext *self, const acre_stack *stack, acre_fcontext_body body)
{
    acre_fcontext coroutine;
    acre_fcontext_open_thread(self);
    acre_fcontext_open(&coroutine, stack, body);
    void *first = acre_fcontext_resume(self, &coroutine, self);
    acre_fcontext_close(&coroutine);
    return coroutine.ended ? first : acre_fcontext_yield(self, first);
}
