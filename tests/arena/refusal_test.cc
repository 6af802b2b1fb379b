// When the system refuses addresses or memory: smaller reservations, NULL, an arena that goes on.

#include <vector>

#include "tests/arena/arena_test.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

bool unlimit(int resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit) == 0;
}

// `body` runs in a child that may have `more` bytes of addresses than it has now, and nothing in
// the cache.
void with_addresses(size_t more, const std::function<void()> &body)
{
    in_child_expect([&] {
        acre_arena_cache_limit(0);
        ASSERT_TRUE(limit_to(RLIMIT_AS, status_bytes("VmSize") + more));
        body();
    });
}

// … or of writable memory.
void with_memory(size_t more, const std::function<void()> &body)
{
    in_child_expect([&] {
        acre_arena_cache_limit(0);
        ASSERT_TRUE(limit_to(RLIMIT_DATA, status_bytes("VmData") + more));
        body();
    });
}

// `body` runs in a child that may not have another memory area, and nothing in the cache; what it
// notes is looked at by `after`, which may.
void without_areas(const std::function<void()> &before, const std::function<void()> &body,
                   const std::function<void()> &after)
{
    acre_system system;
    ASSERT_EQ(ACRE_OK, acre_system_read(&system));
    if (system.area_limit == 0 || system.area_limit > 200000)
        GTEST_SKIP() << "no limit of memory areas to reach";
    in_child_expect([&] {
        acre_arena_cache_trim();
        before();
        // Neighbours that differ: an area each.
        std::vector<acre_mmap> areas(static_cast<size_t>(system.area_limit) + 1);
        size_t count = 0;
        while (count < areas.size() && acre_mmap_anon(1, count % 2 ? ACRE_READ : ACRE_NONE, nullptr,
                                                      &areas[count]) == ACRE_OK)
            count++;
        body();
        acre_status cleared = ACRE_OK;
        while (count > 0 && cleared == ACRE_OK)
            cleared = acre_mmap_unmap(&areas[--count]);
        EXPECT_EQ(ACRE_OK, cleared);
        after();
    });
}

bool is_want_of_areas(acre_status status)
{
    return status == -ENOMEM || status == ACRE_TOO_MANY_AREAS;
}

// Leaves three arenas with 15 MiB each in the cache.
void fill_cache()
{
    acre_arena arenas[3];
    acre_arena_opts opts = options();
    for (acre_arena &arena : arenas) {
        ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
        ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arena, 15 * MIB));
    }
    for (acre_arena &arena : arenas)
        ASSERT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    ASSERT_EQ(3u, totals().cached);
}

// As large as those in the cache, nearly, and nothing of them.
acre_arena_opts unlike_cached(uint32_t flags)
{
    acre_arena_opts opts = with_flags(flags);
    opts.reserve -= MIB;
    opts.reserve_least = opts.reserve;
    return opts;
}

class Refusal : public testing::Test {
  protected:
    void SetUp() override
    {
        if (SANITIZED || emulated())
            GTEST_SKIP() << "a limit on memory would stop the sanitizer or emulator, too";
    }
};

}  // namespace

TEST_F(Refusal, the_reservation_is_halved_until_it_fits)
{
    with_addresses(GIB, [] {
        acre_arena_opts opts = {};
        opts.reserve = sizeof(void *) == 4 ? GIB : 64 * GIB;
        acre_arena arena;
        ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
        EXPECT_LE(stats_of(&arena).reserved, GIB);
        EXPECT_GT(stats_of(&arena).reserved, GIB / 4);
        EXPECT_NE(nullptr, bytes(&arena, 10 * MIB));
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    });
}

TEST_F(Refusal, the_least_itself_is_tried)
{
    with_addresses(900 * MIB, [] {
        acre_arena_opts opts = {};
        opts.reserve = GIB;
        opts.reserve_least = 768 * MIB;
        Arena arena(opts);
        EXPECT_EQ(768 * MIB, stats_of(&arena).reserved);
    });
}

TEST_F(Refusal, below_the_least_nothing_is_made)
{
    with_addresses(100 * MIB, [] {
        acre_arena_opts opts = {};
        opts.reserve = GIB;
        opts.reserve_least = 150 * MIB;
        acre_arena arena = {};
        size_t areas = areas_now();
        EXPECT_EQ(-ENOMEM, acre_arena_create(&opts, &arena));
        EXPECT_TRUE(unchanged(acre_arena{}, arena));
        EXPECT_EQ(areas, areas_now());
    });
    with_addresses(8 * MIB, [] {
        acre_arena arena = {};
        EXPECT_EQ(-ENOMEM, acre_arena_create(nullptr, &arena));
    });
}

