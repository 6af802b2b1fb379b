// How an arena grows: base pages at first, whole huge pages later, few areas; LOCKED and HUGE.
#include "acre/area.h"
#include "tests/arena/arena_test.h"

using namespace acre_test;

namespace {

// Of transparent huge pages that an arena uses; the test is skipped where there are none.
size_t huge_size()
{
    acre_system system = {};
    EXPECT_EQ(ACRE_OK, acre_system_read(&system));
    if (!acre_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES) || system.transparent_huge_size > 4 * MIB)
        skip("no transparent huge pages that an arena uses");
    if (emulated())
        skip("huge pages are the kernel's own");
    return static_cast<size_t>(system.transparent_huge_size);
}

unsigned char *fill(acre_arena *arena, size_t size)
{
    unsigned char *block = bytes(arena, size);
    EXPECT_NE(nullptr, block);
    if (block != nullptr)
        std::memset(block, 1, size);
    return block;
}

// Where the memory ends that may be touched.
uintptr_t end_of_accessible(const acre_arena *arena)
{
    acre_area area = {};
    EXPECT_EQ(ACRE_OK, acre_area_at(reinterpret_cast<const void *>(arena->base), &area));
    return area.end;
}

size_t huge_bytes(const void *block)
{
    return smaps_bytes(block, "AnonHugePages");
}

}  // namespace

TEST(Growth, a_small_arena_has_base_pages_only)
{
    huge_size();
    Arena arena(fresh());
    unsigned char *block = fill(&arena, 200 * KIB);
    EXPECT_EQ(0u, huge_bytes(block));
    EXPECT_LE(stats_of(&arena).resident, 200 * KIB + 64 * KIB);
    EXPECT_LE(stats_of(&arena).committed, 256 * KIB);
}

TEST(Growth, at_most_a_quarter_more_than_is_used_is_resident)
{
    huge_size();
    Arena arena(fresh());
    for (size_t wanted = 64 * KIB; wanted <= 4 * MIB; wanted += wanted / 7 / 1000 * 1000) {
        while (used(&arena) < wanted)
            fill(&arena, 1000);
        size_t pages = stats_of(&arena).resident;
        EXPECT_LE(pages, wanted + wanted / 4 + 2 * acre_page_size()) << wanted;
    }
}

TEST(Growth, a_large_arena_has_huge_pages)
{
    size_t huge = huge_size();
    Arena arena(fresh());
    for (int i = 0; i < 64; i++)
        fill(&arena, MIB);
    // The system may be short of them, but hardly of all.
    unsigned char *block = fill(&arena, 1);
    EXPECT_GE(huge_bytes(block), 32 * MIB);
    EXPECT_EQ(0u, huge_bytes(block) % huge);
    EXPECT_TRUE(has_vm_flag(block, "hg"));
}

TEST(Growth, ends_at_huge_pages)
{
    size_t huge = huge_size();
    Arena arena(fresh());
    while (used(&arena) < 64 * MIB) {
        ASSERT_NE(nullptr, bytes(&arena, 100 * KIB));
        if (used(&arena) > 10 * huge / 2) {
            ASSERT_EQ(0u, end_of_accessible(&arena) % huge);
        }
    }
}

TEST(Growth, trim_gives_back_whole_huge_pages)
{
    size_t huge = huge_size();
    Arena arena(fresh());
    unsigned char *block = fill(&arena, 64 * MIB);
    acre_arena_reset(&arena);
    EXPECT_GE(stats_of(&arena).committed, 16 * MIB);
    EXPECT_LE(stats_of(&arena).committed, 16 * MIB + 64 * KIB + huge);
    EXPECT_EQ(0u, end_of_accessible(&arena) % huge);
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 3 * MIB));
    EXPECT_LE(stats_of(&arena).committed, 3 * MIB + 64 * KIB);
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
    EXPECT_LE(stats_of(&arena).committed, 64 * KIB);
    // What comes again is as before.
    fill(&arena, 64 * MIB);
    EXPECT_TRUE(has_vm_flag(block + 32 * MIB, "hg"));
    EXPECT_GE(huge_bytes(block), 32 * MIB);
}

