// The reservation cache: what it keeps, for whom, how much, and that it gives it back.
#include <atomic>
#include <thread>
#include <vector>

#include "tests/arena/arena_test.h"

using namespace acre_test;

namespace {

acre_arena create(const acre_arena_opts &opts)
{
    acre_arena arena = {};
    EXPECT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
    return arena;
}

void destroy(acre_arena *arena)
{
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(arena));
}

// Each test begins and ends with an empty cache and the default limit.
class Cache : public testing::Test {
  protected:
    void SetUp() override
    {
        acre_arena_cache_trim();
        acre_arena_cache_limit(64 * MIB);
    }
    void TearDown() override
    {
        SetUp();
        EXPECT_EQ(0u, totals().cached);
        EXPECT_EQ(0u, totals().cached_committed);
    }
};

}  // namespace

TEST_F(Cache, the_next_arena_lies_where_one_was_destroyed)
{
    acre_arena first = create(options());
    uintptr_t base = first.base;
    destroy(&first);
    EXPECT_TRUE(unchanged(acre_arena{}, first));
    EXPECT_EQ(1u, totals().cached);
    EXPECT_EQ(0u, totals().arenas);

    acre_arena second = create(options());
    EXPECT_EQ(base, second.base);
    EXPECT_EQ(0u, totals().cached);
    EXPECT_EQ(1u, totals().arenas);
    EXPECT_EQ(0u, used(&second));
    EXPECT_EQ(0u, stats_of(&second).peak);
    EXPECT_EQ(0u, stats_of(&second).commits);
    destroy(&second);
}

TEST_F(Cache, an_arena_from_it_is_as_new)
{
    int calls = 0;
    acre_arena_opts opts = options();
    opts.context = &calls;
    opts.exhausted = [](acre_arena *, size_t, acre_status, void *context) {
        ++*static_cast<int *>(context);
    };
    acre_arena first = create(opts);
    acre_arena_mark mark = acre_arena_save(&first);
    std::memset(bytes(&first, 100000), 0xff, 100000);
    destroy(&first);

    opts.exhausted = nullptr;
    opts.limit = 200000;
    acre_arena second = create(opts);
    // Marks of another arena are stale, and nothing that was in it shows.
    acre_arena_restore(&second, mark);
    EXPECT_EQ(ACRE_STALE, acre_arena_status(&second));
    EXPECT_TRUE(all_are(acre_arena_zalloc(&second, 150000, 1), 150000, 0));
    EXPECT_EQ(nullptr, bytes(&second, 60000));
    EXPECT_EQ(ACRE_FULL, acre_arena_status(&second));
    EXPECT_EQ(0, calls);
    destroy(&second);
}

TEST_F(Cache, zeroed_blocks_are_zero_whatever_was_kept)
{
    acre_arena_opts opts = options();
    for (size_t keep : {size_t(1), 100 * KIB, 3 * MIB, SIZE_MAX}) {
        opts.keep = keep;
        for (size_t size : {10 * KIB, 300 * KIB, 5 * MIB}) {
            acre_arena first = create(opts);
            std::memset(bytes(&first, size), 0xff, size);
            acre_arena_mark mark = acre_arena_save(&first);
            std::memset(bytes(&first, size), 0xff, size);
            acre_arena_restore(&first, mark);
            destroy(&first);
            acre_arena second = create(opts);
            EXPECT_TRUE(all_are(acre_arena_zalloc(&second, 4 * size, 1), 4 * size, 0));
            destroy(&second);
        }
    }
}

TEST_F(Cache, holds_as_much_as_the_arena_was_to_keep)
{
    acre_arena_opts opts = options();
    opts.keep = MIB;
    acre_arena arena = create(opts);
    std::memset(bytes(&arena, 40 * MIB), 1, 40 * MIB);
    destroy(&arena);
    EXPECT_EQ(1u, totals().cached);
    EXPECT_GE(totals().cached_committed, MIB);
    EXPECT_LE(totals().cached_committed, 4 * MIB);
    EXPECT_EQ(totals().committed, totals().cached_committed);
}

TEST_F(Cache, holds_no_more_than_its_limit)
{
    acre_arena_cache_limit(10 * MIB);
    std::vector<acre_arena> arenas;
    for (int i = 0; i < 5; i++) {
        arenas.push_back(create(options()));
        ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arenas.back(), 3 * MIB));
    }
    for (acre_arena &arena : arenas)
        destroy(&arena);
    EXPECT_GE(totals().cached, 1u);
    EXPECT_LE(totals().cached_committed, 10 * MIB);
    EXPECT_EQ(totals().committed, totals().cached_committed);

    // One that is too large for it alone.
    acre_arena_cache_trim();
    acre_arena_cache_limit(MIB);
    acre_arena large = create(options());
    ASSERT_EQ(ACRE_OK, acre_arena_ensure(&large, 3 * MIB));
    destroy(&large);
    EXPECT_EQ(0u, totals().cached);
}

