// Threads that create, destroy and look at once; each knows what it should see of its own stacks.
#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "acre/page.h"
#include "acre/stack.h"
#include "acre/stack_bounds.h"
#include "acre/stack_pool.h"
#include "acre/stack_sleep.h"
#include "gtest/gtest.h"
#include "mmap/port/memory.h"
#include "tests/support/support.h"

namespace {

const unsigned THREADS = 4;
const int STEPS = 3000;
const size_t MOST = 24;

// Addresses that some thread had a stack at, for the others to ask about.
std::atomic<char *> shared[64];

// A tag tells what was asked for, so that an answer made of two stacks is seen.
uintptr_t tag_of(size_t size, unsigned thread)
{
    return size * THREADS + thread;
}

class Worker {
  public:
    explicit Worker(unsigned self) : self_(self), random_(self)
    {
    }

    void run()
    {
        for (int step = 0; step < STEPS && !testing::Test::HasFailure(); step++) {
            switch (random_() % 4) {
            case 0:
                if (stacks_.size() < MOST)
                    create();
                break;
            case 1:
                if (!stacks_.empty())
                    destroy();
                break;
            case 2:
                look_at_own();
                break;
            default:
                look_at_others();
                break;
            }
        }
        while (!stacks_.empty())
            destroy();
    }

  private:
    struct Own {
        acre_stack stack;
        uintptr_t tag;
    };

    void create()
    {
        size_t size = (1 + random_() % 40) * 1000;
        Own own = {{}, tag_of(size, self_)};
        acre_stack_opts opts = {};
        opts.tag = own.tag;
        opts.header_size = random_() % 2 * 64;
        ASSERT_EQ(acre_stack_create(size, &opts, &own.stack), ACRE_OK);
        static_cast<char *>(own.stack.base)[own.stack.size - 1] = 1;
        shared[random_() % 64].store(static_cast<char *>(own.stack.base) + 1);
        stacks_.push_back(own);
    }

    void destroy()
    {
        size_t which = random_() % stacks_.size();
        acre_stack gone = stacks_[which].stack;
        uintptr_t tag = stacks_[which].tag;
        acre_stack copy = gone;
        ASSERT_EQ(acre_stack_destroy(&gone), ACRE_OK);
        ASSERT_EQ(acre_stack_destroy(&copy), ACRE_STALE);
        stacks_.erase(stacks_.begin() + static_cast<std::ptrdiff_t>(which));

        // Another thread may have a stack there by now.
        acre_stack_info info;
        if (acre_stack_find(copy.base, &info) == ACRE_OK) {
            ASSERT_FALSE(info.tag == tag && info.generation == copy.generation &&
                         info.base == copy.base);
        }
    }

    void look_at_own()
    {
        for (const Own &own : stacks_) {
            char *base = static_cast<char *>(own.stack.base);
            acre_stack_info info;
            ASSERT_EQ(acre_stack_find(base + random_() % own.stack.size, &info), ACRE_OK);
            ASSERT_EQ(info.base, own.stack.base);
            ASSERT_EQ(info.size, own.stack.size);
            ASSERT_EQ(info.header, own.stack.header);
            ASSERT_EQ(info.tag, own.tag);
            ASSERT_EQ(info.generation, own.stack.generation);
            ASSERT_EQ(info.where, static_cast<uint32_t>(ACRE_STACK_USABLE));
            ASSERT_EQ(acre_stack_find(base - 1, &info), ACRE_OK);
            ASSERT_EQ(info.base, own.stack.base);
            ASSERT_EQ(info.where, static_cast<uint32_t>(ACRE_STACK_GUARD));
        }
    }

    void look_at_others()
    {
        const char *address = shared[random_() % 64].load();
        acre_stack_info info;
        acre_status status = acre_stack_find(address, &info);
        if (status != ACRE_OK) {
            ASSERT_EQ(status, ACRE_NOT_OURS);
            return;
        }
        const char *base = static_cast<const char *>(info.base);
        size_t asked_for = info.tag / THREADS;
        ASSERT_GE(info.size, asked_for);
        ASSERT_LT(info.size, asked_for + 2 * acre_page_size());
        ASSERT_LT(address, base + info.size + 64);
        ASSERT_EQ(info.where == ACRE_STACK_USABLE, address >= base);
        ASSERT_EQ(info.generation % 2, 1u);
        if (info.header != nullptr) {
            ASSERT_EQ(info.header, base + info.size);
        }
    }

