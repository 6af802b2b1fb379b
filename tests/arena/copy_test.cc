// Copies of bytes and texts.
#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART("Copy.strdup_copies_the_text_and_its_end Copy.strndup_copies_at_most_so_many");

TEST(Copy, memdup_copies_and_aligns)
{
    Arena arena;
    bytes(&arena, 1);
    unsigned char source[300];
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = static_cast<unsigned char>(i);
    void *copy = acre_arena_memdup(&arena, source, sizeof source);
    ASSERT_NE(nullptr, copy);
    EXPECT_EQ(0u, address(copy) % ACRE_ARENA_ALIGN);
    EXPECT_EQ(0, std::memcmp(copy, source, sizeof source));
    EXPECT_NE(nullptr, acre_arena_memdup(&arena, nullptr, 0));
}

TEST(Copy, strdup_copies_the_text_and_its_end)
{
    Arena arena;
    std::memset(bytes(&arena, 100), 0xff, 100);
    acre_arena_reset(&arena);
    EXPECT_STREQ("some text", acre_arena_strdup(&arena, "some text"));
    EXPECT_EQ(10u, used(&arena));
    EXPECT_STREQ("", acre_arena_strdup(&arena, ""));
    EXPECT_EQ(11u, used(&arena));
}

TEST(Copy, strndup_copies_at_most_so_many)
{
    Arena arena;
    std::memset(bytes(&arena, 100), 0xff, 100);
    acre_arena_reset(&arena);
    EXPECT_STREQ("some", acre_arena_strndup(&arena, "some text", 4));
    EXPECT_EQ(5u, used(&arena));
    EXPECT_STREQ("some text", acre_arena_strndup(&arena, "some text", 9));
    EXPECT_STREQ("some text", acre_arena_strndup(&arena, "some text", 10));
    EXPECT_STREQ("some text", acre_arena_strndup(&arena, "some text", SIZE_MAX));
    EXPECT_STREQ("", acre_arena_strndup(&arena, "some text", 0));
}

TEST(Copy, strndup_reads_no_further_than_it_may)
{
    // The last bytes before an inaccessible page.
    size_t page = acre_page_size();
    acre_mmap map;
    ASSERT_EQ(ACRE_OK, acre_mmap_reserve(2 * page, ACRE_READ_WRITE, nullptr, &map));
    ASSERT_EQ(ACRE_OK, acre_mmap_commit(&map, 0, page));
    char *text = static_cast<char *>(map.base) + page - 3;
    std::memset(text, 'a', 3);
    Arena arena;
    EXPECT_STREQ("aaa", acre_arena_strndup(&arena, text, 3));
    EXPECT_STREQ("aa", acre_arena_strndup(&arena, text, 2));
    EXPECT_EQ(ACRE_OK, acre_mmap_unmap(&map));
}
