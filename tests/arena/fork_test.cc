// What the child of a fork finds.
#include <vector>

#include "acre/arena_printf.h"
#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART("Fork.a_wiped_arena_reads_zero_in_the_child_and_goes_on");
SKIP_WITHOUT_ADVICE(
    "Fork.an_absent_arena_can_only_be_destroyed_in_the_child "
    "Fork.an_absent_arena_has_no_stale_marks_in_the_child "
    "Fork.an_absent_arena_makes_no_block_out_of_line_in_the_child");

namespace {

std::vector<int> ran;

void run(void *argument)
{
    ran.push_back(*static_cast<int *>(argument));
}

int one = 1;
int two = 2;

}  // namespace

TEST(Fork, a_plain_arena_goes_on_in_both)
{
    Arena arena;
    unsigned char *block = bytes(&arena, 1000);
    std::memset(block, 7, 1000);
    in_child_expect([&] {
        EXPECT_TRUE(all_are(block, 1000, 7));
        std::memset(block, 8, 1000);
        EXPECT_NE(nullptr, bytes(&arena, 10 * MIB));
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    });
    EXPECT_TRUE(all_are(block, 1000, 7));
    EXPECT_NE(nullptr, bytes(&arena, 10 * MIB));
}

TEST(Fork, a_wiped_arena_reads_zero_in_the_child_and_goes_on)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot wipe memory at fork";
    Arena arena(with_flags(ACRE_ARENA_WIPE_ON_FORK));
    acre_arena_mark empty = acre_arena_save(&arena);
    unsigned char *block = bytes(&arena, 1000);
    std::memset(block, 7, 1000);
    in_child_expect([&] {
        EXPECT_TRUE(all_are(block, 1000, 0));
        EXPECT_EQ(1000u, used(&arena));
        unsigned char *more = bytes(&arena, 10 * MIB);
        std::memset(more, 1, 10 * MIB);
        acre_arena_restore(&arena, empty);
        EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
        EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 20 * MIB, 1), 20 * MIB, 0));
        EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
        const void *core = arena.core;
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        EXPECT_EQ("", permissions(block));
        EXPECT_EQ("", permissions(core));
    });
    EXPECT_TRUE(all_are(block, 1000, 7));
}

TEST(Fork, a_wiped_arena_forgets_deferred_calls_in_the_child)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot wipe memory at fork";
    ran.clear();
    Arena arena(with_flags(ACRE_ARENA_WIPE_ON_FORK));
    acre_arena_mark empty = acre_arena_save(&arena);
    ASSERT_EQ(ACRE_OK, acre_arena_defer(&arena, run, &one));
    acre_arena_mark mark = acre_arena_save(&arena);
    in_child_expect([&] {
        ASSERT_EQ(ACRE_OK, acre_arena_defer(&arena, run, &two));
        acre_arena_restore(&arena, mark);
        EXPECT_EQ((std::vector<int>{2}), ran);
        ASSERT_EQ(ACRE_OK, acre_arena_defer(&arena, run, &two));
        acre_arena_restore(&arena, empty);
        EXPECT_EQ((std::vector<int>{2, 2}), ran);
        acre_arena_reset(&arena);
        EXPECT_EQ(2u, ran.size());
    });
    acre_arena_reset(&arena);
    EXPECT_EQ((std::vector<int>{1}), ran);
}

TEST(Fork, an_absent_arena_makes_no_block_out_of_line_in_the_child)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot tell the arena of the fork";
    Arena arena(with_flags(ACRE_ARENA_DONT_FORK));
    unsigned char *block = bytes(&arena, 1000);
    bytes(&arena, 1);
    // All of them small: the parent would serve them inline.
    const std::function<void *()> calls[] = {
        [&] { return acre_arena_alloc_slow(&arena, 0, 1); },
        [&] { return acre_arena_calloc(&arena, 2, 8, 8); },
        [&] { return acre_arena_calloc(&arena, 0, 8, 8); },
        [&] { return acre_arena_memdup(&arena, "x", 1); },
        [&] { return acre_arena_strdup(&arena, "x"); },
        [&] { return acre_arena_strndup(&arena, "xy", 1); },
        [&] { return acre_arena_resize(&arena, nullptr, 0, 8); },
        [&] { return acre_arena_resize(&arena, block, 1000, 1001); },
        [&] { return acre_arena_resize(&arena, block, 1000, 999); },
        [&] { return acre_arena_resize_aligned(&arena, nullptr, 0, 8, 64); },
        [&] { return acre_arena_resize_aligned(&arena, block, 1000, 1001, 4096); },
        [&] { return acre_arena_printf(&arena, "%d", 1); },
        [&] { return acre_arena_printf(&arena, "%300d", 1); },
    };
    int number = 0;
    for (const std::function<void *()> &call : calls) {
        SCOPED_TRACE(number++);
        in_child_expect([&] {
            acre_arena before = but_status(arena, ACRE_BAD_STATE);
            EXPECT_EQ(nullptr, call());
            EXPECT_TRUE(unchanged(before, arena));
            EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        });
    }
}

TEST(Fork, an_absent_arena_has_no_stale_marks_in_the_child)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot tell the arena of the fork";
    Arena arena(with_flags(ACRE_ARENA_DONT_FORK));
    acre_arena_mark stale = acre_arena_save(&arena);
    acre_arena_reset(&arena);
    in_child_expect([&] {
        acre_arena before = but_status(arena, ACRE_BAD_STATE);
        acre_arena_restore(&arena, stale);
        EXPECT_TRUE(unchanged(before, arena));
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    });
}

