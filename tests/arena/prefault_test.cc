// Pages populated beforehand, by another thread while the owner goes on.
#include <atomic>
#include <thread>

#include "tests/arena/arena_test.h"

#ifdef __linux__
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#endif

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
    for (size_t round = 0; round < rounds(20); round++) {
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
    const size_t tries = rounds(50);
    std::atomic<int> busy{0};
    std::atomic<int> ok{0};
    auto body = [&] {
        for (size_t i = 0; i < tries; i++) {
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

#ifdef __linux__

namespace {

// Children from here on are processes 1, 2, ... of a namespace of their own.
bool begin_namespace()
{
    return unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0;
}

// What `body` returns in a child, which also ends with this process: no alarm ends the first
// process of a namespace.
int run_in_fork(int (*body)(acre_arena *), acre_arena *arena)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(body(arena));
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return 1;
    return WEXITSTATUS(status);
}

int destroy_as_process_1(acre_arena *arena)
{
    if (getpid() != 1)
        return 2;
    if (acre_arena_prefault(arena, 1) != ACRE_OK)
        return 3;
    return acre_arena_destroy(arena) == ACRE_OK ? 0 : 4;
}

int fork_as_process_1(acre_arena *arena)
{
    if (getpid() != 1)
        return 5;
    std::atomic<bool> done{false};
    std::atomic<bool> begun{false};
    std::thread helper([&] {
        while (!done) {
            (void)acre_status_unsupported(acre_arena_prefault(arena, SIZE_MAX));
            begun = true;
        }
    });
    while (!begun)
        std::this_thread::yield();
    int failed = unshare(CLONE_NEWPID) == 0 ? 0 : 6;
    // A namespace ends with its process 1, and has no other.
    if (failed == 0)
        failed = run_in_fork(destroy_as_process_1, arena);
    done = true;
    helper.join();
    return failed;
}

}  // namespace

TEST_F(Prefault, of_a_thread_with_the_same_process_number_is_not_waited_for)
{
    if (SANITIZED)
        GTEST_SKIP() << "a sanitizer does not expect threads at a fork";
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "without memory that a fork wipes, processes are known by their number";
    const int without = 77;
    for (int i = 0; i < 5; i++) {
        Ended ended = in_child([&] {
            Arena arena(fresh());
            if (!begin_namespace())
                return without;
            if (acre_arena_ensure(&arena, (emulated() ? 2 : 64) * MIB) != ACRE_OK)
                return 7;
            return run_in_fork(fork_as_process_1, &arena);
        });
        ASSERT_TRUE(ended.exited) << "signal " << ended.code;
        if (ended.code == without)
            GTEST_SKIP() << "no namespaces of processes are to be had here";
        ASSERT_EQ(0, ended.code);
    }
}

#endif
