// What an arena tells of itself.
#include <sstream>
#include <string>

#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART(
    "Stats.used_and_peak Stats.committed_is_what_is_accessible "
    "Stats.owns_what_was_handed_out");

TEST(Stats, used_and_peak)
{
    Arena arena;
    bytes(&arena, 1000);
    acre_arena_mark mark = acre_arena_save(&arena);
    bytes(&arena, 5000);
    EXPECT_EQ(6000u, stats_of(&arena).used);
    EXPECT_EQ(6000u, stats_of(&arena).peak);
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(1000u, stats_of(&arena).used);
    EXPECT_EQ(6000u, stats_of(&arena).peak);
    acre_arena_reset(&arena);
    bytes(&arena, 100);
    EXPECT_EQ(100u, stats_of(&arena).used);
    EXPECT_EQ(6000u, stats_of(&arena).peak);
    void *block = bytes(&arena, 7000);
    acre_arena_resize(&arena, block, 7000, 1);
    EXPECT_EQ(101u, stats_of(&arena).used);
    EXPECT_EQ(7100u, stats_of(&arena).peak);
}

TEST(Stats, committed_reserved_and_resident)
{
    Arena arena(with_flags(ACRE_ARENA_NO_HUGE));
    std::memset(bytes(&arena, 10 * MIB), 1, 10 * MIB);
    bytes(&arena, 10 * MIB);
    acre_arena_stats stats = stats_of(&arena);
    EXPECT_EQ(options().reserve, stats.reserved);
    EXPECT_GE(stats.committed, 20 * MIB);
    EXPECT_LE(stats.committed, stats.reserved);
    EXPECT_EQ(0u, stats.committed % acre_page_size());
    EXPECT_GE(stats.resident, 10 * MIB);
    EXPECT_LE(stats.resident, 11 * MIB);
    EXPECT_GE(stats.commits, 2u);
}

TEST(Stats, committed_is_what_is_accessible)
{
    Arena arena;
    bytes(&arena, 5 * MIB);
    acre_arena_stats stats = stats_of(&arena);
    // The reservation begins at most 64 KiB below the first byte.
    uintptr_t first = arena.base;
    while (permissions(reinterpret_cast<const void *>(first - 1)) == "rw-p" &&
           arena.base - first < 64 * KIB)
        first--;
    EXPECT_EQ("rw-p", permissions(reinterpret_cast<const void *>(arena.limit - 1)));
    EXPECT_EQ("---p", permissions(reinterpret_cast<const void *>(arena.limit)));
    EXPECT_LE(stats.committed, arena.limit - arena.base + 64 * KIB);
    EXPECT_GE(stats.committed, arena.limit - arena.base);
}

TEST(Stats, the_name_is_copied)
{
    char name[64] = "parser";
    acre_arena_opts opts = options();
    opts.name = name;
    Arena arena(opts);
    std::memset(name, 'x', 63);
    Arena longer(opts);
    EXPECT_STREQ("parser", stats_of(&arena).name);
    EXPECT_STREQ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", stats_of(&longer).name);
    Arena unnamed;
    EXPECT_STREQ("", stats_of(&unnamed).name);
}

TEST(Stats, owns_what_was_handed_out)
{
    Arena arena;
    EXPECT_FALSE(acre_arena_owns(&arena, reinterpret_cast<const void *>(arena.base)));
    unsigned char *block = bytes(&arena, 100);
    EXPECT_TRUE(acre_arena_owns(&arena, block));
    EXPECT_TRUE(acre_arena_owns(&arena, block + 99));
    EXPECT_FALSE(acre_arena_owns(&arena, block + 100));
    EXPECT_FALSE(acre_arena_owns(&arena, block - 1));
    EXPECT_FALSE(acre_arena_owns(&arena, nullptr));
    EXPECT_FALSE(acre_arena_owns(&arena, &arena));
    EXPECT_FALSE(acre_arena_owns(&arena, reinterpret_cast<const void *>(UINTPTR_MAX)));
    acre_arena_reset(&arena);
    EXPECT_FALSE(acre_arena_owns(&arena, block));
}

