// What creation gives, what it refuses, and what it costs.
#include <set>
#include <vector>

#include "tests/arena/arena_test.h"

using namespace acre_test;

static_assert(sizeof(acre_arena) == 64, "one cache line");
static_assert(sizeof(acre_arena_mark) == 2 * sizeof(void *), "pinned");
static_assert(sizeof(acre_arena_opts) == (sizeof(void *) == 8 ? 96 : 68), "pinned");
static_assert(sizeof(acre_arena_stats) == (sizeof(void *) == 8 ? 80 : 64), "pinned");

namespace {

void expect_refused(const acre_arena_opts &opts, acre_status status)
{
    acre_arena arena;
    std::memset(&arena, 0xee, sizeof arena);
    acre_arena before = arena;
    size_t areas = areas_now();
    EXPECT_EQ(status, acre_arena_create(&opts, &arena));
    EXPECT_TRUE(unchanged(before, arena));
    EXPECT_EQ(areas, areas_now());
}

uint64_t address_space()
{
    acre_system system;
    EXPECT_EQ(ACRE_OK, acre_system_read(&system));
    return uint64_t(1) << system.address_bits;
}

uint64_t default_size()
{
    return std::min(address_space() / 64, uint64_t(64) << 30);
}

// Of which a test cannot take most.
bool has_few_addresses()
{
    return sizeof(void *) == 4 || emulated() || SANITIZED;
}

// Two arenas that hold five eighths of the address space, if there is room for them.
bool take_most_addresses(uint32_t flags, acre_arena (&out)[2])
{
    acre_arena_opts opts = {};
    opts.flags = flags;
    opts.reserve = opts.reserve_least = static_cast<size_t>(address_space() / 16 * 5);
    if (acre_arena_create(&opts, &out[0]) != ACRE_OK)
        return false;
    if (acre_arena_create(&opts, &out[1]) == ACRE_OK)
        return true;
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&out[0]));
    return false;
}

}  // namespace

TEST(Create, by_default_reserves_64_gibibytes_or_a_64th_of_the_address_space)
{
    if (emulated())
        GTEST_SKIP() << "emulators may refuse, and take long over, a reservation this large";
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_create(nullptr, &arena));
    EXPECT_EQ(default_size(), stats_of(&arena).reserved);
    EXPECT_EQ(0u, stats_of(&arena).used);
    EXPECT_NE(nullptr, acre_arena_alloc(&arena, 100));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

TEST(Create, rounds_the_reservation_up_to_pages)
{
    for (size_t reserve : {size_t(1), size_t(4097), 10 * MIB, 10 * MIB + 1}) {
        acre_arena_opts opts = {};
        opts.reserve = reserve;
        Arena arena(opts);
        size_t page = acre_page_size();
        EXPECT_EQ((reserve + page - 1) / page * page, stats_of(&arena).reserved);
        EXPECT_NE(nullptr, acre_arena_alloc(&arena, 1000));
    }
}

TEST(Create, an_absurd_reservation_is_halved_until_it_fits)
{
    if (emulated() || SANITIZED)
        GTEST_SKIP() << "takes most of the address space";
    const size_t absurd[] = {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 2 - 1, SIZE_MAX / 2 - MIB};
    for (size_t reserve : absurd) {
        acre_arena_opts opts = {};
        opts.reserve = reserve;
        Arena arena(opts);
        // Where there are 2 GiB the program itself lies somewhere in the middle.
        EXPECT_GE(stats_of(&arena).reserved, sizeof(void *) == 4 ? 256 * MIB : GIB);
        EXPECT_LE(stats_of(&arena).reserved, address_space() / 4 * 3);
    }
}

TEST(Create, costs_two_areas)
{
    if (emulated())
        GTEST_SKIP() << "areas are not the kernel's own here";
    size_t before = areas_now();
    {
        Arena one(fresh());
        Arena two(fresh());
        Arena three(fresh());
        for (acre_arena *arena : {static_cast<acre_arena *>(&one), static_cast<acre_arena *>(&two),
                                  static_cast<acre_arena *>(&three)}) {
            for (size_t i = 0; i < 100; i++)
                ASSERT_NE(nullptr, bytes(arena, MIB));
        }
        EXPECT_LE(areas_now(), before + 6);
        acre_arena_reset(&one);
        EXPECT_EQ(ACRE_OK, acre_arena_trim(&one, 0));
        EXPECT_EQ(ACRE_OK, acre_arena_trim(&two, 0));
        EXPECT_LE(areas_now(), before + 6);
    }
    EXPECT_EQ(before, areas_now());
}

TEST(Create, commits_little_and_touches_less)
{
    Arena arena(fresh());
    EXPECT_LE(stats_of(&arena).committed, std::max(64 * KIB, acre_page_size()));
    EXPECT_LE(stats_of(&arena).resident, 2 * acre_page_size());
}

TEST(Create, a_limit_bounds_what_is_committed)
{
    acre_arena_opts opts = fresh();
    opts.limit = 1;
    Arena arena(opts);
    EXPECT_LE(stats_of(&arena).committed, 36 * KIB + acre_page_size());
}

TEST(Create, growth_takes_few_commits)
{
    for (uint32_t flags : {uint32_t(0), uint32_t(ACRE_ARENA_NO_HUGE)}) {
        Arena arena(with_flags(ACRE_ARENA_NO_CACHE | flags));
        while (used(&arena) < 100 * MIB)
            ASSERT_NE(nullptr, bytes(&arena, 10000));
        EXPECT_LE(stats_of(&arena).commits, 45u);
        EXPECT_LE(stats_of(&arena).committed, used(&arena) + 11 * MIB);
    }
}

