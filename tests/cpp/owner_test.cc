// Owners end what they hold once, and say when they hold nothing.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <new>

#include "acre/acre.hpp"
#include "acre/page.h"
#include "tests/cpp/every_call.h"
#include "tests/support/expect.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

// For each owner: how one is made, what shows where it is, and whether that is still there.

// What is written where an owner's memory is: others may get these addresses at once.
const uint64_t MARK = 0xac4e;

bool is_marked(const void *place)
{
    return readable(place) && *static_cast<const uint64_t *>(place) == MARK;
}

struct Map {
    using Owner = acre::map;
    static Owner make()
    {
        Owner map = acre::or_throw(acre::map::anon(1));
        new (map.data()) uint64_t(MARK);
        return map;
    }
    static const void *place(const Owner &map)
    {
        return map.data();
    }
    static bool lives(const void *place)
    {
        return is_marked(place);
    }
};

struct Arena {
    using Owner = acre::arena;
    // What each arena began with.
    static std::map<const acre_arena_core *, const void *> &blocks()
    {
        static std::map<const acre_arena_core *, const void *> first;
        return first;
    }
    static Owner make()
    {
        acre_arena_opts opts = {};
        opts.reserve = size_t{1} << 24;
        opts.flags = ACRE_ARENA_NO_CACHE;
        Owner arena = acre::or_throw(acre::arena::create(opts));
        blocks()[arena.get()->core] = arena.create<uint64_t>(MARK);
        return arena;
    }
    static const void *place(const Owner &arena)
    {
        return blocks()[arena.get()->core];
    }
    static bool lives(const void *place)
    {
        return is_marked(place);
    }
};

struct Stack {
    using Owner = acre::stack;
    static Owner make()
    {
        return acre::or_throw(acre::stack::create(1));
    }
    static const void *place(const Owner &stack)
    {
        return stack.data();
    }
    static bool lives(const void *place)
    {
        acre_stack_info info = {};
        return acre_stack_find(place, &info) == ACRE_OK && info.where == ACRE_STACK_USABLE;
    }
};

struct Taken : Stack {
    static Owner make()
    {
        static acre::pool *pool = new acre::pool(acre::or_throw(acre::pool::create()));
        return acre::or_throw(pool->take());
    }
};

struct Pool {
    using Owner = acre::pool;
    static Owner make()
    {
        acre_stack_pool_opts opts = {};
        opts.max_stacks = 16;
        return acre::or_throw(acre::pool::create(opts));
    }
    static const void *place(const Owner &pool)
    {
        acre::pool borrowed(pool.get());
        const void *place = acre::or_throw(borrowed.take()).data();
        EXPECT_EQ(pool.get(), borrowed.release());
        return place;
    }
    static bool lives(const void *place)
    {
        acre_stack_info info;
        return acre_stack_find(place, &info) == ACRE_OK;
    }
};

template <class Kind>
class Owner : public testing::Test {
};

using Kinds = testing::Types<Map, Arena, Stack, Taken, Pool>;
TYPED_TEST_SUITE(Owner, Kinds, );

TYPED_TEST(Owner, ends_with_its_scope)
{
    const void *place = nullptr;
    {
        auto owner = TypeParam::make();
        EXPECT_TRUE(owner);
        place = TypeParam::place(owner);
        EXPECT_TRUE(TypeParam::lives(place));
    }
    EXPECT_FALSE(TypeParam::lives(place));
}

TYPED_TEST(Owner, is_empty_when_moved_from_and_ends_nothing)
{
    auto owner = TypeParam::make();
    const void *place = TypeParam::place(owner);
    {
        auto moved = std::move(owner);
        EXPECT_FALSE(owner);  // NOLINT(bugprone-use-after-move): it is the promise
        EXPECT_OK(owner.close());
        EXPECT_TRUE(TypeParam::lives(place));
        EXPECT_EQ(place, TypeParam::place(moved));
        owner = std::move(moved);
        EXPECT_FALSE(moved);  // NOLINT(bugprone-use-after-move)
    }
    EXPECT_TRUE(owner);
    EXPECT_TRUE(TypeParam::lives(place));
    EXPECT_OK(owner.close());
    EXPECT_FALSE(owner);
    EXPECT_FALSE(TypeParam::lives(place));
    EXPECT_OK(owner.close());
}

TYPED_TEST(Owner, ends_what_it_held_when_it_is_assigned_to)
{
    auto first = TypeParam::make();
    auto second = TypeParam::make();
    const void *first_place = TypeParam::place(first);
    const void *second_place = TypeParam::place(second);
    first = std::move(second);
    EXPECT_FALSE(TypeParam::lives(first_place));
    EXPECT_TRUE(TypeParam::lives(second_place));
    first = typename TypeParam::Owner();
    EXPECT_FALSE(first);
    EXPECT_FALSE(TypeParam::lives(second_place));
}

TYPED_TEST(Owner, stays_when_it_is_moved_to_itself)
{
    auto owner = TypeParam::make();
    auto &same = owner;
    const void *place = TypeParam::place(owner);
    owner = std::move(same);
    EXPECT_TRUE(owner);
    EXPECT_TRUE(TypeParam::lives(place));
}

