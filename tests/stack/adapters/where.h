// tests/stack/adapters/where.h - whether code runs on a stack of acre's.
#ifndef ACRE_TESTS_STACK_ADAPTERS_WHERE_H_
#define ACRE_TESTS_STACK_ADAPTERS_WHERE_H_

#include "acre/stack_pool.h"
#include "gtest/gtest.h"

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

/// A pool for the scope; all stacks must be back at its end.
class Pool {
  public:
    explicit Pool(size_t stack_size = 0)
    {
        acre_stack_pool_opts opts = {};
        opts.stack_size = stack_size;
        EXPECT_EQ(ACRE_OK, acre_stack_pool_create(&opts, &pool_));
    }
    ~Pool()
    {
        EXPECT_EQ(0u, out());
        EXPECT_EQ(ACRE_OK, acre_stack_pool_destroy(pool_));
    }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    operator acre_stack_pool *() const
    {
        return pool_;
    }
    size_t out() const
    {
        acre_stack_pool_stats stats = {};
        EXPECT_EQ(ACRE_OK, acre_stack_pool_stats_read(pool_, &stats));
        return stats.out;
    }

  private:
    acre_stack_pool *pool_ = nullptr;
};

}  // namespace acre_test

#endif  // ACRE_TESTS_STACK_ADAPTERS_WHERE_H_
