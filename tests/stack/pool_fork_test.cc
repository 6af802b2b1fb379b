// Pools in the children of a fork: copies with the same stacks out, whatever other threads did.
#include <atomic>
#include <cstdint>
#include <thread>

#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/sanitizers.h"
#include "tests/support/staying.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

acre_stack_pool_opts limited(size_t most, uint32_t flags = 0)
{
    acre_stack_pool_opts opts = {};
    opts.max_stacks = most;
    opts.flags = flags;
    return opts;
}

// Takes exactly `count`, gives them back; the number of what went wrong, or 0.
int use_all(acre_stack_pool *pool, size_t count)
{
    std::vector<acre_stack> stacks(count);
    acre_stack another;
    for (acre_stack &stack : stacks) {
        STEP(21, acre_stack_pool_take(pool, &stack) == ACRE_OK);
        at_depth(stack, 1) = 1;
        STEP(22, !readable(static_cast<char *>(stack.base) - 1));
    }
    STEP(23, acre_stack_pool_take(pool, &another) == ACRE_FULL);
    for (acre_stack &stack : stacks)
        STEP(24, acre_stack_pool_give(pool, &stack) == ACRE_OK);
    STEP(25, acre_stack_pool_give(pool, &stacks[0]) == ACRE_STALE);
    return 0;
}

