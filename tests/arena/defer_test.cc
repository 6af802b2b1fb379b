// Deferred calls run once, newest first, before anything is taken back.
#include <csetjmp>
#include <vector>

#include "tests/arena/arena_test.h"

using namespace acre_test;

SKIP_WHERE_APART("Defer.costs_32_bytes");

namespace {

std::vector<int> ran;

void run(void *argument)
{
    ran.push_back(*static_cast<int *>(argument));
}

// A number in the arena, and a call that reads it there.
int *defer_number(acre_arena *arena, int number)
{
    int *place = static_cast<int *>(acre_arena_alloc_aligned(arena, sizeof(int), alignof(int)));
    *place = number;
    EXPECT_EQ(ACRE_OK, acre_arena_defer(arena, run, place));
    return place;
}

class Defer : public testing::Test {
  protected:
    void SetUp() override
    {
        ran.clear();
    }
};

}  // namespace

TEST_F(Defer, runs_newest_first_at_reset)
{
    Arena arena;
    for (int i = 0; i < 5; i++)
        defer_number(&arena, i);
    EXPECT_TRUE(ran.empty());
    acre_arena_reset(&arena);
    EXPECT_EQ((std::vector<int>{4, 3, 2, 1, 0}), ran);
    acre_arena_reset(&arena);
    EXPECT_EQ(5u, ran.size());
}

TEST_F(Defer, restore_runs_those_since_the_mark)
{
    Arena arena;
    defer_number(&arena, 1);
    acre_arena_mark mark = acre_arena_save(&arena);
    defer_number(&arena, 2);
    defer_number(&arena, 3);
    acre_arena_restore(&arena, mark);
    EXPECT_EQ((std::vector<int>{3, 2}), ran);
    acre_arena_restore(&arena, mark);
    EXPECT_EQ(2u, ran.size());
    defer_number(&arena, 4);
    acre_arena_restore(&arena, mark);
    EXPECT_EQ((std::vector<int>{3, 2, 4}), ran);
    acre_arena_reset(&arena);
    EXPECT_EQ((std::vector<int>{3, 2, 4, 1}), ran);
}

TEST_F(Defer, one_right_at_the_mark_runs)
{
    Arena arena;
    static int number = 8;
    acre_arena_alloc_aligned(&arena, 0, 16);
    acre_arena_mark mark = acre_arena_save(&arena);
    ASSERT_EQ(ACRE_OK, acre_arena_defer(&arena, run, &number));
    acre_arena_restore(&arena, mark);
    EXPECT_EQ((std::vector<int>{8}), ran);
}

TEST_F(Defer, a_stale_mark_runs_nothing)
{
    Arena arena;
    acre_arena_mark old = acre_arena_save(&arena);
    acre_arena_reset(&arena);
    defer_number(&arena, 1);
    acre_arena_restore(&arena, old);
    EXPECT_TRUE(ran.empty());
}

TEST_F(Defer, destroy_runs_all)
{
    {
        Arena arena;
        defer_number(&arena, 1);
        defer_number(&arena, 2);
    }
    EXPECT_EQ((std::vector<int>{2, 1}), ran);
}

TEST_F(Defer, runs_before_a_wiping_arena_zeroes)
{
    Arena arena(with_flags(ACRE_ARENA_WIPE));
    defer_number(&arena, 77);
    acre_arena_reset(&arena);
    EXPECT_EQ((std::vector<int>{77}), ran);
}

TEST_F(Defer, survives_a_move_of_the_struct)
{
    acre_arena_opts opts = options();
    acre_arena first;
    ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &first));
    defer_number(&first, 1);
    acre_arena moved = first;
    std::memset(&first, 0xee, sizeof first);
    defer_number(&moved, 2);
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&moved));
    EXPECT_EQ((std::vector<int>{2, 1}), ran);
}

TEST_F(Defer, costs_32_bytes)
{
    Arena arena;
    acre_arena_alloc(&arena, 0);
    size_t before = used(&arena);
    for (size_t i = 1; i <= 10; i++) {
        ASSERT_EQ(ACRE_OK, acre_arena_defer(
                               &arena, [](void *) {}, nullptr));
        ASSERT_EQ(before + 32 * i, used(&arena));
    }
}

TEST_F(Defer, goes_on_after_a_call_that_jumped_away)
{
    static std::jmp_buf away;
    Arena arena;
    defer_number(&arena, 1);
    ASSERT_EQ(ACRE_OK, acre_arena_defer(
                           &arena, [](void *) { std::longjmp(away, 1); }, nullptr));
    defer_number(&arena, 3);
    if (setjmp(away) == 0)
        acre_arena_reset(&arena);
    EXPECT_EQ((std::vector<int>{3}), ran);
    acre_arena_reset(&arena);
    EXPECT_EQ((std::vector<int>{3, 1}), ran);
}

TEST_F(Defer, nothing_cannot_be_deferred)
{
    Arena arena;
    acre_arena before = arena;
    EXPECT_EQ(ACRE_NULL_ARGUMENT, acre_arena_defer(&arena, nullptr, nullptr));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_NULL_ARGUMENT), arena));
}
