#include "fibers.h"

#include <stdalign.h>
#include <stdlib.h>

// Enough for a reader, whose frames are small, and a signal handler's frame below.
static const size_t STACK_SIZE = 64 * 1024;

// Lies in the header of its own stack, which is all that a fiber takes.
struct fiber {
    context waiting;
    acre_stack stack;
    fibers *all;
    fiber *next;
    void (*body)(void *argument);
    int ended;
    alignas(max_align_t) char argument[];
};

// A context's body takes no argument: a new fiber finds itself here.
static fiber *running;

static void
run_body(void)
{
    context_begun(&running->waiting);
    running->body(running->argument);
    running->ended = 1;
    fiber_yield();
}

static void
append(fibers *self, fiber *newest)
{
    newest->next = NULL;
    if (self->first == NULL)
        self->first = newest;
    else
        self->last->next = newest;
    self->last = newest;
}

acre_status
fibers_open(size_t most, size_t size, fibers *out)
{
    acre_stack_pool_opts opts = {
        .stack_size = STACK_SIZE,
        .header_size = sizeof(fiber) + size,
        .max_stacks = most,
    };
    acre_stack_pool *stacks;
    acre_status status = acre_stack_pool_create(&opts, &stacks);
    if (status == ACRE_OK)
        *out = (fibers){.stacks = stacks};
    return status;
}

acre_status
fibers_close(fibers *self)
{
    return acre_stack_pool_destroy(self->stacks);
}

acre_status
fibers_start(fibers *self, void (*body)(void *argument), void **argument)
{
    acre_stack stack;
    acre_status status = acre_stack_pool_take(self->stacks, &stack);
    if (status != ACRE_OK)
        return status;

    // What the fiber before left there goes.
    fiber *started = stack.header;
    *started = (fiber){.stack = stack, .all = self, .body = body};
    status = context_make(&started->waiting, &stack, run_body);
    if (status != ACRE_OK) {
        ACRE_IGNORE(acre_stack_pool_give(self->stacks, &stack));
        return status;
    }

    append(self, started);
    self->alive++;
    if (self->peak < self->alive)
        self->peak = self->alive;
    *argument = started->argument;
    return ACRE_OK;
}

acre_status
fibers_areas_each(const fibers *self, size_t *areas)
{
    acre_stack_pool_stats stats;
    acre_status status = acre_stack_pool_stats_read(self->stacks, &stats);
    if (status == ACRE_OK)
        *areas = stats.guard_kind == ACRE_GUARD_MARKER ? 0 : 2;
    return status;
}

static acre_status
end(fibers *self, fiber *ended)
{
    self->alive--;
    context_close(&ended->waiting);
    // The fiber lies in what is given back, and its stack's struct with it.
    acre_stack stack = ended->stack;
    return acre_stack_pool_give(self->stacks, &stack);
}

acre_status
fibers_round(fibers *self)
{
    context_of_thread(&self->main_thread);
    for (size_t turns = self->alive; turns > 0; turns--) {
        running = self->first;
        self->first = running->next;
        acre_status status = context_swap(&self->main_thread, &running->waiting);
        if (status != ACRE_OK)
            return status;
        if (!running->ended) {
            append(self, running);
            continue;
        }
        status = end(self, running);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

void
fiber_yield(void)
{
    // There is nowhere else to go on.
    if (context_swap(&running->waiting, &running->all->main_thread) != ACRE_OK)
        abort();
}
