// Threads enter and leave: a signal stack is given to those that have none, and taken back.
#include <cerrno>
#include <thread>

#include "acre/stack_overflow.h"
#include "gtest/gtest.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

stack_t signal_stack()
{
    stack_t now = {};
    EXPECT_EQ(0, sigaltstack(nullptr, &now));
    return now;
}

// Runs `body` in a thread that has no signal stack, whatever a sanitizer gave it.
void in_thread(void (*body)())
{
    std::thread([body] {
        stack_t before = {};
        stack_t none = {};
        none.ss_flags = SS_DISABLE;
        none.ss_size = 65536;
        ASSERT_EQ(0, sigaltstack(&none, &before));
        body();
        if ((before.ss_flags & SS_DISABLE) == 0) {
            ASSERT_EQ(0, sigaltstack(&before, nullptr));
        }
    }).join();
}

TEST(SignalStack, is_given_until_the_last_leave)
{
    in_thread([] {
        EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        stack_t given = signal_stack();
        EXPECT_EQ(0, given.ss_flags);
        EXPECT_GE(given.ss_size, 65536u);
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        EXPECT_EQ(given.ss_sp, signal_stack().ss_sp);
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        EXPECT_EQ(given.ss_sp, signal_stack().ss_sp);
        EXPECT_EQ(0, signal_stack().ss_flags);
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        EXPECT_EQ(SS_DISABLE, signal_stack().ss_flags);
        EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
    });
}

TEST(SignalStack, is_guarded)
{
    in_thread([] {
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        char *base = static_cast<char *>(signal_stack().ss_sp);
        acre_stack_info info;
        ASSERT_EQ(ACRE_OK, acre_stack_find(base - 1, &info));
        EXPECT_EQ(ACRE_STACK_GUARD, info.where);
        EXPECT_TRUE(readable(base));
        EXPECT_FALSE(readable(base - 1));
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        EXPECT_EQ(ACRE_NOT_OURS, acre_stack_find(base - 1, &info));
    });
}

TEST(SignalStack, of_the_threads_own_is_kept)
{
    in_thread([] {
        static char own[65536];
        stack_t mine = {};
        mine.ss_sp = own;
        mine.ss_size = sizeof own;
        ASSERT_EQ(0, sigaltstack(&mine, nullptr));
        for (int i = 0; i < 3; i++)
            EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        EXPECT_EQ(own, signal_stack().ss_sp);
        for (int i = 0; i < 3; i++)
            EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
        EXPECT_EQ(own, signal_stack().ss_sp);
        EXPECT_EQ(0, signal_stack().ss_flags);
        mine.ss_flags = SS_DISABLE;
        EXPECT_EQ(0, sigaltstack(&mine, nullptr));
    });
}

TEST(SignalStack, that_replaced_ours_is_left_alone)
{
    in_thread([] {
        static char own[65536];
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        void *given = signal_stack().ss_sp;
        stack_t mine = {};
        mine.ss_sp = own;
        mine.ss_size = sizeof own;
        ASSERT_EQ(0, sigaltstack(&mine, nullptr));
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        EXPECT_EQ(own, signal_stack().ss_sp);
        acre_stack_info info;
        EXPECT_EQ(ACRE_NOT_OURS, acre_stack_find(given, &info));
        mine.ss_flags = SS_DISABLE;
        EXPECT_EQ(0, sigaltstack(&mine, nullptr));
    });
}

acre_status left_on_it;

TEST(SignalStack, that_was_taken_away_is_given_by_the_next_enter)
{
    for (bool theirs_first : {false, true}) {
        static bool first;
        first = theirs_first;
        in_thread([] {
            static char own[65536];
            stack_t mine = {}, none = {};
            mine.ss_sp = own;
            mine.ss_size = sizeof own;
            none.ss_flags = SS_DISABLE;
            none.ss_size = sizeof own;
            if (first) {
                ASSERT_EQ(0, sigaltstack(&mine, nullptr));
            }
            ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
            ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
            ASSERT_EQ(0, sigaltstack(&none, nullptr));
            ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
            stack_t given = signal_stack();
            EXPECT_EQ(0, given.ss_flags);
            EXPECT_NE(static_cast<void *>(own), given.ss_sp);
            acre_stack_info info;
            EXPECT_EQ(ACRE_OK, acre_stack_find(given.ss_sp, &info));
            for (int i = 0; i < 3; i++)
                EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
            EXPECT_EQ(SS_DISABLE, signal_stack().ss_flags);
            EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
        });
    }
}

TEST(SignalStack, cannot_be_left_from_itself)
{
    in_thread([] {
        struct sigaction action = {};
        struct sigaction before;
        action.sa_handler = [](int) { left_on_it = acre_stack_overflow_thread_leave(); };
        action.sa_flags = SA_ONSTACK;
        ASSERT_EQ(0, sigaction(SIGUSR1, &action, &before));
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        ASSERT_EQ(0, raise(SIGUSR1));
        EXPECT_EQ(-EPERM, left_on_it);
        EXPECT_EQ(0, signal_stack().ss_flags);
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        ASSERT_EQ(0, sigaction(SIGUSR1, &before, nullptr));
    });
}

TEST(SignalStack, is_each_threads_own)
{
    in_thread([] {
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        static void *first;
        first = signal_stack().ss_sp;
        in_thread([] {
            EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
            ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
            EXPECT_NE(first, signal_stack().ss_sp);
            EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        });
        EXPECT_EQ(first, signal_stack().ss_sp);
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
    });
}

TEST(SignalStack, goes_with_a_thread_that_ends_without_leaving)
{
    static void *given;
    in_thread([] {
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        given = signal_stack().ss_sp;
    });
    acre_stack_info info;
    EXPECT_EQ(ACRE_NOT_OURS, acre_stack_find(given, &info));
}

TEST(SignalStack, is_there_in_the_child_of_a_fork)
{
    in_thread([] {
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        Ended ended = in_child([] {
            return (signal_stack().ss_flags & SS_DISABLE) == 0 &&
                           acre_stack_overflow_thread_leave() == ACRE_OK &&
                           acre_stack_overflow_thread_leave() == ACRE_BAD_STATE
                       ? 42
                       : 43;
        });
        EXPECT_TRUE(ended.exited);
        EXPECT_EQ(42, ended.code);
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
    });
}

TEST(SignalStack, leaves_errno_alone)
{
    in_thread([] {
        errno = EDOM;
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
        EXPECT_EQ(EDOM, errno);
    });
}

}  // namespace