    unsigned self_;
    std::minstd_rand random_;
    std::vector<Own> stacks_;
};

// 0, or 1 when a stack was not as it should be.
int create_the_first_at_once()
{
    std::atomic<unsigned> waiting{THREADS};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < THREADS; i++) {
        threads.emplace_back([&] {
            waiting.fetch_sub(1);
            while (waiting.load() != 0)
                std::this_thread::yield();
            acre_stack stack;
            acre_stack_info info;
            if (acre_stack_create(20000, nullptr, &stack) != ACRE_OK ||
                acre_stack_find(stack.base, &info) != ACRE_OK || info.base != stack.base ||
                acre_stack_destroy(&stack) != ACRE_OK)
                wrong = 1;
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    return wrong;
}

// Runs first in this program: each child makes the tables anew.
TEST(Threads, the_first_stacks_may_be_created_at_once)
{
    for (int round = 0; round < 50; round++) {
        acre_test::Ended ended = acre_test::in_child(create_the_first_at_once);
        ASSERT_TRUE(ended.exited);
        ASSERT_EQ(ended.code, 0);
    }
}

TEST(Threads, each_sees_its_own_stacks_and_no_mixed_ones)
{
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < THREADS; i++)
        threads.emplace_back([i] { Worker(i).run(); });
    for (std::thread &thread : threads)
        thread.join();
    for (std::atomic<char *> &address : shared) {
        acre_stack_info info;
        EXPECT_EQ(acre_stack_find(address.load(), &info), ACRE_NOT_OURS);
    }
}

TEST(Threads, a_stack_may_be_destroyed_by_another_thread)
{
    for (int i = 0; i < 200; i++) {
        acre_stack stack;
        std::thread([&] { ASSERT_EQ(acre_stack_create(20000, nullptr, &stack), ACRE_OK); }).join();
        static_cast<char *>(stack.base)[stack.size - 1] = 1;
        std::thread([&] { ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK); }).join();
        EXPECT_EQ(stack.base, nullptr);
    }
}

// The newest stack of one thread, of which the other has copies that may be out of date.
struct Shown {
    std::mutex lock;
    acre_stack stack = {};
    std::atomic<bool> stop{false};

    void show(const acre_stack &newest)
    {
        std::lock_guard<std::mutex> guard(lock);
        stack = newest;
    }

    acre_stack copy()
    {
        std::lock_guard<std::mutex> guard(lock);
        return stack;
    }
};

bool is_gone(acre_status status)
{
    return status == ACRE_STALE || status == ACRE_NOT_OURS;
}

void ask_about(Shown &shown)
{
    while (!shown.stop && !testing::Test::HasFailure()) {
        const acre_stack stack = shown.copy();
        if (stack.base == nullptr)
            continue;
        for (int i = 0; i < 20; i++) {
            size_t bytes = 0;
            acre_status status = acre_stack_sleep_size(&stack, stack.base, &bytes);
            ASSERT_TRUE(status == ACRE_OK || is_gone(status)) << status;
            if (status == ACRE_OK) {
                ASSERT_EQ(bytes, stack.size);
            }
            if (acre_port_stacks_grow())
                continue;  // there the next two change the stack's memory
            status = acre_stack_commit(&stack, stack.size);
            ASSERT_TRUE(status == ACRE_OK || is_gone(status)) << status;
            acre_stack_bounds bounds = {};
            status = acre_stack_bounds_of(&stack, &bounds);
            ASSERT_TRUE(status == ACRE_OK || is_gone(status)) << status;
            if (status == ACRE_OK) {
                ASSERT_EQ(bounds.top, static_cast<char *>(stack.base) + stack.size);
            }
        }
    }
}

// Under ThreadSanitizer also: without a race for the record's fields.
TEST(Threads, may_ask_about_a_stack_that_another_destroys)
{
    Shown shown;
    std::thread asker([&] { ask_about(shown); });
    for (int i = 0; i < 5000 && !HasFailure(); i++) {
        acre_stack stack;
        ASSERT_EQ(acre_stack_create(i % 2 != 0 ? 65536 : 1 << 20, nullptr, &stack), ACRE_OK);
        shown.show(stack);
        if (i % 16 == 0)
            std::this_thread::yield();
        EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
    }
    shown.stop = true;
    asker.join();
}

TEST(Threads, may_ask_about_a_stack_whose_pool_another_destroys)
{
    Shown shown;
    std::thread asker([&] { ask_about(shown); });
    for (int i = 0; i < 500 && !HasFailure(); i++) {
        acre_stack_pool_opts opts = {};
        opts.stack_size = i % 2 != 0 ? 65536 : 1 << 20;
        opts.max_stacks = 8;
        acre_stack_pool *pool;
        ASSERT_EQ(acre_stack_pool_create(&opts, &pool), ACRE_OK);
        acre_stack stack;
        ASSERT_EQ(acre_stack_pool_take(pool, &stack), ACRE_OK);
        shown.show(stack);
        if (i % 16 == 0)
            std::this_thread::yield();
        EXPECT_EQ(acre_stack_pool_give(pool, &stack), ACRE_OK);
        EXPECT_EQ(acre_stack_pool_destroy(pool), ACRE_OK);
    }
    shown.stop = true;
    asker.join();
}

}  // namespace