TEST(Stats, status_is_the_newest_refusal)
{
    Arena arena(with_limit(1000));
    EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
    bytes(&arena, 1001);
    EXPECT_EQ(ACRE_FULL, acre_arena_status(&arena));
    bytes(&arena, 1);
    EXPECT_EQ(ACRE_FULL, acre_arena_status(&arena));
    acre_arena_alloc_aligned(&arena, 1, 3);
    EXPECT_EQ(ACRE_BAD_ALIGNMENT, acre_arena_status(&arena));
    acre_arena_calloc(&arena, SIZE_MAX, 2, 1);
    EXPECT_EQ(ACRE_BAD_SIZE, acre_arena_status(&arena));
    acre_arena_restore(&arena, acre_arena_mark{});
    EXPECT_EQ(ACRE_STALE, acre_arena_status(&arena));
    acre_arena_reset(&arena);
    EXPECT_EQ(ACRE_STALE, acre_arena_status(&arena));
}

TEST(Stats, errno_is_left_alone)
{
    errno = 77;
    {
        Arena arena(with_limit(MIB));
        while (bytes(&arena, 1000) != nullptr)
            continue;
        acre_arena_reset(&arena);
        EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
        stats_of(&arena);
    }
    EXPECT_EQ(77, errno);
}

acre_status append(const char *text, size_t count, void *context)
{
    static_cast<std::string *>(context)->append(text, count);
    return ACRE_OK;
}

acre_status stop(const char *, size_t, void *calls)
{
    ++*static_cast<int *>(calls);
    return ACRE_FULL;
}

TEST(Stats, report_has_what_is_read)
{
    acre_arena_opts opts = options();
    opts.name = "a\"b\\c\td\xe4";
    Arena arena(opts);
    bytes(&arena, 1000);
    std::string text;
    ASSERT_EQ(ACRE_OK, acre_arena_report(&arena, append, &text));
    acre_arena_stats stats = stats_of(&arena);
    std::ostringstream expected;
    expected << "{\"base\":\"0x" << std::hex << arena.base << std::dec
             << "\",\"name\":\"a\\\"b\\\\c\\u0009d\\u00e4\",\"used\":" << stats.used
             << ",\"peak\":" << stats.peak << ",\"committed\":" << stats.committed
             << ",\"reserved\":" << stats.reserved << ",\"resident\":" << stats.resident
             << ",\"commits\":" << stats.commits << "}\n";
    EXPECT_EQ(expected.str(), text);
}

TEST(Stats, report_of_all_has_what_is_read)
{
    Arena arena;
    std::string text;
    ASSERT_EQ(ACRE_OK, acre_arena_totals_report(append, &text));
    acre_arena_totals totals;
    acre_arena_totals_read(&totals);
    EXPECT_GE(totals.arenas, 1u);
    std::ostringstream expected;
    expected << "{\"arenas\":" << totals.arenas << ",\"reserved\":" << totals.reserved
             << ",\"committed\":" << totals.committed << ",\"cached\":" << totals.cached
             << ",\"cached_committed\":" << totals.cached_committed << "}\n";
    EXPECT_EQ(expected.str(), text);
}

TEST(Stats, report_of_an_all_zero_arena_is_zero)
{
    acre_arena none = {};
    std::string text;
    ASSERT_EQ(ACRE_OK, acre_arena_report(&none, append, &text));
    EXPECT_EQ(
        "{\"base\":\"0x0\",\"name\":\"\",\"used\":0,\"peak\":0,\"committed\":0,\"reserved\":0,"
        "\"resident\":0,\"commits\":0}\n",
        text);
}

TEST(Stats, report_ends_when_the_writer_says_so)
{
    Arena arena;
    int calls = 0;
    EXPECT_EQ(ACRE_FULL, acre_arena_report(&arena, stop, &calls));
    EXPECT_EQ(1, calls);
    EXPECT_EQ(ACRE_FULL, acre_arena_totals_report(stop, &calls));
    EXPECT_EQ(2, calls);
    EXPECT_EQ(ACRE_NULL_ARGUMENT, acre_arena_report(&arena, nullptr, nullptr));
    EXPECT_EQ(ACRE_NULL_ARGUMENT, acre_arena_totals_report(nullptr, nullptr));
}
