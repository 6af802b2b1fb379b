// A stack that runs over inside of a pool's call, and is left by a jump: the pool goes on.
#include <alloca.h>

#include <csetjmp>

#include "acre/stack_overflow.h"
#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/run_on.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

// Frames of a sanitizer are larger, and so is what calls want: so much is promised to suffice.
#if ASAN
const size_t PROMISED = 64 * 1024;
const size_t STEP_OF_ROOM = 512;
#else
const size_t PROMISED = 12 * 1024;
const size_t STEP_OF_ROOM = 112;
#endif
const size_t MOST = 2 * PROMISED;

acre_stack_pool *pool;
acre_stack runner;  // what the call runs on
acre_stack stack;   // that the call takes or gives
size_t room;        // that the call has
int (*call)();      // 0 = well
sigjmp_buf start;
volatile int result;  // of the call
enum { NOT_YET = -1, RAN_OVER = -2 };

void recover(const acre_stack_info *which, const void *, const void *, void *)
{
    if (which->base == runner.base)
        siglongjmp(start, 1);
}

__attribute__((noinline, no_sanitize_address)) void call_with_room()
{
    const char *here = static_cast<const char *>(__builtin_frame_address(0));
    size_t left = static_cast<size_t>(here - static_cast<const char *>(runner.base));
    // Never written: only the stack pointer moves.
    volatile char *rest = static_cast<volatile char *>(alloca(left - room));
    asm volatile("" : : "r"(rest) : "memory");
    result = call();
    asm volatile("" : : "r"(rest) : "memory");
}

void run()
{
    // Without getcontext it is a thread's.
    if (acre_stack_overflow_thread_enter() != ACRE_OK)
        return;
    if (sigsetjmp(start, 1) == 0)
        call_with_room();
    else
        result = RAN_OVER;
    if (acre_stack_overflow_thread_leave() != ACRE_OK)
        result = NOT_YET;
}

// All that can be taken: as many as are not out.
bool takes_and_gives(size_t count)
{
    std::vector<acre_stack> stacks;
    stacks.reserve(count);
    acre_stack each;
    while (acre_stack_pool_take(pool, &each) == ACRE_OK)
        stacks.push_back(each);
    bool right = stacks.size() == count;
    for (const acre_stack &taken : stacks)
        right = acre_stack_pool_give(pool, &taken) == ACRE_OK && right;
    return right;
}

// In a child: with more and more room, until it is enough; what ran over has kept nothing.
// `prepare` says how many stacks it left out: at most that which is to be given.
int sweep(size_t max, int (*prepare)(size_t *out), int (*body)())
{
    call = body;
    int overflows = 0;
    STEP(1, acre_stack_overflow_install(recover, nullptr) == ACRE_OK);
    STEP(2, acre_stack_create(2 * MOST, nullptr, &runner) == ACRE_OK);
    for (room = STEP_OF_ROOM; room < MOST; room += STEP_OF_ROOM) {
        give_child_more_time();
        acre_stack_pool_opts opts = {};
        opts.stack_size = 4 * acre_page_size();
        opts.keep = 1;
        opts.max_stacks = max;
        STEP(3, acre_stack_pool_create(&opts, &pool) == ACRE_OK);
        size_t out = 0;
        if (int failed = prepare(&out))
            return failed;
        result = NOT_YET;
        STEP(4, run_on(runner, run));
        STEP(5, result == 0 || result == RAN_OVER);
        if (result == RAN_OVER) {
            overflows++;
            acre_stack_pool_stats stats;
            STEP(6, acre_stack_pool_stats_read(pool, &stats) == ACRE_OK && stats.out <= out);
            STEP(7, takes_and_gives(max - stats.out));
            // A stack may be given already when its memory is returned.
            STEP(8, stats.out == out ? call() == 0 : call() == ACRE_STALE);
        }
        if (out == 0 && stack.base != nullptr)
            STEP(9, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        stack = {};
        STEP(10, takes_and_gives(max));
        STEP(11, acre_stack_pool_destroy(pool) == ACRE_OK);
        if (result == 0 && room > PROMISED)
            return 14;
        if (result == 0)
            return overflows > 5 ? 0 : 12;
    }
    return 13;
}

class PoolOverflow : public EachGuard {
  protected:
    void SetUp() override
    {
        EachGuard::SetUp();
        if (!IsSkipped() && emulated())
            GTEST_SKIP() << "the emulator runs on stacks of its own";
#if TSAN
        GTEST_SKIP()
            << "what runs over is ThreadSanitizer's runtime, which cannot be left by a jump";
#endif
    }
};

int take_nothing(size_t *)
{
    return 0;
}

int take_one()
{
    return acre_stack_pool_take(pool, &stack) == ACRE_OK ? 0 : 1;
}

// With 255 deep ones in the pool's list, and one more to be given.
int give_deep_ones(size_t *out)
{
    static acre_stack stacks[256];
    for (acre_stack &each : stacks) {
        STEP(20, acre_stack_pool_take(pool, &each) == ACRE_OK);
        for (size_t at = 8; at < each.size; at += 64)
            at_depth(each, at) = 1;
    }
    for (size_t i = 0; i < 255; i++)
        STEP(21, acre_stack_pool_give(pool, &stacks[i]) == ACRE_OK);
    stack = stacks[255];
    *out = 1;
    return 0;
}

int give_it()
{
    return acre_stack_pool_give(pool, &stack);
}

int take_some(size_t *)
{
    acre_stack stacks[100];
    for (acre_stack &each : stacks)
        STEP(22, acre_stack_pool_take(pool, &each) == ACRE_OK);
    for (const acre_stack &each : stacks)
        STEP(23, acre_stack_pool_give(pool, &each) == ACRE_OK);
    return 0;
}

int trim_all()
{
    return acre_stack_pool_trim(pool, 0) == ACRE_OK ? 0 : 1;
}

int prewarm_many()
{
    return acre_stack_pool_prewarm(pool, 200) == ACRE_OK ? 0 : 1;
}

TEST_P(PoolOverflow, in_a_take_that_makes_stacks)
{
    expect_success(in_child([] { return sweep(1024, take_nothing, take_one); }));
}

TEST_P(PoolOverflow, in_a_take_of_a_pool_that_threads_keep_nothing_of)
{
    expect_success(in_child([] { return sweep(300, take_nothing, take_one); }));
}

TEST_P(PoolOverflow, in_a_give_that_returns_memory)
{
    expect_success(in_child([] { return sweep(1024, give_deep_ones, give_it); }));
}

TEST_P(PoolOverflow, in_a_give_that_returns_memory_of_a_pool_that_threads_keep_nothing_of)
{
    expect_success(in_child([] { return sweep(300, give_deep_ones, give_it); }));
}

TEST_P(PoolOverflow, in_a_trim)
{
    expect_success(in_child([] { return sweep(1024, take_some, trim_all); }));
}

TEST_P(PoolOverflow, in_a_prewarm)
{
    expect_success(in_child([] { return sweep(300, take_some, prewarm_many); }));
}

FOR_EACH_GUARD(PoolOverflow);

}  // namespace
