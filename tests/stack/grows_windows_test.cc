// On Windows stacks are reserved, committed as they grow, and whoever runs on them is told when one
// ends: the usable bytes are all usable, and no guard is.
#include <windows.h>

#include <cstring>

#include "acre/page.h"
#include "acre/stack.h"
#include "acre/stack_bounds.h"
#include "gtest/gtest.h"
#include "tests/support/run_on.h"
#include "tests/support/support.h"

namespace {

constexpr size_t kAtOnce = 16 * 1024;

size_t committed_below_top(const acre_stack &stack)
{
    MEMORY_BASIC_INFORMATION info;
    size_t bytes = 0;
    char *top = static_cast<char *>(stack.base) + stack.size;
    for (char *at = static_cast<char *>(stack.base); at < top;
         at = static_cast<char *>(info.BaseAddress) + info.RegionSize) {
        if (VirtualQuery(at, &info, sizeof info) == 0)
            return 0;
        if (info.State == MEM_COMMIT)
            bytes += info.RegionSize;
    }
    return bytes;
}

size_t wanted;

// Uses `wanted` bytes of the stack, in frames smaller than a page.
__attribute__((noinline)) int descend(const char *top)
{
    volatile char frame[600];
    std::memset(const_cast<char *>(frame), 1, sizeof frame);
    const char *here = const_cast<const char *>(frame);
    return static_cast<size_t>(top - here) >= wanted ? frame[5] : descend(top) + frame[7];
}

acre_stack stack;
volatile int sink;

void use()
{
    sink = descend(static_cast<char *>(stack.base) + stack.size);
}

// Larger than one page: the compiler has each page of it touched in turn.
__attribute__((noinline)) void use_large_frame()
{
    volatile char frame[200000];
    frame[0] = 1;
    sink = frame[0];
}

// What the system knows of the running stack: read, and put back.
acre_stack_bounds known()
{
    acre_stack_bounds bounds = {};
    acre_stack_bounds other;
    acre_stack_bounds_exchange(&bounds, &other);
    acre_stack_bounds_exchange(&other, &bounds);
    return other;
}

class Grows : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(ACRE_OK, acre_stack_create(256 * 1024, nullptr, &stack));
    }
    void TearDown() override
    {
        EXPECT_EQ(ACRE_OK, acre_stack_destroy(&stack));
    }
};

TEST_F(Grows, little_is_committed_at_first)
{
    EXPECT_EQ(committed_below_top(stack), kAtOnce + acre_page_size());
    EXPECT_EQ(0,
              acre_test::signal_of_write(static_cast<char *>(stack.base) + stack.size - kAtOnce));
    EXPECT_NE(0, acre_test::signal_of_write(stack.base));
}

TEST_F(Grows, as_deep_as_is_run)
{
    for (size_t bytes : {size_t{1000}, size_t{30000}, size_t{100000}}) {
        wanted = bytes;
        ASSERT_TRUE(acre_test::run_on(stack, use));
        size_t committed = committed_below_top(stack);
        EXPECT_GE(committed, bytes);
        EXPECT_LE(committed, (bytes < kAtOnce ? kAtOnce : bytes) + 3 * acre_page_size()) << bytes;
    }
}

TEST_F(Grows, under_a_large_frame)
{
    ASSERT_TRUE(acre_test::run_on(stack, use_large_frame));
    EXPECT_GE(committed_below_top(stack), 200000u);
}

TEST_F(Grows, to_the_last_usable_byte)
{
    wanted = stack.size - 1024;
    ASSERT_TRUE(acre_test::run_on(stack, use));
    EXPECT_EQ(committed_below_top(stack), stack.size);
}

TEST_F(Grows, the_limit_is_what_is_accessible)
{
    acre_stack_bounds bounds;
    ASSERT_EQ(ACRE_OK, acre_stack_bounds_of(&stack, &bounds));
    char *top = static_cast<char *>(stack.base) + stack.size;
    EXPECT_EQ(bounds.top, top);
    EXPECT_EQ(bounds.limit, top - kAtOnce);
    EXPECT_LT(bounds.lowest, stack.base);
    wanted = 100000;
    ASSERT_TRUE(acre_test::run_on(stack, use));
    ASSERT_EQ(ACRE_OK, acre_stack_bounds_of(&stack, &bounds));
    EXPECT_LE(bounds.limit, top - 100000);
    EXPECT_NE(0, acre_test::signal_of_read(static_cast<char *>(bounds.limit) - 1));
}

