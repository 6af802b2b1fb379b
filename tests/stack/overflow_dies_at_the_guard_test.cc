// A stack that runs over ends the process at its guard, whichever way the guard is made.
#include "acre/page.h"
#include "acre/stack.h"
#include "gtest/gtest.h"
#include "mmap/port/memory.h"
#include "tests/stack/guards.h"
#include "tests/support/posix.h"
#include "tests/support/run_on.h"
#include "tests/support/support.h"

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

class Overflow : public acre_test::EachGuard {
  protected:
    void SetUp() override
    {
        EachGuard::SetUp();
        if (IsSkipped())
            return;
        ASSERT_EQ(acre_stack_create(64 * 1024, nullptr, &stack_), ACRE_OK);
        ASSERT_EQ(stack_.guard_kind, static_cast<uint32_t>(GetParam()));
    }

    void TearDown() override
    {
        if (stack_.base != nullptr) {
            EXPECT_EQ(acre_stack_destroy(&stack_), ACRE_OK);
        }
        acre_port_pretend_nothing();
    }

    acre_stack stack_ = {};
};

bool is_fault(const acre_test::Ended &ended)
{
    return !ended.exited && (ended.code == SIGSEGV || ended.code == SIGBUS);
}

// Never returns within the stack: each level keeps its frame.
__attribute__((noinline)) int descend(int depth)
{
    volatile char frame[256];
    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

void run_over()
{
    _exit(descend(0) & 1);
}

// Runs `entry` on the stack.
int run_on(const acre_stack &stack, void (*entry)())
{
    return acre_test::run_on(stack, entry) ? 0 : -1;
}

acre_stack expected;

void report(int, siginfo_t *info, void *)
{
    acre_stack_info found;
    bool right = acre_stack_find(info->si_addr, &found) == ACRE_OK &&
                 found.where == ACRE_STACK_GUARD && found.base == expected.base;
    _exit(right ? 42 : 43);
}

TEST_P(Overflow, recursion_dies)
{
    EXPECT_TRUE(is_fault(acre_test::in_child([this] { return run_on(stack_, run_over); })));
}

TEST_P(Overflow, the_fault_lies_in_this_stacks_guard)
{
    // A neighbour on either side: the guard that is hit must be the right one.
    acre_stack others[2];
    for (acre_stack &other : others)
        ASSERT_EQ(acre_stack_create(64 * 1024, nullptr, &other), ACRE_OK);
    expected = stack_;
    acre_test::Ended ended = acre_test::in_child([this] {
        struct sigaction action = {};
        action.sa_sigaction = report;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        if (sigaction(SIGSEGV, &action, nullptr) != 0 || sigaction(SIGBUS, &action, nullptr) != 0)
            return 44;
        return run_on(stack_, [] {
            // Here, since it may be a thread of its own.
            static char alternate[64 * 1024];
            stack_t signals = {};
            signals.ss_sp = alternate;
            signals.ss_size = sizeof(alternate);
            if (sigaltstack(&signals, nullptr) == 0)
                run_over();
        });
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(ended.code, 42);
    for (acre_stack &other : others)
        EXPECT_EQ(acre_stack_destroy(&other), ACRE_OK);
}

TEST_P(Overflow, every_page_of_the_guard_faults)
{
    const size_t page = acre_page_size();
    char *base = static_cast<char *>(stack_.base);
    acre_stack_info info;
    size_t pages = 0;
    for (char *at = base - page; acre_stack_find(at, &info) == ACRE_OK && info.base == base;
         at -= page) {
        EXPECT_TRUE(acre_test::signal_of_write(at) == SIGSEGV ||
                    acre_test::signal_of_write(at) == SIGBUS);
        EXPECT_NE(acre_test::signal_of_read(at + page - 1), 0);
        pages++;
    }
    EXPECT_GE(pages * page, 16384u);
}

TEST_P(Overflow, the_byte_above_the_guard_is_usable)
{
    ASSERT_EQ(acre_stack_commit(&stack_, stack_.size), ACRE_OK);
    EXPECT_EQ(acre_test::signal_of_write(stack_.base), 0);
    EXPECT_EQ(acre_test::signal_of_write(static_cast<char *>(stack_.base) + stack_.size - 1), 0);
}

TEST_P(Overflow, system_calls_cannot_reach_the_guard)
{
    ASSERT_EQ(acre_stack_commit(&stack_, stack_.size), ACRE_OK);
    EXPECT_TRUE(acre_test::readable(stack_.base));
    EXPECT_FALSE(acre_test::readable(static_cast<char *>(stack_.base) - 1));
}

bool ran;

TEST_P(Overflow, what_fits_runs)
{
    ran = false;
    EXPECT_EQ(run_on(stack_, [] { ran = true; }), 0);
    EXPECT_TRUE(ran);
}

FOR_EACH_GUARD(Overflow);

}  // namespace
