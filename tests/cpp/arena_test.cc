// Objects in arenas, scopes, and containers over them.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "acre/acre.hpp"
#include "tests/support/expect.h"

namespace {

acre::arena make_arena(size_t limit = 0)
{
    acre_arena_opts opts = {};
    opts.reserve = size_t{1} << 24;
    opts.limit = limit;
    return acre::or_throw(acre::arena::create(opts));
}

// Writes its name down when it goes.
struct Noted {
    Noted(std::string *list, char mark) : notes(list), name(mark)
    {
    }
    ~Noted()
    {
        *notes += name;
    }
    Noted(const Noted &) = delete;
    Noted &operator=(const Noted &) = delete;

    std::string *notes;
    char name;
};

struct alignas(256) Wide {
    char bytes[256] = {1};
};

// Larger than what a checker may leave between blocks.
const size_t LARGE = 1024;
const size_t BETWEEN = 64;

struct Large : Noted {
    using Noted::Noted;
    char bytes[LARGE] = {};
};

struct Throwing {
    Throwing()
    {
        throw 7;
    }
    char bytes[LARGE] = {};
};

TEST(ArenaObject, is_made_of_its_arguments_where_its_type_may_lie)
{
    acre::arena arena = make_arena();
    ASSERT_NE(nullptr, arena.alloc(1, 1));
    auto *text = arena.create<std::unique_ptr<std::string>>(new std::string("moved in"));
    ASSERT_NE(nullptr, text);
    EXPECT_EQ("moved in", **text);
    Wide *wide = arena.create<Wide>();
    ASSERT_NE(nullptr, wide);
    EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(wide) % alignof(Wide));
    EXPECT_EQ(1, wide->bytes[0]);
    EXPECT_TRUE(arena.owns(wide));
}

TEST(ArenaObject, is_destroyed_when_it_is_taken_back_the_newest_first)
{
    std::string notes;
    {
        acre::arena arena = make_arena();
        ASSERT_NE(nullptr, arena.create<Noted>(&notes, 'a'));
        {
            acre::arena::scope scope(arena);
            ASSERT_NE(nullptr, arena.create<Noted>(&notes, 'b'));
            ASSERT_NE(nullptr, arena.create<Noted>(&notes, 'c'));
        }
        EXPECT_EQ("cb", notes);
        ASSERT_NE(nullptr, arena.create<Noted>(&notes, 'd'));
        acre::arena moved = std::move(arena);
        EXPECT_EQ("cb", notes);
        moved.reset();
        EXPECT_EQ("cbda", notes);
        ASSERT_NE(nullptr, moved.create<Noted>(&notes, 'e'));
    }
    EXPECT_EQ("cbdae", notes);
}

TEST(ArenaObject, without_a_destructor_takes_its_size_and_no_more)
{
    acre::arena arena = make_arena();
    acre::arena plain = make_arena();
    for (int i = 0; i < 10; i++) {
        ASSERT_NE(nullptr, arena.create<int>(i));
        ASSERT_NE(nullptr, plain.alloc(sizeof(int), alignof(int)));
    }
    EXPECT_EQ(plain.stats().used, arena.stats().used);
}

TEST(ArenaObject, gives_its_block_back_when_its_constructor_throws)
{
    acre::arena arena = make_arena();
    ASSERT_NE(nullptr, arena.alloc(1));
    size_t used = arena.stats().used;
    EXPECT_THROW(arena.create<Throwing>(), int);
    EXPECT_LE(arena.stats().used - used, BETWEEN);
}

TEST(ArenaObject, is_not_made_when_its_destructor_cannot_be_noted)
{
    const size_t most = 8192;
    acre::arena arena = make_arena(most);
    std::string notes;
    size_t refused = 0;
    // With less and less before it: until there is room for the object, and none for another 32
    // bytes.
    for (size_t before = most; before >= 8; before -= 8) {
        arena.reset();
        notes.clear();
        if (arena.alloc(before, 8) == nullptr)
            continue;
        size_t used = arena.stats().used;
        if (arena.create<Large>(&notes, 'a') != nullptr)
            break;
        EXPECT_EQ(ACRE_FULL, arena.status());
        EXPECT_LE(arena.stats().used - used, BETWEEN);
        refused += notes == "a" ? 1 : 0;
    }
    EXPECT_NE(0u, refused);
    EXPECT_EQ("", notes);
    arena.reset();
    EXPECT_EQ("a", notes);
}

