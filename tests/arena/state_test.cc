// Arenas that have nothing, that were moved, and that lie over the caller's memory.
#include <vector>

#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART(
    "Moved.an_arena_goes_on_elsewhere Over.works_in_any_buffer_and_never_leaves_it "
    "Over.too_little_memory_is_refused");

TEST(AllZero, can_allocate_nothing)
{
    acre_arena arena = {};
    EXPECT_EQ(nullptr, acre_arena_alloc(&arena, 8));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, acre_arena_status(&arena));
    EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, 8, 4096));
    EXPECT_EQ(nullptr, acre_arena_zalloc(&arena, 8, 8));
    EXPECT_EQ(nullptr, acre_arena_calloc(&arena, 8, 8, 8));
    EXPECT_EQ(nullptr, acre_arena_strdup(&arena, ""));
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, nullptr, 0, 8));
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, &arena, 8, 16));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, acre_arena_ensure(&arena, 0));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, acre_arena_trim(&arena, 0));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, acre_arena_prefault(&arena, 0));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, acre_arena_defer(
                                     &arena, [](void *) {}, nullptr));
    EXPECT_TRUE(unchanged(but_status(acre_arena{}, ACRE_EMPTY_HANDLE), arena));
    EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, 8, 3));
    EXPECT_EQ(ACRE_BAD_ALIGNMENT, acre_arena_status(&arena));
}

TEST(AllZero, size_0_is_null_and_no_failure)
{
    acre_arena arena = {};
    EXPECT_EQ(nullptr, acre_arena_alloc(&arena, 0));
    EXPECT_EQ(nullptr, acre_arena_alloc_slow(&arena, 0, 16));
    EXPECT_EQ(nullptr, acre_arena_alloc_slow(&arena, 0, 4096));
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, nullptr, 0, 0));
    EXPECT_TRUE(unchanged(acre_arena{}, arena));
}

TEST(AllZero, the_rest_does_nothing)
{
    acre_arena arena = {};
    acre_arena_mark mark = acre_arena_save(&arena);
    acre_arena_restore(&arena, mark);
    acre_arena_reset(&arena);
    EXPECT_FALSE(acre_arena_owns(&arena, nullptr));
    EXPECT_FALSE(acre_arena_owns(&arena, &arena));
    acre_arena_stats stats = stats_of(&arena);
    EXPECT_TRUE(all_are(&stats, sizeof stats, 0));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    EXPECT_TRUE(unchanged(acre_arena{}, arena));
    Arena other;
    acre_arena_restore(&arena, acre_arena_save(&other));
    EXPECT_TRUE(unchanged(but_status(acre_arena{}, ACRE_STALE), arena));
}

TEST(Moved, an_arena_goes_on_elsewhere)
{
    acre_arena_opts opts = options();
    acre_arena *first = new acre_arena;
    ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, first));
    void *block = bytes(first, 100);
    acre_arena_mark mark = acre_arena_save(first);
    bytes(first, 100);

    acre_arena moved = *first;
    delete first;
    EXPECT_TRUE(acre_arena_owns(&moved, block));
    EXPECT_NE(nullptr, bytes(&moved, 10 * MIB));
    acre_arena_restore(&moved, mark);
    EXPECT_EQ(ACRE_OK, acre_arena_status(&moved));
    EXPECT_EQ(100u, used(&moved));
    EXPECT_EQ(ACRE_OK, acre_arena_trim(&moved, 0));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&moved));
}

TEST(Over, works_in_any_buffer_and_never_leaves_it)
{
    std::vector<unsigned char> buffer(5000 + 128, 0xaa);
    for (size_t shift = 0; shift < 64; shift++) {
        std::fill(buffer.begin(), buffer.end(), static_cast<unsigned char>(0xaa));
        unsigned char *memory = buffer.data() + shift;
        acre_arena arena;
        ASSERT_EQ(ACRE_OK, acre_arena_over(memory, 5000, &arena));
        size_t count = 0;
        for (unsigned char *byte; (byte = bytes(&arena, 1)) != nullptr; count++) {
            ASSERT_TRUE(byte >= memory && byte < memory + 5000);
            *byte = 1;
        }
        EXPECT_GE(count, 5000u - 512u);
        EXPECT_EQ(ACRE_FULL, acre_arena_status(&arena));
        EXPECT_TRUE(all_are(buffer.data(), shift, 0xaa));
        EXPECT_TRUE(all_are(memory + 5000, buffer.size() - shift - 5000, 0xaa));
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        EXPECT_TRUE(unchanged(acre_arena{}, arena));
    }
}

TEST(Over, is_the_same_in_all)
{
    alignas(64) static unsigned char memory[100000];
    std::memset(memory, 0xff, sizeof memory);
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_over(memory, sizeof memory, &arena));
    EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 1000, 8), 1000, 0));
    acre_arena_mark mark = acre_arena_save(&arena);
    static int calls;
    calls = 0;
    ASSERT_EQ(ACRE_OK, acre_arena_defer(
                           &arena, [](void *) { calls++; }, nullptr));
    void *block = bytes(&arena, 100);
    EXPECT_EQ(block, acre_arena_resize(&arena, block, 100, 50000));
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(1, calls);
    EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 50000, 8), 50000, 0));
    EXPECT_EQ(ACRE_FULL, acre_arena_ensure(&arena, 60000));
    EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
    acre_arena_reset(&arena);
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(ACRE_STALE, acre_arena_status(&arena));

    acre_arena_stats stats = stats_of(&arena);
    EXPECT_EQ(sizeof memory, stats.reserved);
    EXPECT_EQ(sizeof memory, stats.committed);
    EXPECT_LE(stats.resident, sizeof memory);
    EXPECT_EQ(0u, stats.commits);
    EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 90000, 8), 90000, 0));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

TEST(Over, too_little_memory_is_refused)
{
    alignas(64) unsigned char memory[600];
    acre_arena arena;
    std::memset(&arena, 0xee, sizeof arena);
    acre_arena before = arena;
    for (size_t size : {size_t(0), size_t(1), size_t(511), SIZE_MAX})
        EXPECT_EQ(ACRE_BAD_SIZE, acre_arena_over(memory, size, &arena));
    EXPECT_EQ(ACRE_NULL_ARGUMENT, acre_arena_over(nullptr, 4096, &arena));
    EXPECT_EQ(ACRE_NULL_ARGUMENT, acre_arena_over(memory, sizeof memory, nullptr));
    EXPECT_EQ(ACRE_NULL_ARGUMENT, acre_arena_create(nullptr, nullptr));
    EXPECT_TRUE(unchanged(before, arena));
    for (size_t shift = 0; shift < 64; shift++) {
        ASSERT_EQ(ACRE_OK, acre_arena_over(memory + shift, 512, &arena));
        EXPECT_NE(nullptr, bytes(&arena, 64));
    }
}

TEST(Over, the_last_addresses_are_never_handed_out)
{
    acre_arena arena;
    void *last = reinterpret_cast<void *>(UINTPTR_MAX - 4096);
    EXPECT_EQ(ACRE_BAD_SIZE, acre_arena_over(last, 4096, &arena));
    EXPECT_EQ(ACRE_BAD_SIZE, acre_arena_over(last, 4095, &arena));
    EXPECT_EQ(ACRE_BAD_SIZE, acre_arena_over(last, 8192, &arena));
}
