// Pages populated beforehand, by another thread while the owner goes on.
#include <atomic>
#include <thread>

#include "tests/arena/arena_test.h"

using namespace acre_test;

namespace {

class Prefault : public testing::Test {
  protected:
    void SetUp() override
    {
        Arena arena;
        acre_status status = acre_arena_prefault(&arena, 1);
        if (acre_status_unsupported(status))
            GTEST_SKIP() << "this system does not populate";
        EXPECT_EQ(ACRE_OK, status);
    }
};

}  // namespace

TEST_F(Prefault, populates_what_was_committed)
{
    if (emulated())
        GTEST_SKIP() << "residency is the kernel's own";
    Arena arena(fresh());
    unsigned char *block = bytes(&arena, 1000);
    std::memset(block, 7, 1000);
    ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arena, 20 * MIB));
    size_t before = stats_of(&arena).resident;
    EXPECT_LE(before, 3 * MIB);
    EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, 8 * MIB));
    EXPECT_GE(stats_of(&arena).resident, 8 * MIB);
    EXPECT_LE(stats_of(&arena).resident, before + 11 * MIB);
    EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, SIZE_MAX));
    EXPECT_GE(stats_of(&arena).resident, 20 * MIB);
    EXPECT_TRUE(all_are(block, 1000, 7));
    EXPECT_TRUE(all_are(acre_arena_zalloc(&arena, 20 * MIB, 1), 20 * MIB, 0));
}

TEST_F(Prefault, nothing_is_ok)
{
    Arena arena(fresh());
    acre_arena before = arena;
    EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, 0));
    EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, SIZE_MAX));
    EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, SIZE_MAX));
    EXPECT_TRUE(unchanged(before, arena));
}

TEST_F(Prefault, of_the_callers_memory)
{
    static unsigned char memory[1 << 20];
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_over(memory + 100, sizeof memory - 100, &arena));
    memory[sizeof memory - 1] = 7;
    EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, SIZE_MAX));
    EXPECT_EQ(7, memory[sizeof memory - 1]);
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

TEST_F(Prefault, of_an_arena_with_its_core_elsewhere)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot wipe memory at fork";
    Arena arena(with_flags(ACRE_ARENA_WIPE_ON_FORK));
    ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arena, MIB));
    EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, SIZE_MAX));
}

TEST_F(Prefault, another_thread_may_while_the_owner_goes_on)
{
    const int rounds = emulated() ? 1 : 20;
    for (int round = 0; round < rounds; round++) {
        Arena arena;
        std::atomic<bool> done{false};
        std::atomic<int> populated{0};
        std::thread helper([&] {
            do {
                acre_status status = acre_arena_prefault(&arena, 256 * KIB);
                ASSERT_TRUE(status == ACRE_OK || status == ACRE_BUSY) << status;
                populated += status == ACRE_OK;
                std::this_thread::yield();
            } while (!done);
        });
        while (populated == 0)
            std::this_thread::yield();
        for (int i = 0; i < 4; i++) {
            acre_arena_mark mark = acre_arena_save(&arena);
            unsigned char *last = nullptr;
            for (int k = 0; k < 300; k++) {
                last = bytes(&arena, 10000);
                ASSERT_NE(nullptr, last);
                std::memset(last, k, 10000);
                ASSERT_TRUE(all_are(last, 10000, static_cast<unsigned char>(k)));
            }
            ASSERT_TRUE(all_are(acre_arena_zalloc(&arena, 100000, 1), 100000, 0));
            acre_arena_restore(&arena, mark);
            EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, size_t(i) * 100 * KIB));
            acre_arena_reset(&arena);
        }
        done = true;
        helper.join();
    }
}

TEST_F(Prefault, one_at_a_time)
{
    Arena arena(fresh());
    ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arena, (emulated() ? 8 : 64) * MIB));
    const int tries = emulated() ? 5 : 50;
    std::atomic<int> busy{0};
    std::atomic<int> ok{0};
    auto body = [&] {
        for (int i = 0; i < tries; i++) {
            acre_status status = acre_arena_prefault(&arena, SIZE_MAX);
            busy += status == ACRE_BUSY;
            ok += status == ACRE_OK;
        }
    };
    std::thread one(body);
    std::thread two(body);
    one.join();
    two.join();
    EXPECT_EQ(2 * tries, busy + ok);
    EXPECT_GE(ok, 1);
    EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, 1));
}

TEST_F(Prefault, of_a_thread_that_a_fork_left_behind_is_not_waited_for)
{
    need_fork();
    if (SANITIZED)
        GTEST_SKIP() << "a sanitizer does not expect threads at a fork";
    Arena arena(fresh());
    ASSERT_EQ(ACRE_OK, acre_arena_ensure(&arena, (emulated() ? 2 : 64) * MIB));
    std::atomic<bool> done{false};
    std::atomic<bool> begun{false};
    std::thread helper([&] {
        while (!done) {
            (void)acre_status_unsupported(acre_arena_prefault(&arena, SIZE_MAX));
            begun = true;
        }
    });
    while (!begun)
        std::this_thread::yield();
    for (int i = 0; i < 10; i++) {
        in_child_expect([&] {
            EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, 1));
            EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
            EXPECT_EQ(ACRE_OK, acre_arena_prefault(&arena, 1));
            EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
        });
    }
    done = true;
    helper.join();
}
