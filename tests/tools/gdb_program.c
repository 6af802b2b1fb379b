// What gdb looks at in gdb_test.sh.
#define _DEFAULT_SOURCE
#include <stdlib.h>
#include <ucontext.h>

#include "acre/arena.h"
#include "acre/mmap.h"
#include "acre/stack_pool.h"

static acre_arena global_arena;
static ucontext_t main_context, parked_context;

void stop_here(void);

void stop_here(void)
{
    __asm__ volatile("");
}

static void waits_for_ever(int depth)
{
    volatile int kept = depth;
    if (kept > 0)
        waits_for_ever(kept - 1);
    else
        swapcontext(&parked_context, &main_context);
    kept++;
}

static void coroutine_body(void)
{
    waits_for_ever(3);
}

int main(void)
{
    acre_arena local_arena;
    acre_stack_pool *pool;
    acre_stack stacks[3], single;
    acre_mmap map;
    acre_stack_opts opts = {.tag = 77};
    if (acre_arena_create(NULL, &global_arena) != ACRE_OK ||
        acre_arena_create(NULL, &local_arena) != ACRE_OK ||
        acre_mmap_reserve((size_t)1 << 20, ACRE_READ_WRITE, NULL, &map) != ACRE_OK ||
        acre_stack_create(64 * 1024, &opts, &single) != ACRE_OK ||
        acre_stack_pool_create(NULL, &pool) != ACRE_OK)
        return 1;
    for (int i = 0; i < 3; i++)
        if (acre_stack_pool_take(pool, &stacks[i]) != ACRE_OK)
            return 1;
    getcontext(&parked_context);
    parked_context.uc_stack.ss_sp = stacks[0].base;
    parked_context.uc_stack.ss_size = stacks[0].size;
    makecontext(&parked_context, coroutine_body, 0);
    swapcontext(&main_context, &parked_context);
    stop_here();
    return map.size == 0;
}