TEST_F(Cache, what_empty_slots_were_good_for_is_no_less)
{
    // One arena after the other, all of them alive, then all destroyed: each leaves a budget.
    acre_arena_cache_limit(10 * MIB);
    acre_arena_opts opts = options();
    for (int round = 0; round < 20; round++) {
        acre_arena arena = create(opts);
        ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arena, size_t(round % 9) * MIB));
        destroy(&arena);
        EXPECT_EQ(1u, totals().cached) << round;
        acre_arena taken = create(opts);
        acre_arena other = create(opts);
        destroy(&other);
        EXPECT_EQ(1u, totals().cached) << round;
        destroy(&taken);
        acre_arena_cache_trim();
    }
}

TEST_F(Cache, a_lower_limit_holds_at_once)
{
    std::vector<acre_arena> arenas;
    for (int i = 0; i < 8; i++) {
        arenas.push_back(create(options()));
        ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arenas.back(), MIB));
    }
    for (acre_arena &arena : arenas)
        destroy(&arena);
    EXPECT_EQ(8u, totals().cached);
    acre_arena_cache_limit(7 * MIB);
    EXPECT_LE(totals().cached_committed, 7 * MIB);
    EXPECT_GE(totals().cached, 1u);
    acre_arena_cache_limit(0);
    EXPECT_EQ(0u, totals().cached);
    acre_arena arena = create(options());
    destroy(&arena);
    EXPECT_EQ(0u, totals().cached);
    EXPECT_EQ(0u, totals().reserved);
    EXPECT_EQ(0u, totals().committed);
}

TEST_F(Cache, trim_unmaps_what_it_holds)
{
    acre_arena arena = create(options());
    const void *first = reinterpret_cast<const void *>(arena.base);
    destroy(&arena);
    EXPECT_EQ("rw-p", permissions(first));
    acre_arena_cache_trim();
    EXPECT_EQ("", permissions(first));
    EXPECT_EQ(0u, totals().cached);
    EXPECT_EQ(0u, totals().reserved);
}

TEST_F(Cache, holds_a_bounded_number)
{
    std::vector<acre_arena> arenas;
    acre_arena_opts opts = options();
    opts.reserve = 8 * MIB;
    arenas.reserve(40);
    for (int i = 0; i < 40; i++)
        arenas.push_back(create(opts));
    EXPECT_EQ(40u, totals().arenas);
    for (acre_arena &arena : arenas)
        destroy(&arena);
    EXPECT_EQ(16u, totals().cached);
    EXPECT_EQ(0u, totals().arenas);
}

TEST_F(Cache, arenas_with_flags_or_a_node_never_enter)
{
    const uint32_t flags[] = {ACRE_ARENA_NO_HUGE, ACRE_ARENA_LAZY,      ACRE_ARENA_NO_DUMP,
                              ACRE_ARENA_WIPE,    ACRE_ARENA_LOCKED,    ACRE_ARENA_WIPE_ON_FORK,
                              ACRE_ARENA_HUGE,    ACRE_ARENA_DONT_FORK, ACRE_ARENA_NO_CACHE};
    for (uint32_t flag : flags) {
        acre_arena_opts opts = with_flags(flag);
        opts.limit = 100 * KIB;
        acre_arena arena = {};
        if (acre_arena_create(&opts, &arena) != ACRE_OK)
            continue;  // not to be had here
        destroy(&arena);
        EXPECT_EQ(0u, totals().cached) << flag;
    }
    acre_arena_opts opts = options();
    opts.node_plus_one = 1;
    acre_arena arena = create(opts);
    destroy(&arena);
    EXPECT_EQ(0u, totals().cached);
}

TEST_F(Cache, nor_do_they_take_from_it)
{
    acre_arena arena = create(options());
    destroy(&arena);
    acre_arena_opts opts = fresh();
    acre_arena other = create(opts);
    EXPECT_EQ(1u, totals().cached);
    destroy(&other);
    opts = options();
    opts.node_plus_one = 1;
    other = create(opts);
    EXPECT_EQ(1u, totals().cached);
    destroy(&other);
}

TEST_F(Cache, only_the_same_reservation_fits)
{
    acre_arena arena = create(options());
    destroy(&arena);
    acre_arena_opts larger = options();
    larger.reserve += MIB;
    acre_arena other = create(larger);
    EXPECT_EQ(larger.reserve, stats_of(&other).reserved);
    EXPECT_EQ(1u, totals().cached);
    destroy(&other);
    EXPECT_EQ(2u, totals().cached);
}

TEST_F(Cache, nor_do_names_that_the_system_shows)
{
    if (!acre_can(ACRE_CAN_NAME))
        GTEST_SKIP() << "this system shows no names";
    acre_arena_opts opts = options();
    // One that it refuses is nowhere but in the statistics; it says nothing of the others.
    opts.name = "list[0]";
    acre_arena arena = create(opts);
    destroy(&arena);
    EXPECT_EQ(1u, totals().cached);
    opts.name = "list";
    arena = create(opts);
    EXPECT_EQ(1u, totals().cached);
    destroy(&arena);
    EXPECT_EQ(1u, totals().cached);
}

