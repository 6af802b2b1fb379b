// Marks take back what was made since, and only marks that fit do anything.
#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART(
    "Mark.may_be_restored_to_again Mark.nests "
    "Mark.restore_takes_back_what_was_made_since");

namespace {

void expect_stale(acre_arena *arena, acre_arena_mark mark)
{
    acre_arena before = but_status(*arena, ACRE_STALE);
    acre_arena_restore(arena, mark);
    EXPECT_TRUE(unchanged(before, *arena));
}

}  // namespace

TEST(Mark, restore_takes_back_what_was_made_since)
{
    Arena arena;
    unsigned char *kept = bytes(&arena, 100);
    std::memset(kept, 7, 100);
    acre_arena_mark mark = acre_arena_save(&arena);
    unsigned char *gone = bytes(&arena, 300 * KIB);
    std::memset(gone, 9, 300 * KIB);
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(100u, used(&arena));
    EXPECT_TRUE(all_are(kept, 100, 7));
    EXPECT_EQ(gone, bytes(&arena, 10));
    EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
}

TEST(Mark, may_be_restored_to_again)
{
    Arena arena;
    bytes(&arena, 33);
    acre_arena_mark mark = acre_arena_save(&arena);
    for (size_t size = 0; size < 100; size++) {
        bytes(&arena, size);
        acre_arena_restore(&arena, mark);
        ASSERT_EQ(33u, used(&arena));
    }
    EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
}

TEST(Mark, nests)
{
    Arena arena;
    acre_arena_mark marks[10];
    for (acre_arena_mark &mark : marks) {
        mark = acre_arena_save(&arena);
        bytes(&arena, 10);
    }
    for (size_t i = 10; i-- > 0;) {
        acre_arena_restore(&arena, marks[i]);
        ASSERT_EQ(10 * i, used(&arena));
    }
    EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
}

TEST(Mark, from_before_a_reset_is_stale)
{
    Arena arena;
    acre_arena_mark empty = acre_arena_save(&arena);
    bytes(&arena, 10);
    acre_arena_mark mark = acre_arena_save(&arena);
    acre_arena_reset(&arena);
    bytes(&arena, 100);
    expect_stale(&arena, mark);
    expect_stale(&arena, empty);
    acre_arena_reset(&arena);
    expect_stale(&arena, mark);
}

TEST(Mark, of_an_arena_that_was_in_the_same_struct_is_stale)
{
    acre_arena_opts opts = options();
    acre_arena arena;
    acre_arena_mark old[50];
    for (acre_arena_mark &mark : old) {
        ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
        acre_arena_reset(&arena);
        mark = acre_arena_save(&arena);
        ASSERT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    }
    ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
    bytes(&arena, 100);
    for (acre_arena_mark mark : old) {
        mark.cursor = arena.base;  // as if the reservation were at the same place
        expect_stale(&arena, mark);
    }
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

TEST(Mark, of_another_arena_or_none_is_stale)
{
    Arena arena;
    Arena other;
    bytes(&arena, 100);
    expect_stale(&arena, acre_arena_save(&other));
    expect_stale(&arena, acre_arena_mark{});
}

TEST(Mark, above_the_cursor_or_below_the_base_is_stale)
{
    Arena arena;
    acre_arena_mark low = acre_arena_save(&arena);
    bytes(&arena, 10);
    acre_arena_mark high = acre_arena_save(&arena);
    acre_arena_restore(&arena, low);
    expect_stale(&arena, high);
    low.cursor = arena.base - 1;
    expect_stale(&arena, low);
}

TEST(Mark, inside_a_newer_block_is_stale_where_a_checker_watches)
{
    Arena arena;
    if (arena.limit != arena.cursor)
        GTEST_SKIP() << "neither AddressSanitizer nor Valgrind is there";
    acre_arena_mark outer = acre_arena_save(&arena);
    ASSERT_NE(nullptr, bytes(&arena, 100));
    acre_arena_mark inner = acre_arena_save(&arena);
    ASSERT_NE(nullptr, bytes(&arena, 100));
    acre_arena_restore(&arena, inner);
    acre_arena_restore(&arena, inner);  // nothing was taken back below it
    EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
    acre_arena_restore(&arena, outer);
    unsigned char *kept = bytes(&arena, 1000);
    ASSERT_NE(nullptr, kept);
    expect_stale(&arena, inner);
    std::memset(kept, 7, 1000);
    EXPECT_TRUE(all_are(kept, 1000, 7));
    acre_arena_restore(&arena, outer);
    EXPECT_EQ(kept, bytes(&arena, 1000));
}

TEST(Mark, restore_keeps_memory_committed)
{
    Arena arena;
    acre_arena_mark mark = acre_arena_save(&arena);
    bytes(&arena, 3 * MIB);
    size_t committed = stats_of(&arena).committed;
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(committed, stats_of(&arena).committed);
    EXPECT_GE(committed, 3 * MIB);
}