TEST(MapOwner, does_not_unmap_what_lies_there_later)
{
    acre::map map = acre::or_throw(acre::map::anon(1));
    acre_mmap_opts opts = {};
    opts.address = map.data();
    opts.flags = ACRE_MAP_FIXED;
    acre::map moved = std::move(map);
    ASSERT_OK(moved.close());
    acre::map later = acre::or_throw(acre::map::anon(1, ACRE_READ_WRITE, opts));
    map = acre::map();
    moved = acre::map();
    EXPECT_TRUE(readable(later.data()));
}

TEST(MapOwner, leaves_what_it_released)
{
    acre_mmap handle = {};
    {
        acre::map map = acre::or_throw(acre::map::anon(1));
        handle = map.release();
        EXPECT_FALSE(map);
    }
    EXPECT_TRUE(readable(handle.base));
    acre::map again(handle);
    void *base = handle.base;
    EXPECT_OK(again.close());
    EXPECT_FALSE(readable(base));
}

TEST(MapOwner, says_so_when_it_cannot_end)
{
    acre::map map = acre::or_throw(acre::map::anon(1));
    acre_status status = map.seal();
    if (acre_status_unsupported(status))
        GTEST_SKIP() << "this system seals nothing";
    ASSERT_OK(status);
    std::byte *base = map.data();
    EXPECT_EQ(ACRE_SEALED, map.close());
    EXPECT_EQ(base, map.data());
    map = acre::map();
    EXPECT_TRUE(readable(base));
}

TEST(MapOwner, joins_its_parts)
{
    const size_t page = acre_page_size();
    acre::map map = acre::or_throw(acre::map::anon(2 * page));
    std::byte *base = map.data();
    {
        acre::map tail = acre::or_throw(map.split(page));
        EXPECT_EQ(base + page, tail.data());
        ASSERT_OK(map.merge(tail));
        EXPECT_FALSE(tail);
    }
    EXPECT_TRUE(readable(base + page));
}

TEST(ImageOwner, closes_what_it_holds)
{
    int before = free_descriptor();
    {
        acre::result<acre::image> made =
            acre::image::make(1, [](std::byte *bytes, size_t) { *bytes = std::byte{7}; });
        if (acre_status_unsupported(made.status()))
            GTEST_SKIP() << "this system has no images";
        ASSERT_OK(made.status());
        acre::map clone = acre::or_throw(made->clone());
        *clone.data() = std::byte{8};
        acre_status status = clone.discard(0, clone.size());
        if (!acre_status_unsupported(status)) {
            ASSERT_OK(status);
            EXPECT_EQ(std::byte{7}, *clone.data());
        }
    }
    EXPECT_EQ(before, free_descriptor());
}

TEST(ImageOwner, leaves_nothing_when_filling_throws)
{
    int before = free_descriptor();
    std::byte *filled = nullptr;
    auto fill = [&](std::byte *bytes, size_t) {
        filled = bytes;
        throw 7;
    };
    try {
        acre::result<acre::image> made = acre::image::make(1, fill);
        if (acre_status_unsupported(made.status()))
            GTEST_SKIP() << "this system has no images";
        ADD_FAILURE() << made.error().message();
    } catch (int thrown) {
        EXPECT_EQ(7, thrown);
    }
    EXPECT_FALSE(readable(filled));
    EXPECT_EQ(before, free_descriptor());
}

TEST(PoolOwner, cannot_end_while_stacks_are_out)
{
    acre::pool pool = acre::or_throw(acre::pool::create());
    acre::stack stack = acre::or_throw(pool.take());
    EXPECT_EQ(ACRE_BUSY, pool.close());
    EXPECT_TRUE(pool);
    EXPECT_EQ(1u, acre::or_throw(pool.stats()).out);
    stack = acre::stack();
    EXPECT_EQ(0u, acre::or_throw(pool.stats()).out);
    EXPECT_OK(pool.close());
}

TEST(PoolOwner, refuses_when_it_is_empty)
{
    acre::pool pool;
    EXPECT_EQ(ACRE_EMPTY_HANDLE, pool.take().status());
    EXPECT_EQ(ACRE_EMPTY_HANDLE, pool.flush());
    EXPECT_EQ(ACRE_EMPTY_HANDLE, pool.prewarm(1));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, pool.trim(0));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, pool.stats().status());
    EXPECT_EQ(ACRE_EMPTY_HANDLE, pool.suggest().status());
}

TEST(StackOwner, gives_a_stack_back_by_its_pool_when_it_was_released)
{
    acre::pool pool = acre::or_throw(acre::pool::create());
    acre_stack handle = acre::or_throw(pool.take()).release();
    EXPECT_EQ(1u, acre::or_throw(pool.stats()).out);
    {
        acre::stack again(handle, pool.get());
    }
    EXPECT_EQ(0u, acre::or_throw(pool.stats()).out);
}

TEST(EveryCall, works_in_every_standard_and_without_exceptions)
{
    EXPECT_STREQ(nullptr, every_call_in_cpp17());
    EXPECT_STREQ(nullptr, every_call_in_cpp20());
    EXPECT_STREQ(nullptr, every_call_in_cpp23());
    EXPECT_STREQ(nullptr, every_call_without_exceptions());
}

}  // namespace