TEST_F(Refusal, what_was_refused_is_not_counted_as_taken)
{
    size_t reserved = 0;
    {
        acre_arena_opts opts = {};
        Arena arena(opts);
        reserved = stats_of(&arena).reserved;
    }
    acre_arena_cache_trim();
    with_addresses(8 * MIB, [=] {
        acre_arena arena = {};
        for (int i = 0; i < 1000; i++)
            ASSERT_EQ(-ENOMEM, acre_arena_create(nullptr, &arena));
        ASSERT_TRUE(unlimit(RLIMIT_AS));
        ASSERT_EQ(ACRE_OK, acre_arena_create(nullptr, &arena));
        EXPECT_EQ(reserved, stats_of(&arena).reserved);
    });
}

TEST_F(Refusal, a_refused_commit_gives_null_and_the_arena_goes_on)
{
    with_memory(8 * MIB, [] {
        Arena arena;
        unsigned char *block = bytes(&arena, 1000);
        std::memset(block, 7, 1000);
        acre_arena before = arena;
        EXPECT_EQ(nullptr, bytes(&arena, 20 * MIB));
        EXPECT_TRUE(unchanged(but_status(before, -ENOMEM), arena));
        EXPECT_EQ(-ENOMEM, acre_arena_ensure(&arena, 20 * MIB));
        EXPECT_EQ(nullptr, acre_arena_resize(&arena, block, 1000, 20 * MIB));
        EXPECT_TRUE(unchanged(but_status(before, -ENOMEM), arena));

        EXPECT_NE(nullptr, bytes(&arena, MIB));
        ASSERT_TRUE(unlimit(RLIMIT_DATA));
        EXPECT_NE(nullptr, bytes(&arena, 20 * MIB));
        EXPECT_TRUE(all_are(block, 1000, 7));
    });
}

TEST_F(Refusal, a_refused_step_shrinks_to_what_is_needed)
{
    with_memory(45 * MIB, [] {
        // Steps of 8 MiB alone would leave 5 unused.
        Arena arena;
        while (bytes(&arena, 1000) != nullptr)
            continue;
        EXPECT_EQ(-ENOMEM, acre_arena_status(&arena));
        EXPECT_GE(used(&arena), 44 * MIB);
        EXPECT_LE(used(&arena), 45 * MIB);
    });
}

TEST_F(Refusal, a_trim_without_an_area_to_spare_changes_nothing)
{
    acre_arena arena = {}, before = {}, refused = {};
    acre_arena_mark mark = {};
    acre_status trimmed = ACRE_OK;
    without_areas(
        [&] {
            acre_arena_opts opts = options();
            ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
            mark = acre_arena_save(&arena);
            std::memset(bytes(&arena, 20 * MIB), 7, 20 * MIB);
            acre_arena_restore(&arena, mark);
        },
        [&] {
            before = arena;
            trimmed = acre_arena_trim(&arena, MIB);
            refused = arena;
        },
        [&] {
            EXPECT_TRUE(is_want_of_areas(trimmed)) << trimmed;
            EXPECT_TRUE(unchanged(but_status(before, trimmed), refused));
            EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 30 * MIB, 1), 30 * MIB, 0));
            acre_arena_restore(&arena, mark);
            EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, MIB));
            EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        });
}

TEST_F(Refusal, a_reset_without_an_area_to_spare_keeps_the_surplus_and_tells)
{
    acre_arena arena = {};
    size_t committed = 0, kept = 0;
    without_areas(
        [&] {
            acre_arena_opts opts = options();
            opts.keep = MIB;
            ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
            std::memset(bytes(&arena, 20 * MIB), 7, 20 * MIB);
            committed = stats_of(&arena).committed;
        },
        [&] {
            acre_arena_reset(&arena);
            kept = stats_of(&arena).committed;
        },
        [&] {
            EXPECT_TRUE(is_want_of_areas(acre_arena_status(&arena))) << acre_arena_status(&arena);
            EXPECT_EQ(committed, kept);
            EXPECT_EQ(0u, used(&arena));
            EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 30 * MIB, 1), 30 * MIB, 0));
            acre_arena_reset(&arena);
            EXPECT_LE(stats_of(&arena).committed, 4 * MIB);
            EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        });
}

TEST_F(Refusal, without_an_area_to_spare_the_cache_is_emptied)
{
    acre_arena arena = {};
    acre_status created = ACRE_OK;
    size_t cached = 0;
    without_areas([] { fill_cache(); },
                  [&] {
                      acre_arena_opts opts = unlike_cached(0);
                      created = acre_arena_create(&opts, &arena);
                      cached = totals().cached;
                  },
                  [&] {
                      EXPECT_EQ(ACRE_OK, created);
                      EXPECT_EQ(0u, cached);
                      EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
                  });
}

