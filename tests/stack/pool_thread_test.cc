// Pools and threads: many at once, threads that end, stacks given by others, given twice at once.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "mmap/port/thread.h"
#include "tests/stack/pool.h"
#include "tests/support/sanitizers.h"
#include "tests/support/staying.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

const size_t kThreads = 4;

template <class Body>
void on_threads(size_t count, Body body)
{
    std::vector<std::thread> threads;
    for (size_t i = 0; i < count; i++)
        threads.emplace_back([i, &body] { body(i); });
    for (std::thread &thread : threads)
        thread.join();
}

// A stack's own mark in its top word: two owners would see one another's.
struct Marked {
    acre_stack stack;
    uint64_t mark;
};

volatile uint64_t &word(const acre_stack &stack)
{
    void *top = static_cast<char *>(stack.base) + stack.size - 8;
    return *static_cast<volatile uint64_t *>(top);
}

TEST(PoolThreads, every_stack_has_one_owner)
{
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 4096;
    opts.keep = 1;
    Pool pool(&opts);
    std::mutex mutex;
    std::vector<Marked> passed;  // from thread to thread
    on_threads(kThreads, [&](size_t self) {
        std::mt19937 random(static_cast<unsigned>(self));
        std::vector<Marked> own;
        auto give = [&](const Marked &marked) {
            ASSERT_EQ(marked.mark, word(marked.stack));
            word(marked.stack) = 0;
            pool.give(marked.stack);
        };
        for (uint64_t step = 0; step < rounds(4000) && !testing::Test::HasFailure(); step++) {
            unsigned choice = random() % 16;
            if (choice < 7 && own.size() < 200) {
                Marked marked = {pool.take(), step << 8 | (self + 1)};
                word(marked.stack) = marked.mark;
                if (choice == 0) {
                    at_depth(marked.stack, 4095 + 960) = 1;
                    at_depth(marked.stack, 30000) = 1;
                }
                own.push_back(marked);
            } else if (choice < 13 && !own.empty()) {
                give(own.back());
                own.pop_back();
            } else if (choice == 13 && !own.empty()) {
                std::lock_guard<std::mutex> lock(mutex);
                passed.push_back(own.back());
                own.pop_back();
            } else if (choice == 14) {
                std::lock_guard<std::mutex> lock(mutex);
                if (!passed.empty()) {
                    own.push_back(passed.back());
                    passed.pop_back();
                }
            } else if (random() % 64 == 0) {
                EXPECT_OK(acre_stack_pool_trim(pool, random() % 50));
            } else if (random() % 64 == 0) {
                EXPECT_OK(acre_stack_pool_flush(pool));
            } else if (random() % 64 == 0) {
                acre_stack_pool_stats stats;
                EXPECT_OK(acre_stack_pool_stats_read(pool, &stats));
            }
        }
        for (const Marked &marked : own)
            give(marked);
    });
    for (const Marked &marked : passed)
        pool.give(marked.stack);
    acre_stack_pool_stats stats = pool.stats();
    EXPECT_EQ(0u, stats.out);
    EXPECT_EQ(4096u, stats.free + stats.cold);
}

TEST(PoolThreads, that_end_leave_their_stacks_to_others)
{
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 2048;
    Pool pool(&opts);
    for (int round = 0; round < 20; round++) {
        on_threads(kThreads, [&](size_t) { pool.give(pool.take(100)); });
        // None is left behind in the threads.
        std::vector<acre_stack> all = pool.take(2048);
        pool.give(all);
        EXPECT_OK(acre_stack_pool_flush(pool));
    }
}

TEST(PoolThreads, that_end_make_no_memory_resident)
{
    if (SANITIZED || emulated())
        GTEST_SKIP() << "which pages are present is the kernel's own";
    constexpr size_t kRecord = 16 * 1024;  // less than what the pool keeps for a thread
    const size_t count = 64;
    Pool pool;
    std::atomic<bool> served{true};
    std::vector<void *> records(count);
    Staying threads(count, [&](size_t i) {
        acre_stack stack;
        if (acre_stack_pool_take(pool, &stack) == ACRE_OK)
            pool.give(stack);
        records[i] = acre_port_thread_get(PORT_THREAD_POOL);
        if (records[i] == nullptr)
            served = false;
    });
    auto resident = [&] {
        size_t sum = 0;
        for (void *record : records) {
            auto first = reinterpret_cast<uintptr_t>(record) & ~(acre_page_size() - 1);
            size_t bytes = 0;
            EXPECT_OK(acre_port_resident(reinterpret_cast<void *>(first), kRecord, &bytes));
            sum += bytes;
        }
        return sum;
    };
    size_t before = served ? resident() : 0;
    threads.end();
    if (!served)
        GTEST_SKIP() << "no memory or no areas for so many threads, or threads keep nothing here";
    // What a thread used is cleared, which may touch one page more.
    EXPECT_LE(resident(), before + count * acre_page_size());
}

TEST(PoolThreads, keep_no_more_than_their_share_of_the_limit)
{
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 2048;
    Pool pool(&opts);
    // They live, and hold what they kept ready.
    Staying others(8, [&](size_t) { pool.give(pool.take(128)); });
    pool.give(pool.take(2048 - 2048 / 16));
}

