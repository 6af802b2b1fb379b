// Whatever a pool asks of the system, others may use the pool meanwhile.
#include <atomic>
#include <thread>
#include <vector>

#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/staying.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

std::atomic<acre_stack_pool *> watched;
std::atomic<int> calls;

}  // namespace

// In place of the C library's: uses the pool, which waits for ever if its lock is held here.
extern "C" int madvise(void *address, size_t size,
                       int advice) noexcept(noexcept(madvise(nullptr, 0, 0)))
{
    if (acre_stack_pool *pool = watched) {
        calls++;
        if (acre_stack_pool_flush(pool) != ACRE_OK)
            _exit(99);
    }
    return static_cast<int>(syscall(SYS_madvise, address, size, advice));
}

namespace {

class NoCallsUnderTheLock : public EachGuard {
  protected:
    void SetUp() override
    {
        EachGuard::SetUp();
        if (!IsSkipped() && emulated())
            GTEST_SKIP() << "the emulator answers with calls of its own";
    }
};

// A call that waits for itself takes too long for a child.
void expect_no_wait(int (*body)(acre_stack_pool *pool))
{
    expect_success(in_child([body] {
        acre_stack_pool *pool;
        STEP(1, acre_stack_pool_create(nullptr, &pool) == ACRE_OK);
        return body(pool);
    }));
}

TEST_P(NoCallsUnderTheLock, by_a_threads_first_take)
{
    expect_no_wait([](acre_stack_pool *pool) {
        watched = pool;
        acre_stack stack;
        STEP(2, acre_stack_pool_take(pool, &stack) == ACRE_OK);
        STEP(3, calls > 0);
        return 0;
    });
}

TEST_P(NoCallsUnderTheLock, by_a_threads_first_give)
{
    expect_no_wait([](acre_stack_pool *pool) {
        // What threads keep comes for 64 of them at once.
        const int count = 64;
        static std::atomic<int> wrong;
        static acre_stack stacks[count];
        Staying others(count, [pool](size_t i) {
            wrong += acre_stack_pool_take(pool, &stacks[i]) != ACRE_OK;
        });
        std::thread([pool] {
            watched = pool;
            wrong += acre_stack_pool_give(pool, &stacks[0]) != ACRE_OK;
            watched = nullptr;
        }).join();
        others.end();
        STEP(2, wrong == 0);
        STEP(3, calls > 0);
        return 0;
    });
}

TEST_P(NoCallsUnderTheLock, by_any_other_call)
{
    expect_no_wait([](acre_stack_pool *pool) {
        watched = pool;
        static acre_stack stacks[600];
        for (acre_stack &stack : stacks) {
            STEP(2, acre_stack_pool_take(pool, &stack) == ACRE_OK);
            STEP(3, acre_stack_commit(&stack, stack.size) == ACRE_OK);
            for (size_t at = 8; at < stack.size; at += 64)
                at_depth(stack, at) = 1;
        }
        for (const acre_stack &stack : stacks)
            STEP(4, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        STEP(5, acre_stack_pool_prewarm(pool, 700) == ACRE_OK);
        STEP(6, acre_stack_pool_trim(pool, 100) == ACRE_OK);
        acre_stack_pool_stats stats;
        STEP(7, acre_stack_pool_stats_read(pool, &stats) == ACRE_OK);
        size_t size;
        STEP(8, acre_stack_pool_suggest(pool, &size) == ACRE_OK);
        watched = nullptr;
        return 0;
    });
}

FOR_EACH_GUARD(NoCallsUnderTheLock);

}  // namespace
