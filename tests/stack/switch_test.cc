// Coroutines switch under AddressSanitizer, LeakSanitizer, ThreadSanitizer and Valgrind without a
// false report, and what is wrong on their stacks is reported.
#include <csetjmp>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "acre/stack_pool.h"
#include "acre/stack_switch.h"
#include "gtest/gtest.h"
#include "tests/stack/coroutine.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

class Stack {
  public:
    Stack()
    {
        EXPECT_EQ(ACRE_OK, acre_stack_create(256 * 1024, nullptr, &stack));
    }
    ~Stack()
    {
        EXPECT_EQ(ACRE_OK, acre_stack_destroy(&stack));
    }
    acre_stack stack;
};

// Fills frames down to a depth, and yields at the deepest.
__attribute__((noinline)) int fill(Coroutine &self, int depth)
{
    volatile char frame[512];
    for (volatile char &byte : frame)
        byte = static_cast<char>(depth);
    if (depth == 0)
        self.yield();
    int below = depth == 0 ? 0 : fill(self, depth - 1);
    int sum = below;
    for (volatile char &byte : frame)
        sum += byte;
    return sum;
}

TEST(Switch, in_turns_and_at_every_depth)
{
    Stack stacks[3];
    int sums[3] = {};
    std::vector<std::unique_ptr<Coroutine>> coroutines;
    for (int i = 0; i < 3; i++) {
        int *sum = &sums[i];
        coroutines.push_back(
            std::make_unique<Coroutine>(stacks[i].stack, [sum, i](Coroutine &self) {
                for (int depth = 0; depth < 20; depth++)
                    *sum += fill(self, depth + i);
            }));
    }
    int resumed = 0;
    for (bool any = true; any;) {
        any = false;
        for (auto &coroutine : coroutines) {
            bool goes_on = coroutine->resume();
            resumed += goes_on;
            any |= goes_on;
        }
    }
    EXPECT_EQ(60, resumed);
    for (int i = 0; i < 3; i++) {
        int expected = 0;
        for (int depth = 0; depth < 20; depth++)
            expected += 512 * (depth + i) * (depth + i + 1) / 2;
        EXPECT_EQ(expected, sums[i]);
    }
}

TEST(Switch, inside_one_another)
{
    Stack outer_stack;
    Stack inner_stack;
    std::string seen;
    Coroutine outer(outer_stack.stack, [&](Coroutine &self) {
        Coroutine inner(inner_stack.stack, [&](Coroutine &deeper) {
            seen += 'a';
            deeper.yield();
            seen += 'c';
        });
        inner.resume();
        seen += 'b';
        self.yield();
        inner.resume();
    });
    outer.resume();
    outer.resume();
    EXPECT_EQ("abc", seen);
}

__attribute__((noinline)) void jump_from(jmp_buf &place)
{
    volatile char frame[2048];
    frame[100] = 1;
    std::longjmp(place, frame[100]);
}

__attribute__((noinline)) void jump()
{
    jmp_buf place;
    if (setjmp(place) == 0)
        jump_from(place);
}

TEST(Switch, with_exceptions_and_long_jumps_between)
{
    Stack stack;
    int caught = 0;
    Coroutine coroutine(stack.stack, [&](Coroutine &self) {
        for (int i = 0; i < 10; i++) {
            try {
                std::string text(200, 'x');
                if (fill(self, i) >= 0)
                    throw std::runtime_error(text);
            } catch (const std::runtime_error &) {
                caught++;
            }
            jump();
        }
    });
    while (coroutine.resume())
        ;
    EXPECT_EQ(10, caught);
}

TEST(Switch, on_a_stack_that_was_left_in_the_middle)
{
    Stack stack;
    for (int i = 0; i < 10; i++) {
        // Leaves frames, and what a sanitizer put between their variables.
        Coroutine abandoned(stack.stack, [](Coroutine &self) { fill(self, 30); });
        EXPECT_TRUE(abandoned.resume());
    }
    // The whole stack, as plain memory and as one large frame.
    std::memset(stack.stack.base, 1, stack.stack.size);
    Coroutine last(stack.stack, [](Coroutine &) {
        volatile char frame[64 * 1024];
        for (volatile char &byte : frame)
            byte = 1;
    });
    EXPECT_FALSE(last.resume());
}

TEST(Switch, from_thread_to_thread)
{
    Stack stack;
    int sum = 0;
    int steps = 0;  // by whichever thread runs the coroutine: handed on by joining
    Coroutine coroutine(stack.stack, [&](Coroutine &self) {
        for (int i = 0; i < 8; i++) {
            steps++;
            sum += fill(self, 10);
        }
    });
    bool goes_on = true;
    while (goes_on)
        std::thread([&] { goes_on = coroutine.resume(); }).join();
    EXPECT_EQ(8, steps);
    EXPECT_EQ(8 * 512 * 55, sum);
}

