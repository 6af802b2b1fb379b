// Zeroed blocks read zero wherever they come from, and what is known to be zero is not cleared.
#include <vector>

#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART(
    "Zero.fresh_again_after_trim Zero.fresh_memory_is_not_cleared "
    "Zero.only_what_was_used_is_cleared Zero.a_wiping_arena_zeroes_what_it_takes_back "
    "Zero.others_do_not");

namespace {

// Dirties `size` bytes of the arena's beginning and takes them back.
void dirty_by_restore(acre_arena *arena, size_t size)
{
    acre_arena_mark mark = acre_arena_save(arena);
    std::memset(bytes(arena, size), 0xff, size);
    acre_arena_restore(arena, mark);
}

void expect_zero(acre_arena *arena, size_t size)
{
    void *block = acre_arena_zalloc(arena, size, 1);
    ASSERT_NE(nullptr, block);
    EXPECT_TRUE(all_are(block, size, 0));
}

// Bytes of the first area of the arena that are in memory, by the kernel's word.
size_t resident(const acre_arena *arena)
{
    return smaps_bytes(reinterpret_cast<const void *>(arena->base), "Rss");
}

}  // namespace

TEST(Zero, after_restore)
{
    for (size_t size : {size_t(1), size_t(255), size_t(257), 100 * KIB, 3 * MIB}) {
        Arena arena;
        dirty_by_restore(&arena, size);
        expect_zero(&arena, size);
    }
}

TEST(Zero, of_constant_sizes_after_restore)
{
    Arena arena;
    dirty_by_restore(&arena, 1000);
    EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 24, 8), 24, 0));
    EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 200, 16), 200, 0));
}

TEST(Zero, across_the_end_of_what_was_used)
{
    Arena arena;
    dirty_by_restore(&arena, 1000);
    expect_zero(&arena, 500);
    expect_zero(&arena, 5000);
    expect_zero(&arena, 5000);
}

TEST(Zero, after_a_restore_below_an_earlier_one)
{
    Arena arena;
    acre_arena_mark low = acre_arena_save(&arena);
    std::memset(bytes(&arena, 3000), 0xff, 3000);
    acre_arena_mark high = acre_arena_save(&arena);
    std::memset(bytes(&arena, 2000), 0xff, 2000);
    acre_arena_restore(&arena, high);
    acre_arena_restore(&arena, low);
    expect_zero(&arena, 6000);
}

TEST(Zero, after_reset)
{
    Arena arena;
    std::memset(bytes(&arena, 5 * MIB), 0xff, 5 * MIB);
    acre_arena_reset(&arena);
    expect_zero(&arena, 6 * MIB);
}

TEST(Zero, after_a_reset_that_gave_memory_back)
{
    acre_arena_opts opts = options();
    opts.keep = 100 * KIB;
    Arena arena(opts);
    std::memset(bytes(&arena, 5 * MIB), 0xff, 5 * MIB);
    acre_arena_reset(&arena);
    expect_zero(&arena, 6 * MIB);
}

TEST(Zero, after_trim)
{
    Arena arena;
    acre_arena_mark mark = acre_arena_save(&arena);
    std::memset(bytes(&arena, 5 * MIB), 0xff, 5 * MIB);
    acre_arena_restore(&arena, mark);
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 10000));
    expect_zero(&arena, 6 * MIB);
}

TEST(Zero, after_a_block_shrank_in_place)
{
    Arena arena;
    void *block = bytes(&arena, 1000);
    std::memset(block, 0xff, 1000);
    ASSERT_EQ(block, acre_arena_resize(&arena, block, 1000, 10));
    expect_zero(&arena, 2000);
}

TEST(Zero, of_calloc_and_new)
{
    Arena arena;
    dirty_by_restore(&arena, 10000);
    EXPECT_TRUE(all_are(acre_arena_calloc(&arena, 10, 30, 8), 300, 0));
    EXPECT_TRUE(all_are(ACRE_NEW(&arena, acre_arena_stats), sizeof(acre_arena_stats), 0));
    EXPECT_TRUE(all_are(ACRE_NEW_ARRAY(&arena, uint64_t, 100), 800, 0));
}

TEST(Zero, fresh_memory_is_not_cleared)
{
    if (emulated())
        GTEST_SKIP() << "no VmFlags: residency is not the kernel's own";
    Arena arena(with_flags(ACRE_ARENA_NO_HUGE));
    ASSERT_NE(nullptr, acre_arena_zalloc(&arena, 64 * MIB, 16));
    EXPECT_LT(resident(&arena), MIB);
    EXPECT_LT(stats_of(&arena).resident, MIB);
}

TEST(Zero, only_what_was_used_is_cleared)
{
    if (emulated())
        GTEST_SKIP() << "no VmFlags: residency is not the kernel's own";
    Arena arena(with_flags(ACRE_ARENA_NO_HUGE));
    dirty_by_restore(&arena, 100 * KIB);
    void *block = acre_arena_zalloc(&arena, 64 * MIB, 16);
    EXPECT_LT(resident(&arena), MIB);
    EXPECT_TRUE(all_are(block, 200 * KIB, 0));
}

TEST(Zero, fresh_again_after_trim)
{
    if (emulated())
        GTEST_SKIP() << "no VmFlags: residency is not the kernel's own";
    Arena arena(with_flags(ACRE_ARENA_NO_HUGE));
    dirty_by_restore(&arena, 20 * MIB);
    EXPECT_GE(resident(&arena), 20 * MIB);
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
    ASSERT_NE(nullptr, acre_arena_zalloc(&arena, 64 * MIB, 16));
    EXPECT_LT(resident(&arena), MIB);
}

TEST(Zero, a_wiping_arena_zeroes_what_it_takes_back)
{
    Arena arena(with_flags(ACRE_ARENA_WIPE));
    acre_arena_mark mark = acre_arena_save(&arena);
    unsigned char *block = bytes(&arena, 5000);
    std::memset(block, 0xff, 5000);
    acre_arena_restore(&arena, mark);
    EXPECT_TRUE(all_are(block, 5000, 0));

    ASSERT_EQ(block, bytes(&arena, 5000));
    std::memset(block, 0xff, 5000);
    ASSERT_EQ(block, acre_arena_resize(&arena, block, 5000, 1000));
    EXPECT_TRUE(all_are(block, 1000, 0xff));
    EXPECT_TRUE(all_are(block + 1000, 4000, 0));

    acre_arena_reset(&arena);
    EXPECT_TRUE(all_are(block, 5000, 0));
    expect_zero(&arena, 10000);
}

struct WithConstructor {
    int number = 1;
};

static_assert(acre_arena_can_make<acre_arena_stats>::value && acre_arena_can_make<int[4]>::value,
              "zeroed memory is one");
static_assert(!acre_arena_can_make<WithConstructor>::value &&
                  !acre_arena_can_make<std::vector<int>>::value,
              "these want their constructor");

TEST(Zero, others_do_not)
{
    Arena arena;
    acre_arena_mark mark = acre_arena_save(&arena);
    unsigned char *block = bytes(&arena, 5000);
    std::memset(block, 0xff, 5000);
    acre_arena_restore(&arena, mark);
    EXPECT_TRUE(all_are(block, 5000, 0xff));
}
