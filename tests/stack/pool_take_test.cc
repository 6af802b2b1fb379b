// Stacks of a pool: what they are like, how often one may be given, who may give it.
#include <algorithm>
#include <cstdint>
#include <thread>

#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

class PoolTake : public EachGuard {};

uintptr_t number(const void *address)
{
    return reinterpret_cast<uintptr_t>(address);
}

TEST_P(PoolTake, gives_distinct_stacks_of_the_size_asked_for)
{
    acre_stack_pool_opts opts = {};
    opts.stack_size = 30000;
    opts.header_size = 100;
    Pool pool(&opts);
    std::vector<acre_stack> stacks = pool.take(300);
    std::sort(stacks.begin(), stacks.end(), [](const acre_stack &a, const acre_stack &b) {
        return number(a.base) < number(b.base);
    });
    for (size_t i = 0; i < stacks.size(); i++) {
        const acre_stack &stack = stacks[i];
        EXPECT_GE(stack.size, 30000u);
        EXPECT_LT(stack.size, 30000u + 128 + 960 + 2 * acre_page_size());
        EXPECT_EQ(0u, number(stack.base) % acre_page_size());
        EXPECT_EQ(static_cast<char *>(stack.base) + stack.size, stack.header);
        EXPECT_EQ(0u, number(stack.header) % 64);
        EXPECT_EQ(1u, stack.generation % 2);
        EXPECT_EQ(static_cast<uint32_t>(GetParam()), stack.guard_kind);
        if (i > 0) {
            ASSERT_GE(number(stack.base), number(stacks[i - 1].header) + 100 + 16384);
        }
        at_depth(stack, 1) = 1;
        static_cast<char *>(stack.base)[0] = 1;
        static_cast<char *>(stack.header)[99] = 1;
    }
    pool.give(stacks);
}

TEST_P(PoolTake, find_names_the_stack)
{
    acre_stack_pool_opts opts = {};
    opts.tag = 77;
    Pool pool(&opts);
    std::vector<acre_stack> stacks = pool.take(100);
    for (const acre_stack &stack : stacks) {
        acre_stack_info info = {};
        const char *base = static_cast<const char *>(stack.base);
        for (const char *address : {base, base + stack.size - 1, base + stack.size / 2}) {
            ASSERT_OK(acre_stack_find(address, &info));
            EXPECT_EQ(stack.base, info.base);
            EXPECT_EQ(stack.size, info.size);
            EXPECT_EQ(nullptr, info.header);
            EXPECT_EQ(static_cast<acre_stack_pool *>(pool), info.pool);
            EXPECT_EQ(77u, info.tag);
            EXPECT_EQ(uint32_t{ACRE_STACK_USABLE}, info.where);
            EXPECT_EQ(stack.generation, info.generation);
            EXPECT_EQ(stack.guard_kind, info.guard_kind);
        }
        ASSERT_OK(acre_stack_find(base - 1, &info));
        EXPECT_EQ(stack.base, info.base);
        EXPECT_EQ(uint32_t{ACRE_STACK_GUARD}, info.where);
        ASSERT_OK(acre_stack_find(base - 16384, &info));
        EXPECT_EQ(stack.base, info.base);
    }
    pool.give(stacks);
    for (const acre_stack &stack : stacks) {
        acre_stack_info info = {};
        ASSERT_OK(acre_stack_find(stack.base, &info));
        EXPECT_EQ(uint32_t{ACRE_STACK_FREE}, info.where);
        EXPECT_EQ(0u, info.generation % 2);
    }
}

TEST_P(PoolTake, a_stack_is_given_once)
{
    Pool pool;
    acre_stack stack = pool.take();
    const acre_stack before = stack;
    pool.give(stack);
    EXPECT_EQ(0, std::memcmp(&before, &stack, sizeof stack));
    EXPECT_STATUS(ACRE_STALE, acre_stack_pool_give(pool, &stack));
    acre_stack again = pool.take();
    EXPECT_EQ(stack.base, again.base);
    EXPECT_NE(stack.generation, again.generation);
    EXPECT_STATUS(ACRE_STALE, acre_stack_pool_give(pool, &stack));
    pool.give(again);
}

TEST_P(PoolTake, only_its_own_stacks_are_taken)
{
    Pool pool, other;
    acre_stack stack = pool.take();
    EXPECT_STATUS(ACRE_NOT_OURS, acre_stack_pool_give(other, &stack));
    EXPECT_STATUS(ACRE_NOT_OURS, acre_stack_destroy(&stack));
    acre_stack none = {};
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_stack_pool_give(pool, &none));
    EXPECT_OK(acre_stack_destroy(&none));
    EXPECT_OK(acre_stack_pool_destroy(nullptr));
    acre_stack single;
    ASSERT_OK(acre_stack_create(65536, nullptr, &single));
    EXPECT_STATUS(ACRE_NOT_OURS, acre_stack_pool_give(pool, &single));
    EXPECT_OK(acre_stack_destroy(&single));
    acre_stack bent = stack;
    bent.base = static_cast<char *>(bent.base) + 64;
    EXPECT_STATUS(ACRE_NOT_OURS, acre_stack_pool_give(pool, &bent));
    bent = stack;
    bent.private_[0] += 1000000;
    EXPECT_STATUS(ACRE_NOT_OURS, acre_stack_pool_give(pool, &bent));
    bent = stack;
    bent.generation++;
    EXPECT_STATUS(ACRE_STALE, acre_stack_pool_give(pool, &bent));
    pool.give(stack);
}

TEST_P(PoolTake, a_stack_of_a_pool_that_is_gone_is_nobodys)
{
    acre_stack stack;
    {
        Pool pool;
        stack = pool.take();
        pool.give(stack);
    }
    acre_stack_info info;
    EXPECT_STATUS(ACRE_NOT_OURS, acre_stack_find(stack.base, &info));
    Pool next;
    acre_stack fresh = next.take();
    EXPECT_STATUS(ACRE_NOT_OURS, acre_stack_pool_give(next, &stack));
    next.give(fresh);
}

TEST_P(PoolTake, another_thread_may_give_it)
{
    Pool pool;
    std::vector<acre_stack> stacks = pool.take(150);
    std::thread([&] { pool.give(stacks); }).join();
    EXPECT_EQ(0u, pool.stats().out);
    pool.give(pool.take(150));
}

TEST_P(PoolTake, full_at_the_limit_and_not_before)
{
    for (size_t most : {1u, 5u, 64u, 100u, 1500u}) {
        if (GetParam() == ACRE_GUARD_PAGES && most > 100)
            continue;
        acre_stack_pool_opts opts = {};
        opts.max_stacks = most;
        Pool pool(&opts);
        for (int round = 0; round < 2; round++) {
            std::vector<acre_stack> stacks = pool.take(most);
            acre_stack untouched = {};
            EXPECT_STATUS(ACRE_FULL, acre_stack_pool_take(pool, &untouched));
            EXPECT_EQ(nullptr, untouched.base);
            pool.give(stacks.back());
            stacks.back() = pool.take();
            pool.give(stacks);
        }
    }
}

TEST_P(PoolTake, a_pool_with_stacks_out_is_not_destroyed)
{
    Pool pool;
    acre_stack stack = pool.take();
    EXPECT_STATUS(ACRE_BUSY, acre_stack_pool_destroy(pool));
    at_depth(stack, 1) = 1;
    pool.give(stack);
    stack = pool.take();
    pool.give(stack);
}

FOR_EACH_GUARD(PoolTake);

}  // namespace
