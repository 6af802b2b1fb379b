// Formatted text in an arena.
#include "acre/arena_printf.h"

#include <cstdarg>
#include <cwchar>
#include <string>

#include "tests/arena/arena_test.h"

using namespace acre_test;

namespace {

// A function of a program that passes its arguments on.
char *say(acre_arena *arena, const char *format, ...) ACRE_FORMAT_(2, 3);

char *say(acre_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = acre_arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

}  // namespace

TEST(Printf, makes_text_of_any_length)
{
    Arena arena;
    EXPECT_STREQ("", acre_arena_printf(&arena, "%s", ""));
    EXPECT_STREQ("one 2 0x3", acre_arena_printf(&arena, "%s %d %#x", "one", 2, 3u));
    for (size_t length : {size_t(254), size_t(255), size_t(256), size_t(257), size_t(100000)}) {
        std::string expected(length, 'x');
        char *text = acre_arena_printf(&arena, "%s", expected.c_str());
        ASSERT_NE(nullptr, text);
        EXPECT_EQ(expected, text);
        EXPECT_TRUE(acre_arena_owns(&arena, text + length));
    }
}

TEST(Printf, takes_a_list_of_arguments)
{
    Arena arena;
    EXPECT_STREQ("one 2 0x3", say(&arena, "%s %d %#x", "one", 2, 3u));
    // Formatted twice, of a list that is read once.
    std::string expected(1000, 'x');
    EXPECT_EQ("7 " + expected + " 8", say(&arena, "%d %s %d", 7, expected.c_str(), 8));
}

TEST(Printf, takes_what_it_needs)
{
    Arena arena;
    char *one = acre_arena_printf(&arena, "%d", 100);
    char *two = acre_arena_printf(&arena, "%300d", 7);
    char *three = acre_arena_printf(&arena, "x");
    if (packs()) {
        EXPECT_EQ(one + 4, two);
        EXPECT_EQ(two + 301, three);
    }
    EXPECT_STREQ("100", one);
    EXPECT_EQ(300u, std::strlen(two));
    EXPECT_STREQ("x", three);
}

TEST(Printf, is_refused_like_any_block)
{
    Arena arena(with_limit(640));
    acre_arena before = arena;
    EXPECT_EQ(nullptr, acre_arena_printf(&arena, "%700s", "x"));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_FULL), arena));
    EXPECT_NE(nullptr, acre_arena_printf(&arena, "%100s", "x"));
    acre_arena none = {};
    EXPECT_EQ(nullptr, acre_arena_printf(&none, "x"));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, acre_arena_status(&none));
}

TEST(Printf, what_cannot_be_formatted_is_told)
{
    Arena arena;
    acre_arena before = arena;
    // No character.
    char *text = acre_arena_printf(&arena, "%lc", static_cast<wint_t>(0x7fffffff));
    if (text != nullptr)
        GTEST_SKIP() << "this C library formats anything";
    EXPECT_TRUE(unchanged(but_status(before, ACRE_BAD_OPTION), arena));
}