TEST(ArenaObject, is_null_when_the_arena_is_exhausted)
{
    acre::arena empty;
    EXPECT_EQ(nullptr, empty.create<int>(1));
    EXPECT_EQ(nullptr, empty.copy("text"));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, empty.status());
    acre::arena arena = make_arena(4096);
    EXPECT_EQ(nullptr, arena.make_array<char>(5000));
    EXPECT_EQ(nullptr, arena.make_array<long>(~size_t{0} / 2));
    EXPECT_EQ(ACRE_BAD_SIZE, arena.status());
}

TEST(ArenaObject, arrays_are_zeroed_again_after_a_reset)
{
    acre::arena arena = make_arena();
    for (int round = 0; round < 2; round++) {
        int *numbers = arena.make_array<int>(100);
        ASSERT_NE(nullptr, numbers);
        for (int i = 0; i < 100; i++) {
            ASSERT_EQ(0, numbers[i]);
            numbers[i] = 7;
        }
        arena.reset();
    }
}

TEST(ArenaObject, texts_are_copied_with_all_their_bytes)
{
    acre::arena arena = make_arena();
    std::string_view text("a\0b", 3);
    char *copy = arena.copy(text);
    ASSERT_NE(nullptr, copy);
    EXPECT_EQ(text, std::string_view(copy, 3));
    EXPECT_EQ('\0', copy[3]);
    EXPECT_STREQ("", arena.copy({}));
}

TEST(ArenaScope, goes_back_to_where_it_began)
{
    acre::arena arena = make_arena();
    ASSERT_NE(nullptr, arena.alloc(100));
    uintptr_t cursor = arena.get()->cursor;
    {
        acre::arena::scope outer(arena);
        ASSERT_NE(nullptr, arena.alloc(100));
        uintptr_t in_between = arena.get()->cursor;
        {
            acre::arena::scope inner(*arena.get());
            ASSERT_NE(nullptr, arena.alloc(100));
        }
        EXPECT_EQ(in_between, arena.get()->cursor);
    }
    EXPECT_EQ(cursor, arena.get()->cursor);
}

#ifdef __cpp_lib_memory_resource
TEST(ArenaResource, serves_containers)
{
    acre::arena arena = make_arena();
    acre::arena_resource resource(arena);
    std::pmr::vector<std::pmr::string> texts(&resource);
    for (int i = 0; i < 100; i++)
        texts.emplace_back(200, static_cast<char>('a' + i % 26));
    for (const std::pmr::string &text : texts)
        EXPECT_TRUE(arena.owns(text.data()));
    EXPECT_TRUE(arena.owns(texts.data()));
}

TEST(ArenaResource, throws_what_the_standard_demands_when_refused)
{
    acre::arena arena = make_arena(4096);
    acre::arena_resource resource(arena);
    std::pmr::vector<char> bytes(&resource);
    bytes.push_back('a');
    EXPECT_THROW(bytes.reserve(5000), std::bad_alloc);
    EXPECT_EQ('a', bytes[0]);
    acre::arena_resource other(*arena.get());
    EXPECT_FALSE(resource.is_equal(other));
}

TEST(ArenaResource, lets_containers_die_by_deferred_calls)
{
    acre::arena arena = make_arena();
    acre::arena_resource resource(arena);
    auto *numbers = arena.create<std::pmr::vector<int>>(&resource);
    ASSERT_NE(nullptr, numbers);
    numbers->assign(1000, 7);
    arena.reset();
    EXPECT_EQ(0u, arena.stats().used);
}
#endif

}  // namespace
