// Threads that wait for a pool give the processor to whoever they wait for, whatever its priority.
#ifdef __linux__

#include <pthread.h>
#include <sched.h>
#include <sys/timerfd.h>

#include <atomic>
#include <thread>

#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind runs one thread at a time, in an order of its own");

class PoolWaiting : public EachGuard {};

bool run_on_one_processor()
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return false;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        return sched_setaffinity(0, sizeof one, &one) == 0;
    }
    return false;
}

// Rounds of a thread that runs before all others whenever its timer says so, wherever these are.
int make_rounds(acre_stack_pool *pool, int rounds)
{
    sched_param first = {};
    first.sched_priority = 10;
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) != 0)
        return 77;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    itimerspec often = {};
    often.it_interval.tv_nsec = often.it_value.tv_nsec = 100000;
    if (timer < 0 || timerfd_settime(timer, 0, &often, nullptr) != 0)
        return 77;
    for (int i = 0; i < rounds; i++) {
        uint64_t expirations;
        STEP(1, read(timer, &expirations, sizeof expirations) == sizeof expirations);
        acre_stack stack;
        STEP(2, acre_stack_pool_take(pool, &stack) == ACRE_OK);
        STEP(3, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        if (i % 100 == 0)
            STEP(4, acre_stack_pool_trim(pool, 0) == ACRE_OK);
    }
    return close(timer) == 0 ? 0 : 5;
}

// If it only let others run, this would take minutes, or for ever: those that hold what it waits
// for would not run.
TEST_P(PoolWaiting, of_a_real_time_thread_for_an_ordinary_one_ends)
{
    if (emulated())
        GTEST_SKIP() << "priorities are the kernel's own";
    Ended ended = in_child([] {
        if (!run_on_one_processor())
            return 77;
        acre_stack_pool_opts opts = {};
        opts.max_stacks = 100;  // so that every call takes the lock
        acre_stack_pool *pool;
        STEP(10, acre_stack_pool_create(&opts, &pool) == ACRE_OK);
        std::atomic<bool> done{false};
        std::atomic<bool> right{true};
        std::thread ordinary([&] {
            acre_stack stacks[4];
            while (!done) {
                for (acre_stack &stack : stacks)
                    right = right && acre_stack_pool_take(pool, &stack) == ACRE_OK;
                for (acre_stack &stack : stacks)
                    right = right && acre_stack_pool_give(pool, &stack) == ACRE_OK;
            }
        });
        int result = 0;
        std::thread urgent([&] { result = make_rounds(pool, 20000); });
        urgent.join();
        done = true;
        ordinary.join();
        STEP(11, right);
        STEP(12, acre_stack_pool_destroy(pool) == ACRE_OK);
        return result;
    });
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "no thread may have real-time priority here";
    expect_success(ended);
}

FOR_EACH_GUARD(PoolWaiting);

}  // namespace

#endif  // __linux__