TEST(Switch, in_several_threads_on_stacks_of_a_pool)
{
    acre_stack_pool *pool;
    ASSERT_EQ(ACRE_OK, acre_stack_pool_create(nullptr, &pool));
    std::vector<std::thread> threads;
    bool right[3] = {};
    for (bool &mine : right) {
        threads.emplace_back([pool, &mine] {
            mine = true;
            for (int round = 0; round < 30; round++) {
                acre_stack stack;
                if (acre_stack_pool_take(pool, &stack) != ACRE_OK) {
                    mine = false;
                    return;
                }
                int sum = 0;
                {
                    Coroutine coroutine(stack,
                                        [&](Coroutine &self) { sum = fill(self, round % 20); });
                    // Every third is left in the middle.
                    mine &= coroutine.resume();
                    mine &= round % 3 == 0 || !coroutine.resume();
                }
                mine &= acre_stack_pool_give(pool, &stack) == ACRE_OK;
            }
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    for (bool mine : right)
        EXPECT_TRUE(mine);
    EXPECT_EQ(ACRE_OK, acre_stack_pool_destroy(pool));
}

TEST(Switch, with_memory_that_only_a_coroutine_knows)
{
    // Looked at by LeakSanitizer when the program ends, after the static objects.
    static acre_stack stack;
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &stack));
    static Coroutine *const forever = new Coroutine(stack, [](Coroutine &self) {
        std::unique_ptr<char[]> block(new char[1000]());
        self.yield();
        block[0] = 1;
    });
    EXPECT_TRUE(forever->resume());
}

TEST(Switch, with_memory_that_only_a_header_knows)
{
    // As above.
    static acre_stack stack;
    acre_stack_opts opts = {};
    opts.header_size = 3 * 4096;
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, &opts, &stack));
    static Coroutine *const forever = new Coroutine(stack, [](Coroutine &self) { self.yield(); });
    EXPECT_TRUE(forever->resume());
    char **last = static_cast<char **>(stack.header) + 3 * 4096 / sizeof(char *) - 1;
    *last = new char[1000]();
}

#ifndef _WIN32
// Each waits in a handler while the others throw.
TEST(Switch, with_exceptions_of_their_own)
{
    Stack stacks[3];
    std::string caught[3];
    int uncaught[3] = {-1, -1, -1};
    std::vector<std::unique_ptr<Coroutine>> coroutines;
    for (int i = 0; i < 3; i++) {
        coroutines.push_back(std::make_unique<Coroutine>(stacks[i].stack, [&, i](Coroutine &self) {
            try {
                throw std::runtime_error(std::to_string(i));
            } catch (const std::runtime_error &) {
                self.yield();
                try {
                    throw;
                } catch (const std::runtime_error &again) {
                    caught[i] = again.what();
                }
                self.yield();
                uncaught[i] = std::uncaught_exceptions();
            }
        }));
    }
    try {
        throw std::runtime_error("of the thread");
    } catch (const std::runtime_error &) {
        for (int round = 0; round < 3; round++) {
            for (auto &coroutine : coroutines)
                coroutine->resume();
        }
        try {
            throw;
        } catch (const std::runtime_error &again) {
            EXPECT_STREQ("of the thread", again.what());
        }
    }
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(std::to_string(i), caught[i]);
        EXPECT_EQ(0, uncaught[i]);
    }
    EXPECT_EQ(nullptr, std::current_exception());
}
#endif

#if defined(ACRE_SWITCH_ASAN_)
// What AddressSanitizer ends a child with.
bool is_reported(const std::function<void(Coroutine &)> &body)
{
    Stack stack;
    Ended ended = in_child([&] {
        close(2);  // where the report goes
        Coroutine coroutine(stack.stack, body);
        coroutine.resume();
        return 42;
    });
    return !(ended.exited && ended.code == 42);
}

TEST(Switch, and_what_is_wrong_on_the_stack_is_reported)
{
    EXPECT_TRUE(is_reported([](Coroutine &) {
        volatile char frame[100];
        volatile size_t at = 100;
        frame[at] = 1;
        (void)frame[0];
    }));
    EXPECT_TRUE(is_reported([](Coroutine &) {
        volatile char *gone;
        {
            volatile char scope[100];
            gone = scope;
        }
        *gone = 1;
    }));
    EXPECT_FALSE(is_reported([](Coroutine &) {}));
}
#endif

}  // namespace