TEST(Fork, where_an_absent_arena_was_other_memory_can_lie_in_the_child)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot tell the arena of the fork";
    if (emulated())
        GTEST_SKIP() << "to an emulator the arena is still there";
    acre_arena_opts whole = {};
    whole.flags = ACRE_ARENA_DONT_FORK;
    for (const acre_arena_opts &opts : {with_flags(ACRE_ARENA_DONT_FORK), whole}) {
        Arena arena(opts);
        acre_arena_mark mark = acre_arena_save(&arena);
        bytes(&arena, MIB);
        acre_arena_restore(&arena, mark);
        bytes(&arena, 100);
        in_child_expect([&] {
            acre_mmap_opts there = {};
            there.flags = ACRE_MAP_FIXED;
            there.address = reinterpret_cast<void *>(arena.base / (64 * KIB) * (64 * KIB));
            EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
            // AddressSanitizer had noted what was taken back, and what lies between blocks.
            acre_mmap map;
            ASSERT_EQ(ACRE_OK, acre_mmap_anon(2 * MIB, ACRE_READ_WRITE, &there, &map));
            std::memset(map.base, 1, map.size);
            EXPECT_TRUE(all_are(map.base, map.size, 1));
            EXPECT_EQ(ACRE_OK, acre_mmap_unmap(&map));
        });
    }
}

// A checker's marks of an arena that the child did not get lie where the child's own ones go.
TEST(Fork, the_child_makes_arenas_where_an_absent_one_was)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot tell the arena of the fork";
    acre_arena_opts opts = with_flags(ACRE_ARENA_DONT_FORK);
    opts.reserve = 4 * MIB;
    Arena arena(opts);
    acre_arena_mark mark = acre_arena_save(&arena);
    ASSERT_NE(nullptr, bytes(&arena, 3 * MIB));
    acre_arena_restore(&arena, mark);
    in_child_expect([&] {
        auto is_there = [&](const void *address) {
            return reinterpret_cast<uintptr_t>(address) - arena.base < 3 * MIB;
        };
        acre_arena_opts small = with_flags(ACRE_ARENA_DONT_FORK | ACRE_ARENA_NO_CACHE);
        small.reserve = 8 * MIB;
        // Gaps above are filled first, for the next page to lie where the parent's arena does.
        acre_mmap page = {};
        for (int i = 0; i < 100000 && !is_there(page.base); i++)
            ASSERT_EQ(ACRE_OK, acre_mmap_anon(acre_page_size(), ACRE_NONE, nullptr, &page));
        ASSERT_EQ(ACRE_OK, acre_mmap_unmap(&page));
        std::vector<acre_arena> own;
        bool has_core_there = false;
        while (!has_core_there && own.size() < 200) {
            own.emplace_back();
            ASSERT_EQ(ACRE_OK, acre_arena_create(&small, &own.back()));
            has_core_there = is_there(own.back().core);
            std::memset(bytes(&own.back(), 100), 1, 100);
        }
        EXPECT_TRUE(has_core_there || !SANITIZED);
        for (acre_arena &each : own)
            EXPECT_EQ(ACRE_OK, acre_arena_destroy(&each));
    });
}

TEST(Fork, an_absent_arena_can_only_be_destroyed_in_the_child)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot tell the arena of the fork";
    ran.clear();
    Arena arena(with_flags(ACRE_ARENA_DONT_FORK));
    acre_arena_mark mark = acre_arena_save(&arena);
    unsigned char *block = bytes(&arena, 1000);
    std::memset(block, 7, 1000);
    ASSERT_EQ(ACRE_OK, acre_arena_defer(&arena, run, &one));
    in_child_expect([&] {
        EXPECT_EQ("", permissions(block));
        acre_arena before = but_status(arena, ACRE_BAD_STATE);
        EXPECT_EQ(nullptr, acre_arena_alloc_slow(&arena, 8, 8));
        EXPECT_EQ(nullptr, acre_arena_resize(&arena, block, 1000, 2000));
        EXPECT_EQ(ACRE_BAD_STATE, acre_arena_ensure(&arena, 8));
        EXPECT_EQ(ACRE_BAD_STATE, acre_arena_trim(&arena, 0));
        EXPECT_EQ(ACRE_BAD_STATE, acre_arena_prefault(&arena, 8));
        EXPECT_EQ(ACRE_BAD_STATE, acre_arena_defer(&arena, run, &two));
        arena.status = ACRE_OK;
        acre_arena_restore(&arena, mark);
        EXPECT_TRUE(unchanged(before, arena));
        arena.status = ACRE_OK;
        acre_arena_reset(&arena);
        EXPECT_TRUE(unchanged(before, arena));
        arena.status = ACRE_OK;
        acre_arena_mark none = acre_arena_save(&arena);
        EXPECT_TRUE(all_are(&none, sizeof none, 0));
        EXPECT_TRUE(unchanged(before, arena));
        EXPECT_EQ(0u, stats_of(&arena).committed);

        const void *core = arena.core;
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        EXPECT_TRUE(unchanged(acre_arena{}, arena));
        EXPECT_EQ("", permissions(core));
        EXPECT_TRUE(ran.empty());
    });
    EXPECT_TRUE(all_are(block, 1000, 7));
    EXPECT_NE(nullptr, bytes(&arena, 10 * MIB));
    acre_arena_restore(&arena, mark);
    EXPECT_EQ((std::vector<int>{1}), ran);
    EXPECT_EQ(0u, used(&arena));
}
