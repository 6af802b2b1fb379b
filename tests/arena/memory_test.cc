// Reset keeps what it was told to keep; trim gives memory back; the kernel agrees.
#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART(
    "Memory.ensure_commits_ahead Memory.the_arena_grows_again_after_a_reset "
    "Memory.trim_gives_back_what_lies_beyond_the_cursor");

namespace {

void use(acre_arena *arena, size_t size)
{
    unsigned char *block = bytes(arena, size);
    ASSERT_NE(nullptr, block);
    std::memset(block, 0xff, size);
}

acre_arena_opts keeping(size_t keep)
{
    acre_arena_opts opts = with_flags(ACRE_ARENA_NO_HUGE);
    opts.keep = keep;
    return opts;
}

// Bytes that a reset leaves committed and resident of 64 MiB used.
acre_arena_stats after_reset(size_t keep)
{
    Arena arena(keeping(keep));
    use(&arena, 64 * MIB);
    EXPECT_GE(stats_of(&arena).resident, 64 * MIB);
    acre_arena_reset(&arena);
    EXPECT_EQ(0u, used(&arena));
    return stats_of(&arena);
}

}  // namespace

TEST(Memory, reset_keeps_16_mebibytes_by_default)
{
    acre_arena_stats stats = after_reset(0);
    EXPECT_GE(stats.committed, 16 * MIB);
    EXPECT_LE(stats.committed, 17 * MIB);
    EXPECT_LE(stats.resident, 17 * MIB);
}

TEST(Memory, reset_keeps_as_much_as_it_was_told_to)
{
    EXPECT_GE(after_reset(SIZE_MAX).committed, 64 * MIB);
    EXPECT_GE(after_reset(SIZE_MAX).resident, 64 * MIB);
    EXPECT_GE(after_reset(3 * MIB).committed, 3 * MIB);
    EXPECT_LE(after_reset(3 * MIB).committed, 3 * MIB + 64 * KIB + acre_page_size());
    EXPECT_LE(after_reset(1).committed, 64 * KIB + acre_page_size());
    EXPECT_LE(after_reset(1).resident, 64 * KIB + acre_page_size());
}

TEST(Memory, reset_returns_memory_to_the_system)
{
    if (emulated())
        GTEST_SKIP() << "no VmFlags: residency is not the kernel's own";
    Arena arena(keeping(1));
    use(&arena, 64 * MIB);
    size_t before = status_bytes("VmRSS");
    acre_arena_reset(&arena);
    EXPECT_LE(status_bytes("VmRSS") + 60 * MIB, before);
}

TEST(Memory, the_arena_grows_again_after_a_reset)
{
    Arena arena(keeping(1));
    for (int i = 0; i < 10; i++) {
        use(&arena, 5 * MIB);
        acre_arena_reset(&arena);
    }
    EXPECT_EQ(5 * MIB, stats_of(&arena).peak);
}

TEST(Memory, trim_gives_back_what_lies_beyond_the_cursor)
{
    Arena arena(keeping(SIZE_MAX));
    unsigned char *block = bytes(&arena, 100000);
    std::memset(block, 7, 100000);
    acre_arena_mark mark = acre_arena_save(&arena);
    use(&arena, 64 * MIB);
    acre_arena_restore(&arena, mark);
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
    EXPECT_LE(stats_of(&arena).committed, 200 * KIB);
    EXPECT_LE(stats_of(&arena).resident, 200 * KIB);
    EXPECT_TRUE(all_are(block, 100000, 7));
    EXPECT_EQ(0u, arena.limit % ACRE_ARENA_LINE);

    // What was given back cannot be touched, until it is handed out again.
    unsigned char *beyond = reinterpret_cast<unsigned char *>(arena.limit);
    EXPECT_NE(0, signal_of_write(beyond));
    use(&arena, 64 * MIB);
    EXPECT_TRUE(all_are(block, 100000, 7));
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
}

TEST(Memory, trim_keeps_as_much_as_it_was_told_to)
{
    Arena arena(keeping(SIZE_MAX));
    use(&arena, 64 * MIB);
    acre_arena_reset(&arena);
    for (size_t keep : {SIZE_MAX, SIZE_MAX - 1, 65 * MIB}) {
        ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, keep));
        EXPECT_GE(stats_of(&arena).committed, 64 * MIB);
    }
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 5 * MIB));
    EXPECT_GE(stats_of(&arena).committed, 5 * MIB);
    EXPECT_LE(stats_of(&arena).committed, 6 * MIB);
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 5 * MIB));
    EXPECT_NE(nullptr, bytes(&arena, 10 * MIB));
}

TEST(Memory, ensure_commits_ahead)
{
    Arena arena;
    bytes(&arena, 100);
    ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arena, 50 * MIB));
    EXPECT_EQ(100u, used(&arena));
    uint64_t commits = stats_of(&arena).commits;
    size_t committed = stats_of(&arena).committed;
    ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arena, 50 * MIB));
    for (int i = 0; i < 50; i++)
        ASSERT_NE(nullptr, bytes(&arena, MIB));
    EXPECT_EQ(commits, stats_of(&arena).commits);
    EXPECT_EQ(committed, stats_of(&arena).committed);
}
