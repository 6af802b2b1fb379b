// Boost.Context, Boost.Coroutine2 and Boost.Fiber run on acre's stacks, and give them back.
#if defined(ACRE_WITHOUT_BOOST_CONTEXT) || defined(ACRE_WITHOUT_BOOST_FIBER)
#include "gtest/gtest.h"

TEST(Boost, needs_its_libraries)
{
    GTEST_SKIP() << "built without libboost-context-dev and libboost-fiber-dev";
}
#else
#include <boost/context/fiber.hpp>
#include <boost/coroutine2/coroutine.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <vector>

#include "acre/stack_boost.hpp"
#include "gtest/gtest.h"
#include "tests/stack/adapters/where.h"
#include "tests/stack/pool.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

namespace ctx = boost::context;

bool tells_tools()
{
#if defined(ACRE_SWITCH_ASAN_) || defined(ACRE_SWITCH_TSAN_)
    return false;
#else
    return true;
#endif
}

[[maybe_unused]] const int skips_under_sanitizers =
    skip_without(tells_tools, "Debian's Boost tells sanitizers nothing of its switches", "*");

TEST(Boost, context_runs_on_a_stack_of_the_pool)
{
    Pool pool;
    acre::boost_pool_stacks stacks(pool);
    int steps = 0;
    {
        ctx::fiber fiber(std::allocator_arg, stacks, [&](ctx::fiber &&back) {
            while (steps < 10) {
                steps += runs_in(pool);
                back = std::move(back).resume();
            }
            return std::move(back);
        });
        EXPECT_EQ(1u, pool.stats().out);
        while (fiber)
            fiber = std::move(fiber).resume();
    }
    EXPECT_EQ(10, steps);
}

TEST(Boost, context_that_is_left_in_the_middle_gives_its_stack_back)
{
    Pool pool;
    bool was_destroyed = false;
    struct Note {
        bool &flag;
        ~Note()
        {
            flag = true;
        }
    };
    {
        ctx::fiber fiber(std::allocator_arg, acre::boost_pool_stacks(pool), [&](ctx::fiber &&back) {
            Note note{was_destroyed};
            return std::move(back).resume();
        });
        fiber = std::move(fiber).resume();
        EXPECT_TRUE(fiber);
        EXPECT_FALSE(was_destroyed);
    }
    EXPECT_TRUE(was_destroyed);
}

TEST(Boost, context_runs_on_a_stack_of_its_own)
{
    acre_stack_info here = {};
    {
        ctx::fiber fiber(std::allocator_arg, acre::boost_stacks(100 * 1024),
                         [&](ctx::fiber &&back) {
                             here = stack_here();
                             return std::move(back);
                         });
        fiber = std::move(fiber).resume();
    }
    EXPECT_NE(nullptr, here.base);
    EXPECT_EQ(nullptr, here.pool);
    EXPECT_GE(here.size, 100u * 1024);
    acre_stack_info gone;
    EXPECT_EQ(ACRE_NOT_OURS, acre_stack_find(here.base, &gone));
}

TEST(Boost, coroutine2_runs_on_stacks_of_the_pool)
{
    using coroutine = boost::coroutines2::coroutine<int>;
    Pool pool;
    int sum = 0;
    bool right = true;
    {
        coroutine::pull_type numbers(acre::boost_pool_stacks(pool), [&](coroutine::push_type &out) {
            for (int i = 1; i <= 100; i++) {
                right &= runs_in(pool);
                out(i);
            }
        });
        coroutine::push_type adder(acre::boost_pool_stacks(pool), [&](coroutine::pull_type &in) {
            right &= runs_in(pool);
            for (int number : in)
                sum += number;
        });
        for (int number : numbers)
            adder(number);
    }
    EXPECT_EQ(5050, sum);
    EXPECT_TRUE(right);
}

TEST(Boost, coroutine2_throws_out_of_the_stack)
{
    using coroutine = boost::coroutines2::coroutine<void>;
    Pool pool;
    auto start = [&] {
        coroutine::pull_type run(acre::boost_pool_stacks(pool), [](coroutine::push_type &) {
            throw std::runtime_error("thrown on the stack");
        });
    };
    EXPECT_THROW(start(), std::runtime_error);
}

TEST(Boost, a_thousand_fibers_at_once)
{
    Pool pool;
    acre::boost_pool_stacks stacks(pool);
    int right = 0;
    size_t most = 0;
    // In a thread of its own, whose scheduler ends with it.
    std::thread([&] {
        std::vector<boost::fibers::fiber> fibers;
        fibers.reserve(1000);
        for (int i = 0; i < 1000; i++) {
            fibers.emplace_back(std::allocator_arg, stacks, [&] {
                bool before = runs_in(pool);
                boost::this_fiber::yield();
                right += before && runs_in(pool);
            });
        }
        boost::this_fiber::yield();
        most = pool.stats().out;
        for (boost::fibers::fiber &fiber : fibers)
            fiber.join();
    }).join();
    EXPECT_EQ(1000, right);
    EXPECT_GE(most, 1000u);
}

TEST(Boost, allocation_that_fails_is_thrown)
{
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 1;
    acre_stack_pool *pool;
    ASSERT_EQ(ACRE_OK, acre_stack_pool_create(&opts, &pool));
    acre::boost_pool_stacks stacks(pool);
    ctx::stack_context first = stacks.allocate();
    EXPECT_THROW(stacks.allocate(), std::bad_alloc);
    stacks.deallocate(first);
    EXPECT_EQ(ACRE_OK, acre_stack_pool_destroy(pool));
    EXPECT_THROW(acre::boost_stacks(SIZE_MAX).allocate(), std::bad_alloc);
    EXPECT_THROW(acre::boost_stacks(SIZE_MAX / 2).allocate(), std::bad_alloc);
}

// Never returns within the stack: each level keeps its frame.
__attribute__((noinline)) int descend(int depth)
{
    volatile char frame[256];
    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

TEST(Boost, overflow_dies_at_the_guard)
{
    Pool pool;
    Ended ended = in_child([&] {
        ctx::fiber fiber(std::allocator_arg, acre::boost_pool_stacks(pool), [](ctx::fiber &&back) {
            return descend(0) != 0 ? std::move(back) : ctx::fiber();
        });
        fiber = std::move(fiber).resume();
        return 1;
    });
    EXPECT_FALSE(ended.exited);
    EXPECT_EQ(SIGSEGV, ended.code);
}

}  // namespace
#endif
