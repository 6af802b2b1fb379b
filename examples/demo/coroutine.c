// coroutine.c - by ucontext, which is slow and there.
#include "coroutine.h"

#ifdef DEMO_HAS_COROUTINES
#include <errno.h>

static ucontext_t main_registers;
static acre_stack_switch main_tools;
static coroutine *running;

coroutine *
coroutine_running(void)
{
    return running;
}

// Where every coroutine begins, on its own stack.
static void
run_body(void)
{
    coroutine *self = running;
    acre_stack_switch_arrive(&self->tools);
    if (sigsetjmp(self->rescue, 1) == 0) {
        self->body(self);
        self->state = COROUTINE_FINISHED;
    } else {
        self->state = COROUTINE_OVERFLOWED;  // all frames above this one are gone
    }
    acre_stack_switch_leave_forever(&self->tools, &main_tools);
    setcontext(&main_registers);
}

acre_status
coroutine_begin(coroutine *self, const acre_stack *stack)
{
    if (getcontext(&self->registers) != 0)
        return -errno;
    self->registers.uc_stack.ss_sp = stack->base;
    self->registers.uc_stack.ss_size = stack->size;
    self->registers.uc_link = NULL;
    makecontext(&self->registers, run_body, 0);
    acre_stack_switch_open(&self->tools, stack);
    self->state = COROUTINE_READY;
    return ACRE_OK;
}

void
coroutine_resume(coroutine *self)
{
    running = self;
    acre_stack_switch_open_thread(&main_tools);
    acre_stack_switch_leave(&main_tools, &self->tools);
    swapcontext(&main_registers, &self->registers);
    acre_stack_switch_arrive(&main_tools);
    running = NULL;
}

void
coroutine_yield(coroutine *self)
{
    acre_stack_switch_leave(&self->tools, &main_tools);
    swapcontext(&self->registers, &main_registers);
    acre_stack_switch_arrive(&self->tools);
}

void
coroutine_end(coroutine *self)
{
    acre_stack_switch_close(&self->tools);
}
#else
typedef int demo_no_coroutines;  // a file must declare something
#endif
