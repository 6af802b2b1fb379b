// Blocks change their size in place when they can, and never lose or share bytes.
#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART(
    "Resize.a_block_from_before_a_mark_moves_to_grow_and_survives_the_restore "
    "Resize.a_block_from_before_a_mark_shrinks_without_moving_the_mark "
    "Resize.null_allocates Resize.refused_leaves_the_block_and_the_arena "
    "Resize.the_newest_block_grows_in_place "
    "Resize.the_newest_block_shrinks_in_place_and_gives_bytes_back");

namespace {

unsigned char *filled(acre_arena *arena, size_t size, unsigned char value)
{
    unsigned char *block = bytes(arena, size);
    std::memset(block, value, size);
    return block;
}

}  // namespace

TEST(Resize, the_newest_block_grows_in_place)
{
    Arena arena;
    bytes(&arena, 5);
    unsigned char *block = filled(&arena, 10, 7);
    size_t size = 10;
    for (size_t next : {size_t(11), size_t(64), 5 * KIB, 300 * KIB, 20 * MIB}) {
        ASSERT_EQ(block, acre_arena_resize(&arena, block, size, next));
        ASSERT_EQ(5 + next, used(&arena));
        size = next;
        block[size - 1] = 1;
    }
    EXPECT_TRUE(all_are(block, 10, 7));
}

TEST(Resize, the_newest_block_shrinks_in_place_and_gives_bytes_back)
{
    Arena arena;
    unsigned char *block = filled(&arena, 1000, 7);
    ASSERT_EQ(block, acre_arena_resize(&arena, block, 1000, 10));
    EXPECT_EQ(10u, used(&arena));
    EXPECT_TRUE(all_are(block, 10, 7));
    EXPECT_EQ(block + 10, bytes(&arena, 1));
}

TEST(Resize, another_block_moves_to_grow)
{
    Arena arena;
    unsigned char *block = filled(&arena, 100, 7);
    unsigned char *newest = filled(&arena, 100, 8);
    unsigned char *moved = static_cast<unsigned char *>(acre_arena_resize(&arena, block, 100, 200));
    EXPECT_GE(moved, newest + 100);
    EXPECT_EQ(0u, address(moved) % ACRE_ARENA_ALIGN);
    EXPECT_TRUE(all_are(moved, 100, 7));
    std::memset(moved, 9, 200);
    EXPECT_TRUE(all_are(newest, 100, 8));
}

TEST(Resize, another_block_shrinks_where_it_is)
{
    Arena arena;
    unsigned char *block = filled(&arena, 100, 7);
    unsigned char *newest = filled(&arena, 100, 8);
    size_t before = used(&arena);
    EXPECT_EQ(block, acre_arena_resize(&arena, block, 100, 50));
    EXPECT_EQ(before, used(&arena));
    EXPECT_TRUE(all_are(block, 50, 7));
    EXPECT_TRUE(all_are(newest, 100, 8));
}

TEST(Resize, a_block_from_before_a_mark_moves_to_grow_and_survives_the_restore)
{
    Arena arena;
    unsigned char *block = filled(&arena, 100, 7);
    acre_arena_mark mark = acre_arena_save(&arena);
    void *moved = acre_arena_resize(&arena, block, 100, 200);
    EXPECT_NE(block, moved);
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(100u, used(&arena));
    EXPECT_TRUE(all_are(block, 100, 7));

    // The mark holds after the restore, too.
    moved = acre_arena_resize(&arena, block, 100, 200);
    EXPECT_NE(block, moved);
}

TEST(Resize, a_block_from_before_a_mark_shrinks_without_moving_the_mark)
{
    Arena arena;
    unsigned char *block = filled(&arena, 100, 7);
    acre_arena_mark mark = acre_arena_save(&arena);
    EXPECT_EQ(block, acre_arena_resize(&arena, block, 100, 40));
    EXPECT_EQ(100u, used(&arena));
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
}

TEST(Resize, a_block_made_after_the_mark_grows_in_place)
{
    Arena arena;
    filled(&arena, 100, 7);
    acre_arena_mark mark = acre_arena_save(&arena);
    unsigned char *block = filled(&arena, 10, 8);
    EXPECT_EQ(block, acre_arena_resize(&arena, block, 10, 1000));
    acre_arena_restore(&arena, mark);
    block = filled(&arena, 10, 9);
    EXPECT_EQ(block, acre_arena_resize(&arena, block, 10, 1000));
}

TEST(Resize, reset_forgets_marks)
{
    Arena arena;
    bytes(&arena, 1000);
    acre_arena_mark mark = acre_arena_save(&arena);
    (void)mark;
    acre_arena_reset(&arena);
    unsigned char *block = filled(&arena, 10, 8);
    EXPECT_EQ(block, acre_arena_resize(&arena, block, 10, 100));
}

TEST(Resize, null_allocates)
{
    Arena arena;
    void *block = acre_arena_resize(&arena, nullptr, 999, 10);
    ASSERT_NE(nullptr, block);
    EXPECT_EQ(0u, address(block) % ACRE_ARENA_ALIGN);
    EXPECT_EQ(10u, used(&arena) - (address(block) - arena.base));
    void *aligned = acre_arena_resize_aligned(&arena, nullptr, 0, 10, 256);
    EXPECT_EQ(0u, address(aligned) % 256);
}

TEST(Resize, to_and_from_size_0)
{
    Arena arena;
    void *block = acre_arena_alloc(&arena, 0);
    ASSERT_EQ(block, acre_arena_resize(&arena, block, 0, 100));
    ASSERT_EQ(block, acre_arena_resize(&arena, block, 100, 0));
    EXPECT_EQ(block, acre_arena_resize(&arena, block, 0, 0));
    EXPECT_EQ(address(block) - arena.base, used(&arena));
}

TEST(Resize, aligned_moves_a_block_that_is_not)
{
    Arena arena;
    bytes(&arena, 1);
    unsigned char *block = filled(&arena, 100, 7);
    void *moved = acre_arena_resize_aligned(&arena, block, 100, 200, 4096);
    EXPECT_EQ(0u, address(moved) % 4096);
    EXPECT_TRUE(all_are(moved, 100, 7));
    EXPECT_EQ(moved, acre_arena_resize_aligned(&arena, moved, 200, 400, 4096));

    block = filled(&arena, 100, 8);
    moved = acre_arena_resize_aligned(&arena, block, 100, 50, 4096);
    EXPECT_EQ(0u, address(moved) % 4096);
    EXPECT_TRUE(all_are(moved, 50, 8));
}

TEST(Resize, refused_leaves_the_block_and_the_arena)
{
    Arena arena(with_limit(1024));
    unsigned char *old = filled(&arena, 100, 6);
    unsigned char *block = filled(&arena, 100, 7);
    acre_arena before = arena;
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, block, 100, 925));
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, old, 100, 900));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_FULL), arena));
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, old, 100, SIZE_MAX));
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, block, 100, SIZE_MAX));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_BAD_SIZE), arena));
    EXPECT_EQ(nullptr, acre_arena_resize_aligned(&arena, block, 100, 110, 3));
    EXPECT_EQ(nullptr, acre_arena_resize_aligned(&arena, block, 100, 110, 0));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_BAD_ALIGNMENT), arena));
    EXPECT_TRUE(all_are(old, 100, 6));
    EXPECT_TRUE(all_are(block, 100, 7));
    EXPECT_EQ(block, acre_arena_resize(&arena, block, 100, 924));
}
