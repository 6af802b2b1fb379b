// A stack is destroyed once, by whoever is first; everybody else is told.
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "acre/page.h"
#include "acre/stack.h"
#include "acre/stack_bounds.h"
#include "gtest/gtest.h"
#include "tests/support/support.h"

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

acre_stack create(size_t size)
{
    acre_stack stack = {};
    EXPECT_EQ(acre_stack_create(size, nullptr, &stack), ACRE_OK);
    EXPECT_EQ(acre_stack_commit(&stack, stack.size), ACRE_OK);
    return stack;
}

// Refused with `status`, and the struct is as it was.
void expect_refused(acre_stack stack, acre_status status)
{
    acre_stack before = stack;
    size_t used = 12345;
    EXPECT_EQ(acre_stack_used(&stack, &used), status);
    EXPECT_EQ(used, 12345u);
    EXPECT_EQ(acre_stack_commit(&stack, 1), status);
    acre_stack_bounds bounds;
    EXPECT_EQ(acre_stack_bounds_of(&stack, &bounds), status);
    EXPECT_EQ(acre_stack_destroy(&stack), status);
    EXPECT_EQ(std::memcmp(&stack, &before, sizeof(stack)), 0);
}

TEST(Destroy, clears_the_struct_and_unmaps)
{
    acre_stack stack = create(65536);
    acre_stack copy = stack;
    ASSERT_TRUE(acre_test::readable(copy.base));
    ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK);

    const acre_stack empty = {};
    EXPECT_EQ(std::memcmp(&stack, &empty, sizeof(stack)), 0);
    EXPECT_FALSE(acre_test::readable(copy.base));
    EXPECT_FALSE(acre_test::readable(static_cast<char *>(copy.base) + copy.size - 1));
}

TEST(Destroy, of_an_empty_struct_does_nothing_and_of_a_copy_is_stale)
{
    acre_stack stack = create(65536);
    acre_stack copy = stack;
    ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK);
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
    expect_refused(copy, ACRE_STALE);
    EXPECT_EQ(acre_stack_destroy(nullptr), ACRE_NULL_ARGUMENT);
}

TEST(Empty, stacks_have_nothing_to_look_at)
{
    acre_stack empty = {};
    size_t bytes = 77;
    EXPECT_EQ(acre_stack_used(&empty, &bytes), ACRE_EMPTY_HANDLE);
    EXPECT_EQ(acre_stack_commit(&empty, 0), ACRE_EMPTY_HANDLE);
    EXPECT_EQ(bytes, 77u);
}

TEST(Destroy, an_old_copy_does_not_hurt_the_next_stack_at_the_same_address)
{
    acre_stack first = create(65536);
    acre_stack copy = first;
    ASSERT_EQ(acre_stack_destroy(&first), ACRE_OK);
    // The system gives the lowest hole below again.
    acre_stack second = create(65536);
    if (acre_test::emulated() && second.base != copy.base) {
        EXPECT_EQ(acre_stack_destroy(&second), ACRE_OK);
        GTEST_SKIP() << "an emulator chooses addresses its own way";
    }
    ASSERT_EQ(second.base, copy.base);
    EXPECT_NE(second.generation, copy.generation);

    expect_refused(copy, ACRE_STALE);
    acre_stack_info info;
    ASSERT_EQ(acre_stack_find(second.base, &info), ACRE_OK);
    EXPECT_EQ(info.generation, second.generation);
    static_cast<char *>(second.base)[0] = 1;
    EXPECT_EQ(acre_stack_destroy(&second), ACRE_OK);
}

TEST(Destroy, generation_is_odd_and_moves_on)
{
    uint32_t last = 0;
    for (int i = 0; i < 100; i++) {
        acre_stack stack = create(65536);
        EXPECT_EQ(stack.generation % 2, 1u);
        EXPECT_NE(stack.generation, last);
        last = stack.generation;
        ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK);
    }
}

TEST(Destroy, what_is_no_stack_of_its_own_is_not_ours)
{
    acre_stack stack = create(65536);

    // As a pool's stack would look, or any other memory dressed up as one.
    static char memory[256];
    acre_stack foreign = {};
    foreign.base = memory;
    foreign.size = sizeof(memory);
    foreign.generation = 1;
    expect_refused(foreign, ACRE_NOT_OURS);
    foreign.private_[0] = UINTPTR_MAX;
    expect_refused(foreign, ACRE_NOT_OURS);
    foreign = stack;
    foreign.private_[1] = reinterpret_cast<uintptr_t>(memory);
    expect_refused(foreign, ACRE_NOT_OURS);
    foreign = stack;
    foreign.base = memory;
    expect_refused(foreign, ACRE_NOT_OURS);
    foreign.base = static_cast<char *>(stack.base) + acre_page_size();
    expect_refused(foreign, ACRE_NOT_OURS);

    EXPECT_TRUE(acre_test::readable(stack.base));
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

TEST(Destroy, one_of_many_threads_is_first)
{
    const int threads = 4;
    for (int round = 0; round < 100; round++) {
        acre_stack stack = create(65536);
        std::atomic<int> waiting{threads};
        std::atomic<int> done{0};
        std::atomic<int> stale{0};
        std::vector<std::thread> all;
        all.reserve(threads);
        for (int i = 0; i < threads; i++) {
            all.emplace_back([&, copy = stack]() mutable {
                waiting.fetch_sub(1);
                while (waiting.load() != 0)
                    std::this_thread::yield();
                acre_status status = acre_stack_destroy(&copy);
                done += status == ACRE_OK;
                stale += status == ACRE_STALE;
            });
        }
        for (std::thread &thread : all)
            thread.join();
        EXPECT_EQ(done, 1);
        EXPECT_EQ(stale, threads - 1);
    }
}

TEST(Destroy, leaves_errno_alone)
{
    errno = 77;
    acre_stack stack = create(65536);
    acre_stack copy = stack;
    size_t used;
    EXPECT_EQ(acre_stack_used(&stack, &used), ACRE_OK);
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
    EXPECT_EQ(acre_stack_destroy(&copy), ACRE_STALE);
    EXPECT_EQ(errno, 77);
}

}  // namespace
