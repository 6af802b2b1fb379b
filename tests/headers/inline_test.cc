#include "inline.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace {

class InlineFunctions : public testing::TestWithParam<const inline_uses *> {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(ACRE_OK, acre_arena_create(nullptr, &arena));
    }

    void TearDown() override
    {
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    }

    static uintptr_t address(const void *block)
    {
        return reinterpret_cast<uintptr_t>(block);
    }

    const inline_uses &use = *GetParam();
    acre_arena arena = {};
};

TEST_P(InlineFunctions, blocks_are_aligned_and_do_not_overlap)
{
    void *odd = use.alloc_aligned(&arena, 3, 1);
    void *any = use.alloc(&arena, 100);
    void *constant = use.alloc_constant(&arena);
    void *line = use.alloc_aligned(&arena, 1, use.largest_inline_alignment);
    ASSERT_NE(nullptr, odd);
    ASSERT_NE(nullptr, any);
    ASSERT_NE(nullptr, constant);
    ASSERT_NE(nullptr, line);

    EXPECT_EQ(0u, address(any) % alignof(std::max_align_t));
    EXPECT_EQ(0u, address(constant) % alignof(std::max_align_t));
    EXPECT_EQ(0u, address(line) % 64);
    EXPECT_LE(address(odd) + 3, address(any));
    EXPECT_LE(address(any) + 100, address(constant));
    EXPECT_LE(address(constant) + 24, address(line));
    EXPECT_TRUE(acre_arena_owns(&arena, line));
}

TEST_P(InlineFunctions, zeroed_blocks_are_zero_where_dirt_was_given_back)
{
    acre_arena_mark start = acre_arena_save(&arena);
    std::memset(use.alloc(&arena, 4096), 0xff, 4096);
    acre_arena_restore(&arena, start);
    const char zeros[1000] = {};
    EXPECT_EQ(0, std::memcmp(zeros, use.zalloc(&arena, sizeof zeros, 8), sizeof zeros));
    EXPECT_EQ(0.0, *use.new_double(&arena));
    const void *doubles = use.new_doubles(&arena, 100);
    EXPECT_EQ(0, std::memcmp(zeros, doubles, 100 * sizeof(double)));
}

TEST_P(InlineFunctions, impossible_sizes_give_null)
{
    void *before = use.alloc_aligned(&arena, 0, 1);
    EXPECT_EQ(nullptr, use.alloc(&arena, SIZE_MAX));
    EXPECT_EQ(nullptr, use.alloc_aligned(&arena, SIZE_MAX - 1, 1));
    EXPECT_EQ(nullptr, use.zalloc(&arena, SIZE_MAX, 64));
    EXPECT_EQ(nullptr, use.new_doubles(&arena, SIZE_MAX / 2));
    EXPECT_EQ(before, use.alloc_aligned(&arena, 0, 1));
}

TEST_P(InlineFunctions, a_status_is_ignored_on_purpose)
{
    use.destroy(&arena);
    EXPECT_EQ(nullptr, arena.core);
}

INSTANTIATE_TEST_SUITE_P(C11, InlineFunctions, testing::Values(&inline_uses_in_c11));
INSTANTIATE_TEST_SUITE_P(Cpp11, InlineFunctions, testing::Values(&inline_uses_in_cpp11));

}  // namespace
