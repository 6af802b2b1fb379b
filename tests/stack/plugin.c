// A plugin that keeps stacks of a pool for the thread that calls it.
#include "acre/stack_pool.h"

static acre_stack_pool *pool;

__attribute__((visibility("default"))) int plugin_start(void);
__attribute__((visibility("default"))) int plugin_stop(void);

int plugin_start(void)
{
    acre_stack stack;
    if (acre_stack_pool_create(NULL, &pool) != ACRE_OK)
        return 1;
    if (acre_stack_pool_take(pool, &stack) != ACRE_OK)
        return 2;
    return acre_stack_pool_give(pool, &stack) == ACRE_OK ? 0 : 3;
}

int plugin_stop(void)
{
    return acre_stack_pool_destroy(pool) == ACRE_OK ? 0 : 4;
}
