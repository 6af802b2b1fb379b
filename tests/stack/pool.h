// tests/stack/pool.h - what the tests of pools share.
#ifndef ACRE_TESTS_STACK_POOL_H_
#define ACRE_TESTS_STACK_POOL_H_

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "acre/page.h"
#include "acre/stack_pool.h"
#include "mmap/port/memory.h"
#include "tests/support/expect.h"
#include "tests/support/support.h"

namespace acre_test {

/// A pool that ends with its scope, when all its stacks are back.
class Pool {
  public:
    explicit Pool(const acre_stack_pool_opts *opts = nullptr)
    {
        EXPECT_OK(acre_stack_pool_create(opts, &pool_));
    }
    ~Pool()
    {
        if (pool_ != nullptr) {
            EXPECT_OK(acre_stack_pool_destroy(pool_));
        }
    }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    operator acre_stack_pool *() const
    {
        return pool_;
    }

    /// All of it is accessible to the test, which does not run on it.
    acre_stack take() const
    {
        acre_stack stack = {};
        EXPECT_OK(acre_stack_pool_take(pool_, &stack));
        EXPECT_OK(acre_stack_commit(&stack, stack.size));
        return stack;
    }
    std::vector<acre_stack> take(size_t count) const
    {
        std::vector<acre_stack> stacks(count);
        for (acre_stack &stack : stacks)
            stack = take();
        return stacks;
    }
    void give(const acre_stack &stack) const
    {
        EXPECT_OK(acre_stack_pool_give(pool_, &stack));
    }
    void give(const std::vector<acre_stack> &stacks) const
    {
        for (const acre_stack &stack : stacks)
            give(stack);
    }
    acre_stack_pool_stats stats() const
    {
        acre_stack_pool_stats stats = {};
        EXPECT_OK(acre_stack_pool_stats_read(pool_, &stats));
        return stats;
    }

  private:
    acre_stack_pool *pool_ = nullptr;
};

/// The byte that lies `depth` bytes below a stack's top.
inline volatile char &at_depth(const acre_stack &stack, size_t depth)
{
    return static_cast<volatile char *>(stack.base)[stack.size - depth];
}

/// With guard pages even where there are markers, until the end of its scope.
class WithoutMarkers {
  public:
    WithoutMarkers()
    {
        acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    }
    ~WithoutMarkers()
    {
        acre_port_pretend_nothing();
    }
    WithoutMarkers(const WithoutMarkers &) = delete;
    WithoutMarkers &operator=(const WithoutMarkers &) = delete;
};

}  // namespace acre_test

#endif  // ACRE_TESTS_STACK_POOL_H_
