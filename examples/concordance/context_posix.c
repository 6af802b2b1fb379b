#define _DEFAULT_SOURCE
#include "context.h"

#include <errno.h>

void
context_of_thread(context *self)
{
    acre_stack_switch_open_thread(&self->tools);
}

acre_status
context_make(context *self, const acre_stack *stack, void (*body)(void))
{
    if (getcontext(&self->registers) != 0)
        return -errno;
    self->registers.uc_stack.ss_sp = stack->base;
    self->registers.uc_stack.ss_size = stack->size;
    self->registers.uc_link = NULL;
    makecontext(&self->registers, body, 0);
    acre_stack_switch_open(&self->tools, stack);
    return ACRE_OK;
}

void
context_begun(context *self)
{
    acre_stack_switch_arrive(&self->tools);
}

void
context_close(context *self)
{
    acre_stack_switch_close(&self->tools);
}

acre_status
context_swap(context *from, context *to)
{
    acre_stack_switch_leave(&from->tools, &to->tools);
    int failed = swapcontext(&from->registers, &to->registers);
    acre_stack_switch_arrive(&from->tools);
    return failed == 0 ? ACRE_OK : -errno;
}