TEST_F(Cache, over_the_callers_memory_nothing_is_kept)
{
    alignas(64) static char memory[4096];
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_over(memory, sizeof memory, &arena));
    EXPECT_EQ(0u, totals().arenas);
    destroy(&arena);
    EXPECT_EQ(0u, totals().cached);
}

TEST_F(Cache, threads_share_it)
{
    const size_t count = rounds(300);
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (size_t t = 0; t < 4; t++) {
        threads.emplace_back([t, count] {
            for (size_t i = 0; i < count; i++) {
                acre_arena mine = create(options());
                acre_arena other = create(options());
                unsigned char value = static_cast<unsigned char>(t + 1);
                unsigned char *block = bytes(&mine, 5000);
                std::memset(block, value, 5000);
                std::memset(bytes(&other, 3000), 0xff, 3000);
                destroy(&other);
                ASSERT_TRUE(all_are(block, 5000, value));
                ASSERT_TRUE(all_are(acre_arena_zalloc(&mine, 5000, 1), 5000, 0));
                destroy(&mine);
                if (i % 50 == t)
                    acre_arena_cache_trim();
                if (i % 70 == t)
                    acre_arena_cache_limit(i * KIB);
            }
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(0u, totals().arenas);
    acre_arena_cache_trim();
    EXPECT_EQ(0u, totals().reserved);
    EXPECT_EQ(0u, totals().committed);
}

TEST_F(Cache, a_lower_limit_holds_while_another_thread_uses_it)
{
    const size_t count = rounds(200);
    std::atomic<size_t> begun{0};
    std::atomic<size_t> lowered{0};
    std::atomic<size_t> ended{0};
    std::thread other([&] {
        acre_arena_opts unlike = options();
        unlike.reserve += MIB;
        for (size_t round = 1; round <= count; round++) {
            while (begun != round)
                std::this_thread::yield();
            acre_arena first = create(unlike);
            acre_arena second = create(options());
            destroy(&first);
            destroy(&second);
            // Past the first to the second, and back.
            while (lowered != round) {
                second = create(options());
                destroy(&second);
            }
            ended = round;
        }
    });
    int kept = 0;
    for (size_t round = 1; round <= count; round++) {
        acre_arena_cache_limit(64 * MIB);
        begun = round;
        while (totals().cached == 0)
            std::this_thread::yield();
        acre_arena_cache_limit(0);
        lowered = round;
        while (ended != round)
            std::this_thread::yield();
        kept += totals().cached != 0;
        acre_arena_cache_trim();
    }
    other.join();
    EXPECT_EQ(0, kept);
}

TEST_F(Cache, what_it_does_not_take_and_cannot_be_unmapped_is_as_it_was)
{
    if (!acre_can(ACRE_CAN_SEAL))
        GTEST_SKIP() << "this system cannot seal memory, so it unmaps an arena";
    // No seal is ever undone.
    in_child_expect([] {
        acre_arena_cache_limit(0);
        acre_arena_opts opts = options();
        opts.keep = MIB;
        acre_arena arena = create(opts);
        unsigned char *block = bytes(&arena, 20 * MIB);
        std::memset(block, 7, 20 * MIB);
        acre_mmap page = {};
        void *second =
            reinterpret_cast<void *>((arena.base / acre_page_size() + 1) * acre_page_size());
        ASSERT_EQ(ACRE_OK, acre_mmap_adopt(second, acre_page_size(), 0, ACRE_READ_WRITE, 0, &page));
        ASSERT_EQ(ACRE_OK, acre_mmap_seal(&page));

        acre_arena before = arena;
        size_t committed = stats_of(&arena).committed;
        acre_status status = acre_arena_destroy(&arena);
        EXPECT_NE(ACRE_OK, status);
        EXPECT_TRUE(unchanged(but_status(before, status), arena));
        EXPECT_EQ(committed, stats_of(&arena).committed);
        EXPECT_TRUE(all_are(block, 20 * MIB, 7));
        EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 20 * MIB, 1), 20 * MIB, 0));
        // What is beyond `keep` can go, and the cache takes the rest.
        acre_arena_cache_limit(64 * MIB);
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        EXPECT_EQ(1u, totals().cached);
        EXPECT_LE(totals().cached_committed, 4 * MIB);
        acre_arena again = create(opts);
        EXPECT_EQ(before.base, again.base);
        EXPECT_TRUE(all_are(acre_arena_zalloc(&again, 40 * MIB, 1), 40 * MIB, 0));
    });
}

TEST_F(Cache, the_child_of_a_fork_has_its_own)
{
    acre_arena arena = create(options());
    unsigned char *block = bytes(&arena, 1000);
    std::memset(block, 7, 1000);
    uintptr_t base = arena.base;
    destroy(&arena);
    in_child_expect([&] {
        acre_arena mine = create(options());
        EXPECT_EQ(base, mine.base);
        std::memset(bytes(&mine, 1000), 8, 1000);
        destroy(&mine);
        acre_arena_cache_trim();
        EXPECT_EQ(0u, totals().reserved);
    });
    acre_arena mine = create(options());
    EXPECT_EQ(base, mine.base);
    EXPECT_TRUE(all_are(bytes(&mine, 1000), 1000, 7));
    destroy(&mine);
}
