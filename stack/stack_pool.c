// Pools of guarded stacks: arguments are checked, the rest is not built yet.
#include "acre/stack_pool.h"

_Static_assert(sizeof(acre_stack_pool_opts) == (sizeof(void *) == 8 ? 88 : 64),
               "programs rely on it");
_Static_assert(sizeof(acre_stack_pool_stats) == (sizeof(void *) == 8 ? 64 : 36),
               "programs rely on it");

static const uint32_t KNOWN_FLAGS = ACRE_STACK_NO_DUMP | ACRE_STACK_LOCKED | ACRE_STACK_DONT_FORK;

acre_status
acre_stack_pool_create(const acre_stack_pool_opts *opts, acre_stack_pool **out)
{
    (void)out;
    if (opts == NULL)
        return -ENOTSUP;
    uint32_t wrong = opts->flags & ~KNOWN_FLAGS;
    for (size_t i = 0; i < sizeof(opts->reserved) / sizeof(opts->reserved[0]); i++)
        wrong |= opts->reserved[i];
    return wrong == 0 ? -ENOTSUP : ACRE_BAD_OPTION;
}

// No pool exists, so that the other calls have nothing to check.

acre_status
acre_stack_pool_destroy(acre_stack_pool *pool)
{
    (void)pool;
    return -ENOTSUP;
}

acre_status
acre_stack_pool_take(acre_stack_pool *pool, acre_stack *out)
{
    (void)pool;
    (void)out;
    return -ENOTSUP;
}

acre_status
acre_stack_pool_give(acre_stack_pool *pool, const acre_stack *stack)
{
    (void)pool;
    (void)stack;
    return -ENOTSUP;
}

acre_status
acre_stack_pool_flush(acre_stack_pool *pool)
{
    (void)pool;
    return -ENOTSUP;
}

acre_status
acre_stack_pool_prewarm(acre_stack_pool *pool, size_t count)
{
    (void)pool;
    (void)count;
    return -ENOTSUP;
}

acre_status
acre_stack_pool_trim(acre_stack_pool *pool, size_t keep)
{
    (void)pool;
    (void)keep;
    return -ENOTSUP;
}

acre_status
acre_stack_pool_stats_read(acre_stack_pool *pool, acre_stack_pool_stats *out)
{
    (void)pool;
    (void)out;
    return -ENOTSUP;
}