TEST(PoolThreads, small_pools_are_full_only_when_all_are_out)
{
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 64;
    opts.keep = 1;
    Pool pool(&opts);
    {
        Staying other(1, [&](size_t) { pool.give(pool.take(64)); });
        pool.give(pool.take(64));
    }
    // Each has the number it needs at any time, whoever returns memory or makes stacks just now.
    on_threads(kThreads, [&](size_t) {
        for (size_t round = 0; round < rounds(300) && !testing::Test::HasFailure(); round++) {
            std::vector<acre_stack> stacks = pool.take(64 / kThreads);
            for (const acre_stack &stack : stacks) {
                for (size_t at = 64; at < 20000; at += 64)
                    at_depth(stack, at) = 1;
            }
            pool.give(stacks);
        }
    });
}

TEST(PoolThreads, one_of_two_who_give_at_once_has_given)
{
    Pool pool;
    std::atomic<size_t> given{0}, stale{0};
    std::atomic<size_t> round{0}, arrived{0};
    const size_t kRounds = rounds(2000);
    acre_stack stack = {};
    std::thread other;
    auto give = [&] {
        acre_status status = acre_stack_pool_give(pool, &stack);
        (status == ACRE_OK ? given : stale)++;
        EXPECT_TRUE(status == ACRE_OK || status == ACRE_STALE);
    };
    other = std::thread([&] {
        for (size_t i = 1; i <= kRounds; i++) {
            while (round < i)
                std::this_thread::yield();
            give();
            arrived++;
        }
    });
    for (size_t i = 1; i <= kRounds; i++) {
        stack = pool.take();
        round = i;
        give();
        while (arrived < i)
            std::this_thread::yield();
    }
    other.join();
    EXPECT_EQ(kRounds, given);
    EXPECT_EQ(kRounds, stale);
    EXPECT_EQ(0u, pool.stats().out);
}

TEST(PoolThreads, create_and_destroy_pools_of_their_own_in_loops)
{
    on_threads(kThreads, [&](size_t self) {
        for (size_t round = 0; round < rounds(100) && !testing::Test::HasFailure(); round++) {
            acre_stack_pool_opts opts = {};
            opts.tag = self * 1000 + round;
            opts.max_stacks = round % 3 == 0 ? 2000 : 100;
            Pool pool(&opts);
            std::vector<acre_stack> stacks = pool.take(1 + round);
            for (const acre_stack &stack : stacks) {
                acre_stack_info info;
                ASSERT_OK(acre_stack_find(stack.base, &info));
                ASSERT_EQ(opts.tag, info.tag);
                ASSERT_EQ(stack.generation, info.generation);
                ASSERT_EQ(static_cast<acre_stack_pool *>(pool), info.pool);
            }
            pool.give(stacks);
        }
    });
}

TEST(PoolThreads, a_pool_may_go_while_threads_that_used_it_end)
{
    for (size_t round = 0; round < rounds(100); round++) {
        std::vector<std::thread> threads;
        std::atomic<size_t> gave{0};
        {
            Pool pool;
            for (size_t i = 0; i < kThreads; i++) {
                threads.emplace_back([&] {
                    pool.give(pool.take(10));
                    gave++;
                });
            }
            while (gave < kThreads)
                std::this_thread::yield();
        }
        // Another in its place meanwhile.
        Pool next;
        next.give(next.take(10));
        for (std::thread &thread : threads)
            thread.join();
        next.give(next.take(10));
    }
}

TEST(PoolThreads, many_pools_at_once_are_told_apart)
{
    std::vector<std::unique_ptr<Pool>> pools;
    for (size_t i = 0; i < 40; i++) {
        acre_stack_pool_opts opts = {};
        opts.tag = i;
        opts.stack_size = 4096 * (1 + i % 5);
        pools.emplace_back(new Pool(&opts));
    }
    on_threads(2, [&](size_t) {
        for (int round = 0; round < 20; round++) {
            std::vector<acre_stack> stacks;
            stacks.reserve(pools.size());
            for (auto &pool : pools)
                stacks.push_back(pool->take());
            for (size_t i = 0; i < pools.size(); i++) {
                acre_stack_info info;
                ASSERT_OK(acre_stack_find(stacks[i].base, &info));
                ASSERT_EQ(i, info.tag);
                ASSERT_STATUS(ACRE_NOT_OURS,
                              acre_stack_pool_give(*pools[(i + 1) % pools.size()], &stacks[i]));
                pools[i]->give(stacks[i]);
            }
        }
    });
}

// Gives what it holds when its thread ends, before or after acre's own end of the thread.
struct Late {
    ~Late()
    {
        if (pool == nullptr)
            return;
        EXPECT_OK(acre_stack_pool_give(pool, &stack));
        acre_stack another;
        EXPECT_OK(acre_stack_pool_take(pool, &another));
        EXPECT_OK(acre_stack_pool_give(pool, &another));
    }
    acre_stack_pool *pool = nullptr;
    acre_stack stack = {};
};

TEST(PoolThreads, objects_of_a_thread_may_give_stacks_at_its_end)
{
#if defined(__MINGW32__)
    GTEST_SKIP() << "this compiler frees a thread's objects before it calls their destructors";
#endif
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 1024;
    Pool pool(&opts);
    for (int round = 0; round < 10; round++) {
        on_threads(kThreads, [&](size_t) {
            static thread_local Late late;
            late.stack = pool.take();
            late.pool = pool;
            pool.give(pool.take(5));
        });
    }
    EXPECT_EQ(0u, pool.stats().out);
    pool.give(pool.take(1024));
}

}  // namespace
