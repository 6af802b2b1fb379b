#define _DEFAULT_SOURCE
#include "fibers.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

// Enough for a reader, whose frames are small, and a signal handler's frame below.
static const size_t STACK_SIZE = 64 * 1024;

// Lies in the header of its own stack.
struct fiber {
    ucontext_t context;
    acre_stack stack;
    fibers *all;
    fiber *next;
    void (*body)(void *argument);
    int ended;
    alignas(max_align_t) char argument[];
};

// makecontext passes integers only: a new fiber finds itself here.
static fiber *running;

static void
run_body(void)
{
    running->body(running->argument);
    running->ended = 1;
    // Returning switches to uc_link.
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
fibers_start(fibers *self, void (*body)(void *argument), size_t size, void **argument)
{
    acre_stack_opts opts = {.header_size = sizeof(fiber) + size};
    acre_stack stack;
    acre_status status = acre_stack_create(STACK_SIZE, &opts, &stack);
    if (status != ACRE_OK)
        return status;

    fiber *started = stack.header;
    started->stack = stack;
    started->all = self;
    started->body = body;
    if (getcontext(&started->context) != 0) {
        status = -errno;
        acre_status undone = acre_stack_destroy(&stack);
        return undone == ACRE_OK ? status : undone;
    }
    started->context.uc_stack.ss_sp = stack.base;
    started->context.uc_stack.ss_size = stack.size;
    started->context.uc_link = &self->main_thread;
    makecontext(&started->context, run_body, 0);

    append(self, started);
    self->alive++;
    if (self->peak < self->alive)
        self->peak = self->alive;
    *argument = started->argument;
    return ACRE_OK;
}

static acre_status
end(fibers *self, fiber *ended)
{
    self->alive--;
    // The fiber lies in what is destroyed, and its stack's struct with it.
    acre_stack stack = ended->stack;
    return acre_stack_destroy(&stack);
}

acre_status
fibers_round(fibers *self)
{
    for (size_t turns = self->alive; turns > 0; turns--) {
        running = self->first;
        self->first = running->next;
        if (swapcontext(&self->main_thread, &running->context) != 0)
            return -errno;

        if (!running->ended) {
            append(self, running);
            continue;
        }
        acre_status status = end(self, running);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

void
fiber_yield(void)
{
    // There is nowhere else to go on.
    if (swapcontext(&running->context, &running->all->main_thread) != 0)
        abort();
}
