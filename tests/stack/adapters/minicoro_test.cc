// minicoro's hooks: blocks as that library asks for them, out of a pool.  The library itself is not
// needed.
#include "acre/stack_minicoro.h"

#include <cstdint>
#include <cstring>

#include "gtest/gtest.h"
#include "tests/stack/pool.h"

using namespace acre_test;

namespace {

constexpr size_t CORO_SIZE = 56 * 1024 + 1424;

// As in its mco_desc.
struct Hooks {
    void *(*alloc)(size_t, void *) = acre_minicoro_alloc;
    void (*dealloc)(void *, size_t, void *) = acre_minicoro_dealloc;
};

acre_stack_pool_opts for_size(size_t coro_size)
{
    acre_stack_pool_opts opts = {};
    opts.stack_size = acre_minicoro_stack_size(coro_size);
    return opts;
}

// Blocks that the pool has out are given back.
TEST(Minicoro, block_lies_in_a_stack_of_the_pool_until_it_is_freed)
{
    acre_stack_pool_opts opts = for_size(CORO_SIZE);
    Pool pool(&opts);
    Hooks hooks;
    for (int round = 0; round < 3; round++) {
        char *block = static_cast<char *>(hooks.alloc(CORO_SIZE, pool));
        ASSERT_NE(nullptr, block);
        EXPECT_EQ(1u, pool.stats().out);
        EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(block) % 16);
        for (char *end : {block, block + CORO_SIZE - 1}) {
            acre_stack_info info;
            ASSERT_EQ(ACRE_OK, acre_stack_find(end, &info));
            EXPECT_EQ(pool, info.pool);
            EXPECT_EQ(ACRE_STACK_USABLE, info.where);
        }
        acre_stack stack;
        ASSERT_EQ(ACRE_OK, acre_stack_at(block, &stack));
        ASSERT_EQ(ACRE_OK, acre_stack_commit(&stack, stack.size));
        memset(block, 0xff, CORO_SIZE);
        hooks.dealloc(block, CORO_SIZE, pool);
        EXPECT_EQ(0u, pool.stats().out);
    }
}

TEST(Minicoro, guard_is_a_page_below_the_block_at_most)
{
    acre_stack_pool_opts opts = for_size(CORO_SIZE);
    Pool pool(&opts);
    char *block = static_cast<char *>(acre_minicoro_alloc(CORO_SIZE, pool));
    ASSERT_NE(nullptr, block);
    acre_stack_info info;
    ASSERT_EQ(ACRE_OK, acre_stack_find(block, &info));
    // Sizes are rounded up to pages, and differ by the colour of their tops.
    EXPECT_GT(2 * acre_page_size(), static_cast<size_t>(block - static_cast<char *>(info.base)));
    acre_stack_info below;
    ASSERT_EQ(ACRE_OK, acre_stack_find(static_cast<char *>(info.base) - 1, &below));
    EXPECT_EQ(ACRE_STACK_GUARD, below.where);
    EXPECT_EQ(info.base, below.base);
    acre_minicoro_dealloc(block, CORO_SIZE, pool);
}

TEST(Minicoro, block_that_does_not_fit_is_refused_and_no_stack_is_lost)
{
    acre_stack_pool_opts opts = for_size(CORO_SIZE);
    Pool pool(&opts);
    acre_stack stack = pool.take();
    const size_t largest = stack.size;
    pool.give(stack);
    for (size_t size : {largest, largest + 1, SIZE_MAX - 16, SIZE_MAX}) {
        EXPECT_EQ(nullptr, acre_minicoro_alloc(size, pool));
        EXPECT_EQ(0u, pool.stats().out);
    }
}

TEST(Minicoro, block_is_refused_when_the_pool_is_empty)
{
    acre_stack_pool_opts opts = for_size(CORO_SIZE);
    opts.max_stacks = 1;
    Pool pool(&opts);
    void *block = acre_minicoro_alloc(CORO_SIZE, pool);
    ASSERT_NE(nullptr, block);
    EXPECT_EQ(nullptr, acre_minicoro_alloc(CORO_SIZE, pool));
    acre_minicoro_dealloc(block, CORO_SIZE, pool);
}

TEST(Minicoro, size_of_a_coroutine_that_is_too_large_is_one_that_no_pool_has)
{
    EXPECT_EQ(SIZE_MAX, acre_minicoro_stack_size(SIZE_MAX));
    EXPECT_EQ(SIZE_MAX, acre_minicoro_stack_size(SIZE_MAX - 16));
    acre_stack_pool_opts opts = for_size(SIZE_MAX);
    acre_stack_pool *pool = nullptr;
    EXPECT_EQ(ACRE_BAD_SIZE, acre_stack_pool_create(&opts, &pool));
    EXPECT_EQ(nullptr, pool);
}

}  // namespace
