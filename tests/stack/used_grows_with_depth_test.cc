// acre_stack_used: how deep a stack has ever been.
#include <cstdint>

#include "acre/page.h"
#include "acre/stack.h"
#include "gtest/gtest.h"
#include "tests/support/run_on.h"

namespace {

size_t used(const acre_stack &stack)
{
    size_t bytes = SIZE_MAX;
    EXPECT_EQ(acre_stack_used(&stack, &bytes), ACRE_OK);
    return bytes;
}

void touch(const acre_stack &stack, size_t depth)
{
    static_cast<volatile char *>(stack.base)[stack.size - depth] = 1;
}

class Used : public testing::TestWithParam<size_t> {
  protected:
    void SetUp() override
    {
        acre_stack_opts opts = {};
        opts.header_size = GetParam();
        ASSERT_EQ(acre_stack_create(256 * 1024, &opts, &stack_), ACRE_OK);
        ASSERT_EQ(acre_stack_commit(&stack_, stack_.size), ACRE_OK);
    }
    void TearDown() override
    {
        EXPECT_EQ(acre_stack_destroy(&stack_), ACRE_OK);
    }
    acre_stack stack_ = {};
};

TEST_P(Used, is_nothing_at_first)
{
    EXPECT_EQ(used(stack_), 0u);
}

TEST_P(Used, grows_with_depth)
{
    for (size_t depth = 1; depth <= stack_.size; depth += 10000) {
        touch(stack_, depth);
        EXPECT_GE(used(stack_), depth);
        EXPECT_LT(used(stack_), depth + acre_page_size());
    }
    touch(stack_, stack_.size);
    EXPECT_EQ(used(stack_), stack_.size);
}

TEST_P(Used, never_shrinks)
{
    touch(stack_, 100000);
    size_t deep = used(stack_);
    for (size_t depth = 1; depth < 100000; depth += 9999) {
        touch(stack_, depth);
        EXPECT_EQ(used(stack_), deep);
    }
}

TEST_P(Used, skips_pages_that_were_jumped_over)
{
    touch(stack_, 200000);
    EXPECT_GE(used(stack_), 200000u);
}

INSTANTIATE_TEST_SUITE_P(Headers, Used, testing::Values(0, 64, 1000, 65536));

acre_stack running;
size_t seen[2];

// AddressSanitizer would keep the frame elsewhere.
__attribute__((noinline, no_sanitize("address"))) void deep()
{
    volatile char frame[50000];
    for (size_t i = 0; i < sizeof(frame); i += 512)
        frame[i] = 1;
    EXPECT_EQ(acre_stack_used(&running, &seen[1]), ACRE_OK);
}

void shallow()
{
    EXPECT_EQ(acre_stack_used(&running, &seen[0]), ACRE_OK);
    deep();
}

TEST(UsedByACoroutine, sees_its_frames)
{
    ASSERT_EQ(acre_stack_create(1 << 20, nullptr, &running), ACRE_OK);
    ASSERT_TRUE(acre_test::run_on(running, shallow));

    EXPECT_GT(seen[0], 0u);
    EXPECT_GE(seen[1], 50000u);
    EXPECT_LE(seen[1], running.size);
    // The frames are gone, the mark stays.
    EXPECT_GE(used(running), seen[1]);
    EXPECT_EQ(acre_stack_destroy(&running), ACRE_OK);
}

}  // namespace