TEST(Create, starts_are_coloured)
{
    std::set<uintptr_t> starts;
    for (int i = 0; i < 64; i++) {
        Arena arena(fresh());
        EXPECT_EQ(0u, arena.base % ACRE_ARENA_LINE);
        starts.insert(arena.base % (32 * KIB));
    }
    EXPECT_GE(starts.size(), 60u);
}

TEST(Create, unknown_and_contradictory_flags_are_refused)
{
    expect_refused(with_flags(1u << 9), ACRE_BAD_OPTION);
    expect_refused(with_flags(1u << 31), ACRE_BAD_OPTION);
    expect_refused(with_flags(ACRE_ARENA_HUGE | ACRE_ARENA_NO_HUGE), ACRE_BAD_OPTION);
    expect_refused(with_flags(ACRE_ARENA_WIPE_ON_FORK | ACRE_ARENA_DONT_FORK), ACRE_BAD_OPTION);
}

TEST(Create, reserved_words_must_be_zero)
{
    for (size_t i = 0; i < 8; i++) {
        acre_arena_opts opts = options();
        opts.reserved[i] = 1;
        expect_refused(opts, ACRE_BAD_OPTION);
    }
}

TEST(Create, the_least_cannot_exceed_the_reservation)
{
    acre_arena_opts opts = options();
    opts.reserve_least = opts.reserve + 1;
    expect_refused(opts, ACRE_BAD_OPTION);
    opts.reserve = 0;
    opts.reserve_least = SIZE_MAX;
    expect_refused(opts, ACRE_BAD_OPTION);
}

TEST(Create, wishes_never_fail)
{
    acre_arena_opts opts = with_flags(ACRE_ARENA_NO_CACHE);
    opts.node_plus_one = 1000;
    Arena arena(opts);
    EXPECT_NE(nullptr, acre_arena_alloc(&arena, 100));
}

TEST(Create, destroy_clears_the_struct_and_unmaps)
{
    acre_arena_opts opts = fresh();
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
    const void *first = reinterpret_cast<const void *>(arena.base);
    EXPECT_EQ("rw-p", permissions(first));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    EXPECT_TRUE(unchanged(acre_arena{}, arena));
    EXPECT_EQ("", permissions(first));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

TEST(Create, two_thousand_arenas_leave_the_program_its_addresses)
{
    if (has_few_addresses())
        GTEST_SKIP() << "takes most of the address space";
    acre_system system;
    ASSERT_EQ(ACRE_OK, acre_system_read(&system));
    if (system.memory_limit != 0 && system.memory_limit / 2000 < 2 * acre_page_size())
        GTEST_SKIP() << "pages are too large for this control group";
    std::vector<acre_arena> arenas(2000);
    for (acre_arena &arena : arenas) {
        ASSERT_EQ(ACRE_OK, acre_arena_create(nullptr, &arena));
        ASSERT_NE(nullptr, acre_arena_alloc(&arena, 1000));
    }
    acre_mmap mine;
    ASSERT_EQ(ACRE_OK, acre_mmap_reserve(static_cast<size_t>(address_space() / 8), ACRE_NONE,
                                         nullptr, &mine));
    EXPECT_EQ(ACRE_OK, acre_mmap_unmap(&mine));
    for (acre_arena &arena : arenas)
        ASSERT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    // All of it is there again.
    ASSERT_EQ(ACRE_OK, acre_arena_create(nullptr, &arenas[0]));
    EXPECT_EQ(default_size(), stats_of(&arenas[0]).reserved);
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arenas[0]));
}

TEST(Create, what_the_cache_holds_makes_no_reservation_smaller)
{
    if (has_few_addresses())
        GTEST_SKIP() << "takes most of the address space";
    acre_arena large[2];
    if (!take_most_addresses(0, large))
        GTEST_SKIP() << "no such room here";
    for (acre_arena &arena : large)
        ASSERT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_create(nullptr, &arena));
    EXPECT_EQ(default_size(), stats_of(&arena).reserved);
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

TEST(Create, what_was_made_small_is_not_taken_when_addresses_are_plenty)
{
    if (has_few_addresses())
        GTEST_SKIP() << "takes most of the address space";
    acre_arena_cache_trim();
    acre_arena large[2];
    if (!take_most_addresses(ACRE_ARENA_NO_HUGE, large))  // such are not kept
        GTEST_SKIP() << "no such room here";
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_create(nullptr, &arena));
    EXPECT_GT(uint64_t(64) << 30, stats_of(&arena).reserved);
    ASSERT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    for (acre_arena &one : large)
        ASSERT_EQ(ACRE_OK, acre_arena_destroy(&one));
    ASSERT_EQ(ACRE_OK, acre_arena_create(nullptr, &arena));
    EXPECT_EQ(default_size(), stats_of(&arena).reserved);
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

TEST(Create, demanded_reservations_leave_a_quarter_of_the_address_space)
{
    if (has_few_addresses())
        GTEST_SKIP() << "takes most of the address space";
    acre_arena_opts opts = {};
    opts.reserve = static_cast<size_t>(address_space() / 16);
    opts.reserve_least = opts.reserve;
    std::vector<acre_arena> arenas;
    acre_arena arena;
    acre_status status;
    while ((status = acre_arena_create(&opts, &arena)) == ACRE_OK)
        arenas.push_back(arena);
    EXPECT_EQ(-ENOMEM, status);
    acre_mmap mine;
    ASSERT_EQ(ACRE_OK, acre_mmap_reserve(static_cast<size_t>(address_space() / 8), ACRE_NONE,
                                         nullptr, &mine));
    EXPECT_EQ(ACRE_OK, acre_mmap_unmap(&mine));
    EXPECT_GE(arenas.size(), 10u);
    for (acre_arena &one : arenas)
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&one));
}
