#define _DEFAULT_SOURCE
#include "context.h"

#include <errno.h>

acre_status
context_make(context *self, const acre_stack *stack, void (*body)(void))
{
    if (getcontext(self) != 0)
        return -errno;
    self->uc_stack.ss_sp = stack->base;
    self->uc_stack.ss_size = stack->size;
    self->uc_link = NULL;
    makecontext(self, body, 0);
    return ACRE_OK;
}

acre_status
context_swap(context *from, context *to)
{
    return swapcontext(from, to) == 0 ? ACRE_OK : -errno;
}