TEST(PoolFork, the_child_has_the_same_stacks_out)
{
    need_fork();
    acre_stack_pool_opts opts = limited(2000);
    Pool pool(&opts);
    std::vector<acre_stack> stacks = pool.take(100);
    at_depth(stacks[0], 1) = 5;
    pool.give(stacks[99]);
    stacks.pop_back();
    expect_success(in_child([&] {
        acre_stack_info info;
        STEP(1, acre_stack_find(stacks[0].base, &info) == ACRE_OK);
        STEP(2, info.where == ACRE_STACK_USABLE && info.generation == stacks[0].generation);
        STEP(3, at_depth(stacks[0], 1) == 5);
        at_depth(stacks[0], 1) = 6;
        STEP(4, acre_stack_pool_destroy(pool) == ACRE_BUSY);
        if (int failed = use_all(pool, 1901))
            return failed;
        for (const acre_stack &stack : stacks)
            STEP(5, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        STEP(6, acre_stack_pool_give(pool, &stacks[0]) == ACRE_STALE);
        STEP(7, acre_stack_pool_trim(pool, 0) == ACRE_OK);
        if (int failed = use_all(pool, 2000))
            return failed;
        STEP(8, acre_stack_pool_destroy(pool) == ACRE_OK);
        STEP(9, acre_stack_find(stacks[0].base, &info) == ACRE_NOT_OURS);
        return 0;
    }));
    EXPECT_EQ(5, at_depth(stacks[0], 1));
    EXPECT_EQ(99u, pool.stats().out);
    pool.give(stacks);
}

TEST(PoolFork, what_other_threads_kept_is_free_in_the_child)
{
    need_fork();
    acre_stack_pool_opts opts = limited(4096);
    Pool pool(&opts);
    Staying others(3, [&](size_t) { pool.give(pool.take(20)); });
    expect_success(in_child([&] { return use_all(pool, 4096); }));
    // Also when it never comes to the lists: its own magazine is not valid there.
    pool.give(pool.take(10));
    expect_success(in_child([&] {
        acre_stack stack;
        STEP(1, acre_stack_pool_take(pool, &stack) == ACRE_OK);
        STEP(2, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        STEP(3, acre_stack_pool_give(pool, &stack) == ACRE_STALE);
        return use_all(pool, 4096);
    }));
}

TEST(PoolFork, a_child_of_the_child_has_it_too)
{
    need_fork();
    acre_stack_pool_opts opts = limited(300);
    Pool pool(&opts);
    acre_stack stack = pool.take();
    expect_success(in_child([&] {
        acre_stack own;
        STEP(1, acre_stack_pool_take(pool, &own) == ACRE_OK);
        Ended ended = in_child([&] {
            STEP(2, acre_stack_pool_give(pool, &own) == ACRE_OK);
            STEP(3, acre_stack_pool_give(pool, &stack) == ACRE_OK);
            return use_all(pool, 300);
        });
        STEP(4, ended.exited && ended.code == 0);
        STEP(5, acre_stack_pool_give(pool, &own) == ACRE_OK);
        return use_all(pool, 299);
    }));
    pool.give(stack);
}

#if !TSAN
TEST(PoolFork, threads_of_the_child_use_it_and_end)
{
    need_fork();
    acre_stack_pool_opts opts = limited(4096);
    Pool pool(&opts);
    pool.give(pool.take(50));
    expect_success(in_child([&] {
        std::atomic<int> failed{0};
        for (int round = 0; round < 3; round++) {
            std::vector<std::thread> threads;
            threads.reserve(3);
            for (int i = 0; i < 3; i++) {
                threads.emplace_back([&] {
                    acre_stack stacks[100];
                    for (acre_stack &stack : stacks)
                        failed += acre_stack_pool_take(pool, &stack) != ACRE_OK;
                    for (acre_stack &stack : stacks)
                        failed += acre_stack_pool_give(pool, &stack) != ACRE_OK;
                });
            }
            for (std::thread &thread : threads)
                thread.join();
        }
        STEP(1, failed == 0);
        return use_all(pool, 4096);
    }));
}
#endif

TEST(PoolFork, dont_fork_pools_are_not_in_the_child)
{
    need_fork();
    acre_stack_pool_opts opts = limited(2000, ACRE_STACK_DONT_FORK);
    acre_stack_pool *made = nullptr;
    acre_status status = acre_stack_pool_create(&opts, &made);
    if (status == -ENOTSUP)
        GTEST_SKIP() << "no memory stays out of children here";
    ASSERT_OK(status);
    ASSERT_OK(acre_stack_pool_destroy(made));
    Pool pool(&opts);
    acre_stack stack = pool.take();
    pool.give(pool.take(10));
    expect_success(in_child([&] {
        acre_stack_info info;
        acre_stack other = {};
        acre_stack_pool_stats stats;
        STEP(1, !readable(stack.base));
        STEP(2, acre_stack_find(stack.base, &info) == ACRE_NOT_OURS);
        STEP(3, acre_stack_pool_take(pool, &other) == ACRE_BAD_STATE && other.base == nullptr);
        STEP(4, acre_stack_pool_give(pool, &stack) == ACRE_BAD_STATE);
        STEP(5, acre_stack_pool_flush(pool) == ACRE_BAD_STATE);
        STEP(6, acre_stack_pool_prewarm(pool, 1) == ACRE_BAD_STATE);
        STEP(7, acre_stack_pool_trim(pool, 0) == ACRE_BAD_STATE);
        STEP(8, acre_stack_pool_stats_read(pool, &stats) == ACRE_BAD_STATE);
        STEP(9, acre_stack_pool_destroy(pool) == ACRE_BAD_STATE);
        acre_stack_pool *own;
        STEP(10, acre_stack_pool_create(&opts, &own) == ACRE_OK);
        if (int failed = use_all(own, 2000))
            return failed;
        STEP(11, acre_stack_pool_destroy(own) == ACRE_OK);
        return 0;
    }));
    pool.give(stack);
}

TEST(PoolFork, in_the_middle_of_other_threads_work_leaves_the_child_working)
{
    need_fork();
    acre_stack_pool_opts opts = limited(3000);
    opts.keep = 1;
    Pool pool(&opts);
    std::atomic<bool> stop{false};
    std::vector<std::thread> busy;
    busy.reserve(2);
    for (int i = 0; i < 2; i++) {
        busy.emplace_back([&, i] {
            for (size_t round = 0; !stop; round++) {
                std::vector<acre_stack> stacks = pool.take(50 + round % 500);
                for (const acre_stack &stack : stacks) {
                    at_depth(stack, 1) = 1;
                    at_depth(stack, 4096) = 1;
                    at_depth(stack, 4095 + 960) = 1;
                }
                pool.give(stacks);
                if (i == 0 && round % 8 == 0) {
                    EXPECT_OK(acre_stack_pool_trim(pool, 20));
                }
            }
        });
    }
    for (size_t round = 0; round < rounds(40); round++) {
        expect_success(in_child([&] {
            // Some are out for good: their owners are not here.
            std::vector<acre_stack> stacks(1000);
            for (acre_stack &stack : stacks) {
                STEP(1, acre_stack_pool_take(pool, &stack) == ACRE_OK);
                at_depth(stack, 1) = 1;
                STEP(2, !readable(static_cast<char *>(stack.base) - 1));
            }
            for (acre_stack &stack : stacks)
                STEP(3, acre_stack_pool_give(pool, &stack) == ACRE_OK);
            STEP(4, acre_stack_pool_trim(pool, 0) == ACRE_OK);
            acre_stack_pool_stats stats;
            STEP(5, acre_stack_pool_stats_read(pool, &stats) == ACRE_OK);
            STEP(6, stats.free + stats.out + stats.cold == 3000);
            return 0;
        }));
    }
    stop = true;
    for (std::thread &thread : busy)
        thread.join();
}

}  // namespace
