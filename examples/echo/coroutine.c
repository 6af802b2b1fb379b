#define _DEFAULT_SOURCE
#include "coroutine.h"

#include <errno.h>
#include <stdlib.h>

#include "acre/stack_switch.h"
#include "acre/stack_ucontext.h"

// Lies in the header of its own stack: a coroutine that waits takes one page for both.
struct coroutine {
    ucontext_t context;
    acre_stack_switch tools;
    acre_stack stack;
    void (*body)(coroutine *self, int argument);
    int argument;
    int has_ended;
};

static const stack_kind *stacks;
static ucontext_t scheduler;
static acre_stack_switch scheduler_tools;
static size_t alive;

// makecontext passes integers only: a new coroutine finds itself here.
static coroutine *started;

acre_status
coroutines_begin(const stack_kind *kind)
{
    stacks = kind;
    acre_stack_switch_open_thread(&scheduler_tools);
    return kind->begin(sizeof(coroutine));
}

acre_status
coroutines_end(void)
{
    return stacks->end();
}

size_t
coroutines_alive(void)
{
    return alive;
}

static void
run_body(void)
{
    coroutine *self = started;
    acre_stack_switch_arrive(&self->tools);
    self->body(self, self->argument);
    self->has_ended = 1;
    acre_stack_switch_leave_forever(&self->tools, &scheduler_tools);
    setcontext(&scheduler);
    abort();  // there is nowhere else to go on
}

acre_status
coroutine_start(void (*body)(coroutine *self, int argument), int argument)
{
    acre_stack stack;
    acre_status status = stacks->take(&stack);
    if (status != ACRE_OK)
        return status;
    coroutine *self = stack.header;
    *self = (coroutine){.stack = stack, .body = body, .argument = argument};
    if (getcontext(&self->context) != 0) {
        status = -errno;
        ACRE_IGNORE(stacks->give(&stack));
        return status;
    }
    acre_stack_switch_open(&self->tools, &stack);
    acre_stack_to_ucontext(&stack, &self->context);
    makecontext(&self->context, run_body, 0);
    alive++;
    started = self;
    return coroutine_resume(self);
}

acre_status
coroutine_resume(coroutine *self)
{
    acre_stack_switch_leave(&scheduler_tools, &self->tools);
    if (swapcontext(&scheduler, &self->context) != 0)
        abort();
    acre_stack_switch_arrive(&scheduler_tools);
    if (!self->has_ended)
        return ACRE_OK;
    // It lies in what is given back.
    acre_stack stack = self->stack;
    acre_stack_switch_close(&self->tools);
    alive--;
    return stacks->give(&stack);
}

void
coroutine_wait(coroutine *self)
{
    acre_stack_switch_leave(&self->tools, &scheduler_tools);
    if (swapcontext(&self->context, &scheduler) != 0)
        abort();
    acre_stack_switch_arrive(&self->tools);
}