TEST(Growth, without_huge_pages_it_ends_at_base_pages)
{
    Arena arena(with_flags(ACRE_ARENA_NO_HUGE | ACRE_ARENA_NO_CACHE));
    unsigned char *block = fill(&arena, 20 * MIB);
    if (!emulated()) {
        EXPECT_EQ(0u, huge_bytes(block));
    }
    acre_arena_reset(&arena);
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 5 * MIB));
    EXPECT_LE(stats_of(&arena).committed, 5 * MIB + 64 * KIB + acre_page_size());
}

TEST(Growth, a_limit_is_all_that_is_committed)
{
    for (size_t limit : {100 * KIB, MIB, 3 * MIB, 10 * MIB}) {
        acre_arena_opts opts = fresh();
        opts.limit = limit;
        Arena arena(opts);
        while (bytes(&arena, 1000) != nullptr)
            continue;
        EXPECT_LE(stats_of(&arena).committed, limit + 36 * KIB + acre_page_size());
        EXPECT_GE(used(&arena), limit - 1100);
    }
}

TEST(Growth, a_locked_arena_is_in_memory_as_it_is_committed)
{
    if (emulated())
        GTEST_SKIP() << "locks are the kernel's own";
    acre_arena_opts opts = with_flags(ACRE_ARENA_LOCKED);
    opts.limit = MIB;
    opts.reserve = 4 * MIB;
    acre_arena arena;
    acre_status status = acre_arena_create(&opts, &arena);
    if (status != ACRE_OK)
        GTEST_SKIP() << "nothing can be locked here: " << acre_status_text(status);
    unsigned char *block = bytes(&arena, 1000);
    EXPECT_TRUE(has_vm_flag(block, "lo"));
    EXPECT_EQ(stats_of(&arena).committed, stats_of(&arena).resident);
    unsigned char *more = bytes(&arena, 200 * KIB);
    if (more != nullptr) {
        EXPECT_TRUE(has_vm_flag(more + 200 * KIB - 1, "lo"));
        EXPECT_EQ(stats_of(&arena).committed, stats_of(&arena).resident);
    }
    acre_arena_reset(&arena);
    EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

TEST(Growth, a_locked_arena_goes_as_far_as_the_limit_of_locks)
{
    if (emulated() || SANITIZED)
        GTEST_SKIP() << "locks are the kernel's own";
    in_child_expect([] {
        size_t pages = 40 * KIB / acre_page_size() + 200 * KIB / acre_page_size();
        if (!limit_locks(pages))
            return;
        acre_arena_opts opts = with_flags(ACRE_ARENA_LOCKED);
        opts.reserve = 4 * MIB;
        Arena arena(opts);
        while (bytes(&arena, 1000) != nullptr)
            continue;
        EXPECT_NE(ACRE_FULL, acre_arena_status(&arena));
        EXPECT_NE(ACRE_OK, acre_arena_status(&arena));
        // All that may be locked is.
        EXPECT_LE(stats_of(&arena).committed, pages * acre_page_size());
        EXPECT_GT(stats_of(&arena).committed + acre_page_size(), pages * acre_page_size());
    });
}

TEST(Growth, explicit_huge_pages_or_none)
{
    acre_arena_opts opts = with_flags(ACRE_ARENA_HUGE);
    acre_arena arena;
    std::memset(&arena, 0xee, sizeof arena);
    acre_arena before = arena;
    size_t areas = areas_now();
    acre_status status = acre_arena_create(&opts, &arena);
    if (status != ACRE_OK) {
        EXPECT_TRUE(unchanged(before, arena));
        EXPECT_EQ(areas, areas_now());
        GTEST_SKIP() << "no explicit huge page is free: " << acre_status_text(status);
    }
    unsigned char *block = bytes(&arena, 100);
    size_t page = smaps_bytes(block, "KernelPageSize");
    EXPECT_GT(page, acre_page_size());
    EXPECT_EQ(0u, stats_of(&arena).committed % page);
    // Until the pool is used up.
    for (void *more = block; more != nullptr && used(&arena) < 64 * MIB;) {
        more = bytes(&arena, MIB);
        if (more != nullptr)
            std::memset(more, 1, MIB);
        EXPECT_EQ(page, smaps_bytes(block, "KernelPageSize"));
    }
    acre_arena_reset(&arena);
    EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
    EXPECT_EQ(page, stats_of(&arena).committed);
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}
