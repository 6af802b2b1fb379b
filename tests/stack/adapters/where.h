// tests/stack/adapters/where.h - whether code runs on a stack of acre's.
#ifndef ACRE_TESTS_STACK_ADAPTERS_WHERE_H_
#define ACRE_TESTS_STACK_ADAPTERS_WHERE_H_

#include "acre/stack_pool.h"

namespace acre_test {

/// What the caller runs on; all-zero when it is none of acre's stacks.
__attribute__((noinline)) inline acre_stack_info stack_here()
{
    acre_stack_info info;
    if (acre_stack_find(__builtin_frame_address(0), &info) != ACRE_OK)
        return {};
    return info;
}

/// Whether that is a taken stack of the pool.
inline bool runs_in(const acre_stack_pool *pool)
{
    acre_stack_info here = stack_here();
    return here.pool == pool && here.where == ACRE_STACK_USABLE && here.generation % 2 == 1;
}

}  // namespace acre_test

#endif  // ACRE_TESTS_STACK_ADAPTERS_WHERE_H_
