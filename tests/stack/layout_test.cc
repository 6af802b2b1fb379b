// Where guard, usable bytes and header lie.
#include <cstdint>
#include <cstring>

#include "acre/page.h"
#include "acre/stack.h"
#include "acre/stack_bounds.h"
#include "gtest/gtest.h"
#include "tests/support/support.h"

namespace {

uintptr_t number(const void *address)
{
    return reinterpret_cast<uintptr_t>(address);
}

// What the header of the contract promises of every stack.
void expect_promises(const acre_stack &stack, size_t size, size_t header_size)
{
    EXPECT_GE(stack.size, size);
    EXPECT_EQ(number(stack.base) % acre_page_size(), 0u);
    EXPECT_EQ((number(stack.base) + stack.size) % 64, 0u);
    EXPECT_EQ(stack.generation % 2, 1u);
    if (header_size == 0) {
        EXPECT_EQ(stack.header, nullptr);
        return;
    }
    EXPECT_EQ(number(stack.header) % 64, 0u);
    EXPECT_GE(number(stack.header), number(stack.base) + stack.size);
}

TEST(Layout, every_size_is_met_and_aligned)
{
    const size_t page = acre_page_size();
    for (size_t size : {size_t{1}, size_t{63}, size_t{4096}, page - 1, page, page + 1, 3 * page,
                        size_t{65536}, size_t{65537}, size_t{1} << 20, (size_t{8} << 20) + 24}) {
        for (size_t header_size :
             {size_t{0}, size_t{1}, size_t{64}, size_t{65}, size_t{200}, page, 5 * page + 8}) {
            SCOPED_TRACE(testing::Message() << size << " with a header of " << header_size);
            acre_stack_opts opts = {};
            opts.header_size = header_size;
            acre_stack stack;
            ASSERT_EQ(acre_stack_create(size, &opts, &stack), ACRE_OK);
            expect_promises(stack, size, header_size);

            // All of it can be had, is zero, and can be written.
            ASSERT_EQ(acre_stack_commit(&stack, stack.size), ACRE_OK);
            for (size_t i = 0; i < stack.size; i += stack.size / 7 + 1)
                EXPECT_EQ(static_cast<char *>(stack.base)[i], 0);
            if (header_size != 0) {
                EXPECT_EQ(static_cast<char *>(stack.header)[header_size - 1], 0);
            }
            static_cast<char *>(stack.base)[0] = 1;
            static_cast<char *>(stack.base)[stack.size - 1] = 1;
            if (header_size != 0)
                std::memset(stack.header, 1, header_size);
            EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
        }
    }
}

TEST(Layout, small_header_shares_the_page_of_the_top)
{
    acre_stack_opts opts = {};
    opts.header_size = 128;
    acre_stack stack;
    ASSERT_EQ(acre_stack_create(65536, &opts, &stack), ACRE_OK);
    uintptr_t below_top = number(stack.base) + stack.size - 1;
    EXPECT_EQ(below_top / acre_page_size(), number(stack.header) / acre_page_size());
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

TEST(Layout, guard_is_as_wide_as_asked_for)
{
    const size_t page = acre_page_size();
    for (size_t guard_size : {size_t{1}, page, page + 1, size_t{65536}, 100 * page}) {
        SCOPED_TRACE(guard_size);
        acre_stack_opts opts = {};
        opts.guard_size = guard_size;
        acre_stack stack;
        ASSERT_EQ(acre_stack_create(65536, &opts, &stack), ACRE_OK);
        const char *base = static_cast<const char *>(stack.base);
        EXPECT_FALSE(acre_test::readable(base - 1));
        EXPECT_FALSE(acre_test::readable(base - guard_size));
        ASSERT_EQ(acre_stack_commit(&stack, stack.size), ACRE_OK);
        EXPECT_FALSE(acre_test::readable(base - 1));
        EXPECT_TRUE(acre_test::readable(base));
        EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
    }
}

TEST(Layout, bounds_reach_from_the_top_into_the_guard)
{
    acre_stack_opts opts = {};
    opts.header_size = 100;
    acre_stack stack;
    ASSERT_EQ(acre_stack_create(65536, &opts, &stack), ACRE_OK);
    ASSERT_EQ(acre_stack_commit(&stack, stack.size + 1), ACRE_BAD_SIZE);
    ASSERT_EQ(acre_stack_commit(&stack, stack.size), ACRE_OK);
    acre_stack_bounds bounds;
    ASSERT_EQ(acre_stack_bounds_of(&stack, &bounds), ACRE_OK);
    EXPECT_EQ(number(bounds.top), number(stack.base) + stack.size);
    EXPECT_EQ(bounds.limit, stack.base);
    EXPECT_LT(number(bounds.lowest), number(stack.base));
    acre_stack_info info;
    ASSERT_EQ(acre_stack_find(bounds.lowest, &info), ACRE_OK);
    EXPECT_EQ(info.base, stack.base);
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

TEST(Layout, default_guard_is_wider_than_a_stack_probe)
{
#if defined(__aarch64__)
    const size_t least = 65536;
#else
    const size_t least = 16384;
#endif
    acre_stack stack;
    ASSERT_EQ(acre_stack_create(65536, nullptr, &stack), ACRE_OK);
    for (size_t below = 1; below <= least; below += 1024)
        EXPECT_FALSE(acre_test::readable(static_cast<const char *>(stack.base) - below)) << below;
    EXPECT_FALSE(acre_test::readable(static_cast<const char *>(stack.base) - least));
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

TEST(Layout, neighbours_are_an_odd_number_of_pages_apart)
{
    const size_t page = acre_page_size();
    for (size_t pages = 1; pages <= 8; pages++) {
        acre_stack stack;
        ASSERT_EQ(acre_stack_create(pages * page, nullptr, &stack), ACRE_OK);
        acre_stack_info info;
        const char *lowest = static_cast<const char *>(stack.base);
        while (acre_stack_find(lowest - page, &info) == ACRE_OK && info.base == stack.base)
            lowest -= page;
        EXPECT_EQ((number(stack.base) + stack.size - number(lowest)) / page % 2, 1u) << pages;
        EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
    }
}

}  // namespace
