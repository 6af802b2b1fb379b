// Stacks in the children of a fork.

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "acre/page.h"
#include "acre/stack.h"
#include "acre/stack_bounds.h"
#include "acre/stack_sleep.h"
#include "gtest/gtest.h"
#include "tests/support/expect.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE(
    "Fork.dont_fork_stacks_are_nobodys_in_the_child "
    "Fork.a_dont_fork_handle_does_not_hurt_the_childs_stack_at_the_same_address");

char *bytes(const acre_stack &stack)
{
    return static_cast<char *>(stack.base);
}

bool is_ours(const void *address, const acre_stack &stack)
{
    acre_stack_info info;
    return acre_stack_find(address, &info) == ACRE_OK && info.base == stack.base &&
           info.generation == stack.generation;
}

bool is_nobodys(const void *address)
{
    acre_stack_info info;
    return acre_stack_find(address, &info) == ACRE_NOT_OURS;
}

TEST(Fork, child_finds_uses_and_destroys_its_copies)
{
    acre_stack stack;
    ASSERT_EQ(acre_stack_create(65536, nullptr, &stack), ACRE_OK);
    ASSERT_EQ(acre_stack_commit(&stack, stack.size), ACRE_OK);
    bytes(stack)[0] = 5;

    acre_test::expect_success(acre_test::in_child([stack]() mutable {
        acre_stack before = stack;
        STEP(1, is_ours(bytes(stack), stack) && is_ours(bytes(stack) - 1, stack));
        STEP(2, bytes(stack)[0] == 5);
        STEP(3, !acre_test::readable(bytes(stack) - 1));
        bytes(stack)[0] = 6;
        STEP(4, acre_stack_destroy(&stack) == ACRE_OK);
        STEP(5, is_nobodys(before.base) && !acre_test::readable(before.base));
        STEP(6, acre_stack_destroy(&before) == ACRE_STALE);
        acre_stack own;
        STEP(7, acre_stack_create(65536, nullptr, &own) == ACRE_OK);
        STEP(8, is_ours(own.base, own) && acre_stack_destroy(&own) == ACRE_OK);
        return 0;
    }));

    // The parent's is another.
    EXPECT_TRUE(is_ours(bytes(stack), stack));
    EXPECT_EQ(bytes(stack)[0], 5);
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

// Also what is mapped at its address later stays as it is.
int use_absent(acre_stack stack)
{
    const acre_stack before = stack;
    size_t used = 9;
    STEP(1, !acre_test::readable(stack.base));
    STEP(2, is_nobodys(bytes(stack)) && is_nobodys(bytes(stack) - 1));
    void *other = mmap(stack.base, stack.size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    STEP(3, other == stack.base);
    STEP(4, is_nobodys(other));
    STEP(5, acre_stack_used(&stack, &used) == ACRE_NOT_OURS && used == 9);
    STEP(6, acre_stack_destroy(&stack) == ACRE_NOT_OURS);
    STEP(7, std::memcmp(&stack, &before, sizeof(stack)) == 0 && acre_test::readable(other));
    return 0;
}

int use_own()
{
    acre_stack_opts opts = {};
    opts.flags = ACRE_STACK_DONT_FORK;
    acre_stack own;
    STEP(11, acre_stack_create(65536, &opts, &own) == ACRE_OK);
    STEP(12, is_ours(own.base, own));
    acre_test::Ended ended = acre_test::in_child([&] { return use_absent(own); });
    STEP(13, ended.exited && ended.code == 0);
    STEP(14, acre_stack_destroy(&own) == ACRE_OK);
    return 0;
}

TEST(Fork, dont_fork_stacks_are_nobodys_in_the_child)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "without memory that a fork wipes, the child cannot tell";
    acre_stack_opts opts = {};
    opts.flags = ACRE_STACK_DONT_FORK;
    acre_stack stack;
    ASSERT_EQ(acre_stack_create(65536, &opts, &stack), ACRE_OK);
    acre_test::expect_success(acre_test::in_child([&] {
        int failed = use_absent(stack);
        return failed != 0 ? failed : use_own();
    }));
    // Having stacks of its own does not give the child the parent's.
    acre_test::expect_success(acre_test::in_child([&] {
        int failed = use_own();
        return failed != 0 ? failed : use_absent(stack);
    }));
    EXPECT_TRUE(is_ours(stack.base, stack));
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

// What its handle would do to another stack, which the child creates at the same address.
int use_handle_over_another(acre_stack absent)
{
    const acre_stack before = absent;
    acre_stack other = {};
    // Into the first hole that is large enough, sooner or later into this one.
    for (int i = 0; i < 1000 && other.base != absent.base; i++)
        STEP(1, acre_stack_create(65536, nullptr, &other) == ACRE_OK);
    if (other.base != absent.base)
        return 99;
    STEP(12, other.generation == absent.generation);
    STEP(2, acre_stack_commit(&other, other.size) == ACRE_OK);
    std::memset(other.base, 1, other.size);
    size_t bytes = 9;
    STEP(3, acre_stack_used(&absent, &bytes) == ACRE_NOT_OURS && bytes == 9);
    STEP(4, acre_stack_commit(&absent, 1) == ACRE_NOT_OURS);
    STEP(5, acre_stack_sleep_size(&absent, absent.base, &bytes) == ACRE_NOT_OURS && bytes == 9);
    acre_stack_bounds bounds;
    STEP(6, acre_stack_bounds_of(&absent, &bounds) == ACRE_NOT_OURS);
    STEP(7, acre_stack_destroy(&absent) == ACRE_NOT_OURS);
    STEP(8, std::memcmp(&absent, &before, sizeof(absent)) == 0);
    STEP(9, acre_test::readable(other.base) && is_ours(other.base, other));
    std::memset(other.base, 2, other.size);
    STEP(10, acre_stack_destroy(&other) == ACRE_OK);
    STEP(11, acre_stack_destroy(&absent) == ACRE_NOT_OURS);
    return 0;
}

TEST(Fork, a_dont_fork_handle_does_not_hurt_the_childs_stack_at_the_same_address)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "without memory that a fork wipes, the child cannot tell";
    // These take the records that were used before: the next ones begin at the same generation.
    acre_stack others[32];
    for (acre_stack &other : others)
        ASSERT_EQ(acre_stack_create(65536, nullptr, &other), ACRE_OK);
    acre_stack_opts opts = {};
    opts.flags = ACRE_STACK_DONT_FORK;
    acre_stack stack;
    ASSERT_EQ(acre_stack_create(65536, &opts, &stack), ACRE_OK);
    acre_test::Ended ended = acre_test::in_child([&] { return use_handle_over_another(stack); });
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
    for (acre_stack &other : others)
        EXPECT_EQ(acre_stack_destroy(&other), ACRE_OK);
    if (ended.exited && ended.code == 99)
        GTEST_SKIP() << "the system gave the child another address";
    acre_test::expect_success(ended);
}

TEST(Fork, in_the_middle_of_other_threads_work_leaves_the_child_working)
{
    acre_test::need_fork();
    std::atomic<bool> stop{false};
    std::vector<std::thread> busy;
    busy.reserve(2);
    for (int i = 0; i < 2; i++) {
        busy.emplace_back([&] {
            while (!stop.load()) {
                acre_stack stack;
                if (acre_stack_create(16384, nullptr, &stack) == ACRE_OK) {
                    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
                }
            }
        });
    }
    // qemu-user 7.2 gives ever higher addresses to what is mapped, and copies tables for all of
    // them.
    for (size_t round = 0; round < acre_test::rounds(50); round++) {
        acre_test::expect_success(acre_test::in_child([] {
            acre_stack stacks[20];
            for (acre_stack &stack : stacks)
                STEP(1, acre_stack_create(16384, nullptr, &stack) == ACRE_OK);
            for (acre_stack &stack : stacks)
                STEP(2, is_ours(stack.base, stack));
            for (acre_stack &stack : stacks)
                STEP(3, acre_stack_destroy(&stack) == ACRE_OK);
            return 0;
        }));
    }
    stop = true;
    for (std::thread &thread : busy)
        thread.join();
}

}  // namespace