TEST_F(Grows, committing_makes_it_accessible_to_all)
{
    char *top = static_cast<char *>(stack.base) + stack.size;
    top[-1] = 7;
    ASSERT_EQ(ACRE_OK, acre_stack_commit(&stack, 100000));
    EXPECT_EQ(7, top[-1]);
    EXPECT_EQ(0, acre_test::signal_of_write(top - 100000));
    wanted = 150000;
    ASSERT_TRUE(acre_test::run_on(stack, use));
    ASSERT_EQ(ACRE_OK, acre_stack_commit(&stack, stack.size));
    EXPECT_EQ(0, acre_test::signal_of_write(stack.base));
    EXPECT_NE(0, acre_test::signal_of_write(static_cast<char *>(stack.base) - 1));
    ASSERT_EQ(ACRE_OK, acre_stack_commit(&stack, 1));
    EXPECT_EQ(committed_below_top(stack), 2 * acre_page_size());
    EXPECT_EQ(ACRE_BAD_SIZE, acre_stack_commit(&stack, stack.size + 1));
}

bool inside(const void *address, const acre_stack_bounds &bounds)
{
    return address >= bounds.limit && address < bounds.top;
}

acre_stack_bounds before_growth, after_growth;

TEST_F(Grows, the_system_knows_where_it_runs)
{
    acre_stack_bounds own = known();
    char here;
    EXPECT_TRUE(inside(&here, own));
    wanted = 100000;
    ASSERT_TRUE(acre_test::run_on(stack, [] {
        before_growth = known();
        use();
        after_growth = known();
    }));
    EXPECT_EQ(static_cast<char *>(stack.base) + stack.size, before_growth.top);
    EXPECT_EQ(static_cast<char *>(before_growth.top) - kAtOnce, before_growth.limit);
    EXPECT_LE(after_growth.limit, static_cast<char *>(before_growth.top) - 100000);
    EXPECT_EQ(own.top, known().top);
    EXPECT_EQ(own.lowest, known().lowest);
    EXPECT_EQ(own.guaranteed, known().guaranteed);
}

// As far down as it grew, whatever of it is in memory now.
TEST_F(Grows, what_was_used_is_told_when_the_system_took_it_away)
{
    wanted = 100000;
    ASSERT_TRUE(acre_test::run_on(stack, use));
    size_t before = 0;
    ASSERT_EQ(ACRE_OK, acre_stack_used(&stack, &before));
    EXPECT_GE(before, wanted);
    acre_stack_bounds bounds;
    ASSERT_EQ(ACRE_OK, acre_stack_bounds_of(&stack, &bounds));
    // By what empties pages and leaves them committed, or takes them out of the working set.
    size_t length = 16 * acre_page_size();
    ASSERT_NE(nullptr, VirtualAlloc(bounds.limit, length, MEM_RESET, PAGE_READWRITE));
    VirtualUnlock(bounds.limit, length);
    size_t after = 0;
    ASSERT_EQ(ACRE_OK, acre_stack_used(&stack, &after));
    EXPECT_EQ(before, after);
}

void *last_handler_of_thread()
{
#if defined(__i386__)
    void **at = static_cast<void **>(known().handlers);
    while (*at != reinterpret_cast<void *>(-1))
        at = static_cast<void **>(*at);
    return at[1];
#else
    return nullptr;
#endif
}

acre_stack_last_handler *begun;
void *innermost, *first_words[2];

TEST_F(Grows, its_list_of_handlers_ends_as_that_of_a_thread)
{
    void *last = last_handler_of_thread();
    ASSERT_TRUE(acre_test::run_on(stack, [] {
        acre_stack_last_handler room = {};
        acre_stack_bounds_begin(&room);
        begun = &room;
        innermost = known().handlers;
        first_words[0] = room.words[0];
        first_words[1] = room.words[1];
    }));
    EXPECT_EQ(last, first_words[1]);
    if (last == nullptr)
        GTEST_SKIP() << "on 64 bits there is no list";
    EXPECT_EQ(begun, innermost);
    EXPECT_EQ(reinterpret_cast<void *>(-1), first_words[0]);
}

}  // namespace
