// POSIX threads run on acre's stacks, a thousand at once.
#include <pthread.h>

#include <atomic>
#include <vector>

#include "acre/stack_pthread.h"
#include "gtest/gtest.h"
#include "tests/stack/adapters/where.h"
#include "tests/stack/pool.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

// ThreadSanitizer has nearly a megabyte of variables in each thread, on its stack.
#if TSAN
const size_t COUNT = 50;
const size_t STACK_SIZE = 2 << 20;
#else
const size_t COUNT = 1000;
const size_t STACK_SIZE = 256 << 10;  // the least is 128 KiB on arm64
#endif

// Opened when all threads are there.
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
bool is_open;
size_t waiting;

void wait_at_gate()
{
    pthread_mutex_lock(&lock);
    waiting++;
    pthread_cond_broadcast(&changed);
    while (!is_open)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

void open_gate(size_t count)
{
    pthread_mutex_lock(&lock);
    while (waiting < count)
        pthread_cond_wait(&changed, &lock);
    is_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

struct Thread {
    pthread_t thread = {};
    acre_stack stack = {};
    const acre_stack_pool *pool = nullptr;
    bool ran_right = false;
};

void *run(void *argument)
{
    Thread &self = *static_cast<Thread *>(argument);
    self.ran_right = runs_in(self.pool) && stack_here().base == self.stack.base;
    wait_at_gate();
    return argument;
}

// False when the system has no room for another thread.
bool start(const acre_stack_pool *pool, Thread *thread)
{
    pthread_attr_t attributes;
    EXPECT_EQ(0, pthread_attr_init(&attributes));
    EXPECT_EQ(ACRE_OK, acre_stack_to_pthread(&thread->stack, &attributes));
    thread->pool = pool;
    int error = pthread_create(&thread->thread, &attributes, run, thread);
    EXPECT_EQ(0, pthread_attr_destroy(&attributes));
    EXPECT_TRUE(error == 0 || error == EAGAIN) << error;
    return error == 0;
}

TEST(Pthread, a_thousand_threads_run_on_stacks_of_the_pool)
{
    acre_stack_pool_opts opts = {};
    opts.stack_size = STACK_SIZE;
    Pool pool(&opts);
    // Valgrind has room for 500.
    std::vector<Thread> threads(emulated() ? 100 : COUNT);
    size_t started = 0;
    for (Thread &thread : threads) {
        ASSERT_EQ(ACRE_OK, acre_stack_pool_take(pool, &thread.stack));
        if (!start(pool, &thread)) {
            ASSERT_EQ(ACRE_OK, acre_stack_pool_give(pool, &thread.stack));
            break;
        }
        started++;
    }
    open_gate(started);
    for (size_t i = 0; i < started; i++) {
        ASSERT_EQ(0, pthread_join(threads[i].thread, nullptr));
        EXPECT_TRUE(threads[i].ran_right);
        ASSERT_EQ(ACRE_OK, acre_stack_pool_give(pool, &threads[i].stack));
    }
    if (started < threads.size())
        GTEST_SKIP() << "this system has room for " << started << " threads";
}

TEST(Pthread, what_is_too_small_for_a_thread_is_refused)
{
    acre_stack stack = {};
    alignas(64) static char bytes[64];
    stack.base = bytes;
    stack.size = sizeof bytes;
    pthread_attr_t attributes;
    ASSERT_EQ(0, pthread_attr_init(&attributes));
    EXPECT_EQ(-EINVAL, acre_stack_to_pthread(&stack, &attributes));
    EXPECT_EQ(0, pthread_attr_destroy(&attributes));
}

}  // namespace
