// A small runtime: coroutines on stacks of a pool, switched by ucontext.
#include <stdio.h>
#include <ucontext.h>

#include "acre/stack_pool.h"
#include "acre/stack_switch.h"
#include "acre/stack_ucontext.h"

// quote begins
// It lies in its stack's header, so that a stack is all that a coroutine takes.
typedef struct coroutine {
    acre_stack stack;
    acre_stack_switch tools;  // for sanitizers, Valgrind and C++ exceptions
    acre_stack_switch *resumer_tools;
    ucontext_t context, resumer;
    void (*body)(struct coroutine *self, void *argument);
    void *argument;
    int done;
} coroutine;

// makecontext passes ints.
static void
begin(unsigned high, unsigned low)
{
    coroutine *self = (coroutine *)(uintptr_t)((uint64_t)high << 32 | low);
    acre_stack_switch_arrive(&self->tools);
    self->body(self, self->argument);
    self->done = 1;
    acre_stack_switch_leave_forever(&self->tools, self->resumer_tools);
    setcontext(&self->resumer);
}

// NULL when there is no stack.
static coroutine *
make(acre_stack_pool *pool, void (*body)(coroutine *, void *), void *argument)
{
    acre_stack stack;
    if (acre_stack_pool_take(pool, &stack) != ACRE_OK)
        return NULL;
    coroutine *self = stack.header;
    *self = (coroutine){.stack = stack, .body = body, .argument = argument};
    acre_stack_switch_open(&self->tools, &stack);
    getcontext(&self->context);
    acre_stack_to_ucontext(&stack, &self->context);
    uint64_t address = (uintptr_t)self;
    makecontext(&self->context, (void (*)(void))begin, 2, (unsigned)(address >> 32),
                (unsigned)address);
    return self;
}

// `tools` are those of who calls.
static void
resume(coroutine *self, acre_stack_switch *tools)
{
    self->resumer_tools = tools;
    acre_stack_switch_leave(tools, &self->tools);
    swapcontext(&self->resumer, &self->context);
    acre_stack_switch_arrive(tools);
}

static void
yield(coroutine *self)
{
    acre_stack_switch_leave(&self->tools, self->resumer_tools);
    swapcontext(&self->context, &self->resumer);
    acre_stack_switch_arrive(&self->tools);
}

// Of one that is done, or will not be resumed.
static void
end(acre_stack_pool *pool, coroutine *self)
{
    acre_stack stack = self->stack;  // the header goes with the stack
    acre_stack_switch_close(&self->tools);
    ACRE_IGNORE(acre_stack_pool_give(pool, &stack));
}
// quote ends

static void
count(coroutine *self, void *argument)
{
    const char *name = argument;
    for (int i = 1; i <= 3; i++) {
        printf("%s%d ", name, i);
        yield(self);
    }
}

int
main(void)
{
    acre_stack_pool_opts opts = {.header_size = sizeof(coroutine)};
    acre_stack_pool *pool;
    if (acre_stack_pool_create(&opts, &pool) != ACRE_OK)
        return 1;
    acre_stack_switch tools;
    acre_stack_switch_open_thread(&tools);
    coroutine *both[2] = {make(pool, count, (char[]){"a"}), make(pool, count, (char[]){"b"})};
    if (both[0] == NULL || both[1] == NULL)
        return 1;
    for (int i = 0; !both[i]->done; i ^= 1)
        resume(both[i], &tools);
    printf("done\n");
    for (int i = 0; i < 2; i++)
        end(pool, both[i]);
    return acre_stack_pool_destroy(pool) == ACRE_OK ? 0 : 1;
}