TEST_F(Refusal, without_addresses_the_cache_is_emptied)
{
    in_child_expect([] {
        acre_arena_cache_trim();
        fill_cache();
        ASSERT_TRUE(limit_to(RLIMIT_AS, status_bytes("VmSize") + 8 * MIB));
        Arena arena(unlike_cached(0));
        EXPECT_EQ(0u, totals().cached);
    });
}

TEST_F(Refusal, without_memory_for_the_first_pages_the_cache_is_emptied)
{
    // Asked for while there is memory to find out with.
    int wipes = acre_can(ACRE_CAN_WIPE_ON_FORK);
    for (uint32_t flags : {0u, unsigned{ACRE_ARENA_WIPE_ON_FORK}}) {
        if (flags != 0 && !wipes)
            continue;
        in_child_expect([=] {
            acre_arena_cache_trim();
            fill_cache();
            acre_arena_opts opts = unlike_cached(flags);
            acre_arena arena = {};
            ASSERT_TRUE(limit_to(RLIMIT_DATA, status_bytes("VmData")));
            acre_status created = acre_arena_create(&opts, &arena);
            ASSERT_TRUE(unlimit(RLIMIT_DATA));
            EXPECT_EQ(ACRE_OK, created);
            EXPECT_EQ(0u, totals().cached);
            EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        });
    }
}

TEST_F(Refusal, without_memory_to_grow_the_cache_is_emptied)
{
    in_child_expect([] {
        acre_arena_cache_trim();
        Arena arena(fresh());
        fill_cache();
        ASSERT_TRUE(limit_to(RLIMIT_DATA, status_bytes("VmData") + 8 * MIB));
        EXPECT_NE(nullptr, bytes(&arena, MIB));
        EXPECT_EQ(3u, totals().cached);
        EXPECT_NE(nullptr, bytes(&arena, 30 * MIB));
        EXPECT_EQ(0u, totals().cached);
        // It helps once.
        acre_arena before = arena;
        EXPECT_EQ(nullptr, bytes(&arena, 60 * MIB));
        EXPECT_TRUE(unchanged(but_status(before, -ENOMEM), arena));
    });
}

TEST_F(Refusal, arenas_leave_a_quarter_of_a_limit_on_addresses)
{
    if (sizeof(void *) == 4)
        GTEST_SKIP() << "the limit is that of the address space";
    in_child_expect([] {
        const size_t limit = size_t{4} << 30;
        acre_arena_cache_limit(0);
        ASSERT_TRUE(limit_to(RLIMIT_AS, limit));
        std::vector<acre_arena> arenas(1000);
        size_t count = 0;
        acre_status status = ACRE_OK;
        while (count < arenas.size() &&
               (status = acre_arena_create(nullptr, &arenas[count])) == ACRE_OK)
            count++;
        EXPECT_EQ(-ENOMEM, status);
        EXPECT_GT(count, 32u);
        EXPECT_EQ(limit / 64, stats_of(&arenas[0]).reserved);
        acre_mmap rest = {};
        EXPECT_EQ(ACRE_OK, acre_mmap_reserve(limit / 8, ACRE_NONE, nullptr, &rest));
        EXPECT_EQ(ACRE_OK, acre_mmap_unmap(&rest));
        for (size_t i = 0; i < count; i++)
            EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arenas[i]));
    });
}

TEST_F(Refusal, creation_without_memory_for_the_first_page_leaves_nothing)
{
    // Asked for while there is memory to find out with.
    if (!acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS) || !acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot keep memory from dumps and forks";
    with_memory(MIB, [] {
        const uint32_t kinds[] = {0, ACRE_ARENA_WIPE_ON_FORK, ACRE_ARENA_DONT_FORK};
        acre_arena arena = {};
        size_t areas = areas_now();
        // Linux takes 0 for Valgrind's way of saying "unlimited".
        acre_arena_cache_limit(0);
        ASSERT_TRUE(limit_to(RLIMIT_DATA, 1));
        acre_status statuses[3];
        for (int i = 0; i < 3; i++) {
            acre_arena_opts opts = with_flags(kinds[i]);
            statuses[i] = acre_arena_create(&opts, &arena);
        }
        ASSERT_TRUE(unlimit(RLIMIT_DATA));
        for (acre_status status : statuses)
            EXPECT_EQ(-ENOMEM, status);
        EXPECT_TRUE(unchanged(acre_arena{}, arena));
        EXPECT_EQ(areas, areas_now());
    });
}
