// Blocks lie one after the other and take what they were asked for.
#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART(
    "Packing.blocks_of_alignment_1_are_contiguous Packing.strings_are_contiguous "
    "Packing.every_alignment_up_to_a_mebibyte_is_met "
    "Packing.a_million_nodes_of_24_bytes_take_24_megabytes");

namespace {

struct Node {
    uint64_t before[2];
    uint64_t value;
};

}  // namespace

TEST(Packing, blocks_of_alignment_1_are_contiguous)
{
    Arena arena;
    unsigned char *expected = bytes(&arena, 0);
    for (size_t size = 1; size < 2000; size++) {
        ASSERT_EQ(expected, bytes(&arena, size));
        expected += size;
    }
    ASSERT_EQ(expected, acre_arena_alloc_slow(&arena, 3, 1));
    EXPECT_EQ(expected + 3, bytes(&arena, 1));
}

TEST(Packing, strings_are_contiguous)
{
    Arena arena;
    char *one = acre_arena_strdup(&arena, "one");
    char *two = acre_arena_strdup(&arena, "two");
    EXPECT_EQ(one + 4, two);
}

TEST(Packing, a_million_nodes_of_24_bytes_take_24_megabytes)
{
    Arena arena;
    for (uint64_t i = 0; i < 1000000; i++) {
        Node *node = static_cast<Node *>(acre_arena_alloc_aligned(&arena, 24, 8));
        ASSERT_NE(nullptr, node);
        node->value = i;
    }
    EXPECT_EQ(24000000u, used(&arena));
    const Node *first = reinterpret_cast<const Node *>(arena.base);
    for (uint64_t i = 0; i < 1000000; i++)
        ASSERT_EQ(i, first[i].value);
}

TEST(Packing, every_alignment_up_to_a_mebibyte_is_met)
{
    Arena arena;
    for (size_t alignment = 1; alignment <= MIB; alignment *= 2) {
        for (size_t size : {size_t(1), size_t(7), alignment, alignment + 1}) {
            unsigned char *before = bytes(&arena, 1);
            void *block = acre_arena_alloc_aligned(&arena, size, alignment);
            ASSERT_NE(nullptr, block);
            EXPECT_EQ(0u, address(block) % alignment);
            // No more padding than needed.
            EXPECT_LE(address(block) - address(before), alignment);
            std::memset(block, 0xee, size);
        }
    }
}

TEST(Packing, alloc_is_aligned_for_any_type)
{
    Arena arena;
    for (size_t size = 0; size < 100; size++) {
        bytes(&arena, 1);
        EXPECT_EQ(0u, address(acre_arena_alloc(&arena, size)) % ACRE_ARENA_ALIGN);
    }
}

TEST(Packing, size_0_gives_a_pointer_and_takes_nothing)
{
    Arena arena;
    void *one = bytes(&arena, 0);
    void *two = bytes(&arena, 0);
    EXPECT_NE(nullptr, one);
    EXPECT_EQ(one, two);
    EXPECT_EQ(one, acre_arena_alloc_slow(&arena, 0, 1));
    EXPECT_NE(nullptr, acre_arena_alloc_slow(&arena, 0, 4096));
    EXPECT_NE(nullptr, acre_arena_calloc(&arena, 0, SIZE_MAX, 1));
    EXPECT_NE(nullptr, acre_arena_calloc(&arena, SIZE_MAX, 0, 1));
    EXPECT_EQ(ACRE_OK, acre_arena_status(&arena));
}

TEST(Packing, blocks_larger_than_a_growth_step_are_served)
{
    Arena arena;
    for (size_t size : {size_t(1), 100 * KIB, 3 * MIB, 20 * MIB, 100 * MIB}) {
        unsigned char *block = bytes(&arena, size);
        ASSERT_NE(nullptr, block);
        block[0] = 1;
        block[size - 1] = 1;
    }
}

TEST(Packing, the_slow_path_serves_what_the_inline_path_serves)
{
    Arena inlined;
    Arena slow;
    for (size_t i = 0; i < 20000; i++) {
        size_t size = i * 7919 % 300;
        size_t alignment = size_t(1) << (i % 7);
        size_t there = address(acre_arena_alloc_aligned(&inlined, size, alignment)) - inlined.base;
        size_t here = address(acre_arena_alloc_slow(&slow, size, alignment)) - slow.base;
        ASSERT_EQ(there, here);
    }
}
