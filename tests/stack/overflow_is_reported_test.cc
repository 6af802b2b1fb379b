// An overflow is reported once, with the right stack, wherever and however a stack runs over; the
// thread can go on.
#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

#include "acre/stack_overflow.h"
#include "gtest/gtest.h"
#include "mmap/port/memory.h"
#include "tests/stack/overrun.h"
#include "tests/support/posix.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

// What a child answers when all went well.
const int RIGHT = 42;

// Runs `body` in a child, where the report is installed, and expects RIGHT.
void expect_right(acre_stack_overflow_fn report, const std::function<int()> &body)
{
    static int context;
    Ended ended = in_child([&] {
        if (acre_stack_overflow_install(report, &context) != ACRE_OK)
            return 1;
        return body();
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(RIGHT, ended.code);
}

bool is_fault(const Ended &ended)
{
    return !ended.exited && (ended.code == SIGSEGV || ended.code == SIGBUS);
}

class OverflowReport : public testing::TestWithParam<acre_guard_kind> {
  protected:
    void SetUp() override
    {
        use_guards(GetParam());
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
};

// ---- ways to run over ---------------------------------------------------------------------------

void expect_told_and_recovered(Way way)
{
    expect_right(note_and_recover, [way] {
        Subject subject;
        if (subject.create() != ACRE_OK || !subject.run_over(way))
            return 2;
        return subject.was_told_of() && subject.report.count == 1 ? RIGHT : 3;
    });
}

TEST_P(OverflowReport, of_recursion_is_told)
{
    expect_told_and_recovered(recurse);
}

TEST_P(OverflowReport, of_large_frames_is_told)
{
    expect_told_and_recovered(enter_large_frames);
}

TEST_P(OverflowReport, of_alloca_is_told)
{
    expect_told_and_recovered(allocate_on_stack);
}

TEST_P(OverflowReport, in_a_signal_handler_on_the_stack_is_told)
{
#if TSAN
    GTEST_SKIP() << "ThreadSanitizer blocks every signal in a handler, faults included";
#endif
    expect_told_and_recovered([] {
        struct sigaction action = {};
        action.sa_handler = [](int) { recurse(); };
        if (sigaction(SIGUSR1, &action, nullptr) == 0)
            raise(SIGUSR1);
    });
}

TEST_P(OverflowReport, of_the_signal_stack_itself_ends_the_process)
{
    Subject subject;
    ASSERT_EQ(ACRE_OK, subject.create());
    Ended ended = in_child([&] {
        auto run_over_again = [](const acre_stack_info *, const void *, const void *, void *) {
            recurse();
        };
        if (!take_away_signal_stack() ||
            acre_stack_overflow_install(run_over_again, nullptr) != ACRE_OK)
            return 1;
        // Only acre's have a guard.
        stack_t own = {};
        acre_stack_info info;
        if (sigaltstack(nullptr, &own) != 0 ||
            acre_stack_find(static_cast<char *>(own.ss_sp) - 1, &info) != ACRE_OK ||
            info.where != ACRE_STACK_GUARD)
            return 4;
        return subject.run_over(recurse) ? 2 : 3;
    });
    EXPECT_TRUE(is_fault(ended));
    EXPECT_EQ(ACRE_OK, subject.destroy());
}

// ---- many ---------------------------------------------------------------------------------------

TEST_P(OverflowReport, of_hundreds_of_stacks_is_told_of_the_right_one)
{
    expect_right(note_and_recover, [] {
        static Subject subjects[300];
        for (Subject &subject : subjects) {
            if (subject.create() != ACRE_OK)
                return 2;
        }
        // In no order of addresses.
        for (size_t i = 0; i < 300; i++) {
            Subject &subject = subjects[i * 77 % 300];
            if (!subject.run_over(recurse) || !subject.was_told_of())
                return 3;
        }
        for (Subject &subject : subjects) {
            if (subject.report.count != 1 || subject.destroy() != ACRE_OK)
                return 4;
        }
        return RIGHT;
    });
}

TEST_P(OverflowReport, of_hundreds_of_a_pools_stacks_is_told_of_the_right_one)
{
    expect_right(note_and_recover, [] {
        static Subject subjects[300];
        acre_stack_pool *pool;
        if (Subject::make_pool(&pool) != ACRE_OK)
            return 2;
        for (Subject &subject : subjects) {
            if (subject.take(pool) != ACRE_OK)
                return 3;
        }
        for (size_t i = 0; i < 300; i++) {
            Subject &subject = subjects[i * 77 % 300];
            if (!subject.run_over(recurse) || !subject.was_told_of() ||
                subject.report.stack.pool != pool)
                return 4;
        }
        for (Subject &subject : subjects) {
            if (subject.report.count != 1 || subject.give(pool) != ACRE_OK)
                return 5;
        }
        return acre_stack_pool_destroy(pool) == ACRE_OK ? RIGHT : 6;
    });
}

TEST_P(OverflowReport, of_one_stack_again_and_again_is_told_each_time)
{
    expect_right(note_and_recover, [] {
        Subject subject;
        if (subject.create() != ACRE_OK)
            return 2;
        for (int i = 1; i <= 50; i++) {
            if (!subject.run_over(recurse) || subject.report.count != i)
                return 3;
        }
        return subject.destroy() == ACRE_OK ? RIGHT : 4;
    });
}

TEST_P(OverflowReport, in_several_threads_at_once_is_told_to_each)
{
    expect_right(note_and_recover, [] {
        bool right[4] = {};
        std::vector<std::thread> threads;
        for (bool &mine : right) {
            threads.emplace_back([&mine] {
                Subject subject;
                mine = subject.create() == ACRE_OK;
                for (int i = 1; i <= 50; i++)
                    mine = mine && subject.run_over(recurse) && subject.was_told_of() &&
                           subject.report.count == i;
                mine = mine && subject.destroy() == ACRE_OK;
            });
        }
        for (std::thread &thread : threads)
            thread.join();
        return right[0] && right[1] && right[2] && right[3] ? RIGHT : 2;
    });
}

// ---- what is told -------------------------------------------------------------------------------

TEST_P(OverflowReport, hands_the_context_over)
{
    expect_right(note_and_recover, [] {
        int mine;
        Subject subject;
        if (acre_stack_overflow_remove() != ACRE_OK ||
            acre_stack_overflow_install(note_and_recover, &mine) != ACRE_OK ||
            subject.create() != ACRE_OK || !subject.run_over(recurse))
            return 2;
        return subject.report.context == &mine ? RIGHT : 3;
    });
}

Subject *victim;

void expect_stray(Subject *from, const void *stack_pointer)
{
    const Report &report = victim->report;
    bool right = report.stack.base == victim->stack.base && Subject::at(stack_pointer) == from &&
                 report.stack_pointer == stack_pointer;
    _exit(right ? RIGHT : 43);
}

TEST_P(OverflowReport, is_told_from_a_stray_write_by_the_stack_pointer)
{
    auto report = [](const acre_stack_info *stack, const void *address, const void *pointer,
                     void *context) {
        note(stack, address, pointer, context);
        expect_stray(nullptr, pointer);
    };
    expect_right(report, [] {
        Subject subject;
        victim = &subject;
        if (subject.create() != ACRE_OK)
            return 2;
        static_cast<volatile char *>(subject.stack.base)[-1] = 1;
        return 3;
    });
}

TEST_P(OverflowReport, over_the_upper_end_names_the_next_stack_and_the_pointer_names_its_own)
{
    static Subject *writer;
    auto report = [](const acre_stack_info *stack, const void *address, const void *pointer,
                     void *context) {
        note(stack, address, pointer, context);
        expect_stray(writer, pointer);
    };
    expect_right(report, [] {
        Subject lower;
        Subject upper;
        victim = &upper;
        writer = &lower;
        if (lower.create() != ACRE_OK || upper.create() != ACRE_OK)
            return 2;
        // Where the second lies, whichever way the system maps: into its guard.
        return lower.run([] {
            if (acre_stack_overflow_thread_enter() == ACRE_OK)
                static_cast<volatile char *>(victim->stack.base)[-1] = 1;
        })
                   ? 3
                   : 4;
    });
}

TEST_P(OverflowReport, by_a_system_call_is_an_error_and_raises_nothing)
{
    Subject subject;
    ASSERT_EQ(ACRE_OK, subject.create());
    int ends[2];
    ASSERT_EQ(0, pipe(ends));
    ASSERT_EQ(4, write(ends[1], "four", 4));
    ASSERT_EQ(ACRE_OK, acre_stack_overflow_install(note, nullptr));
    errno = 0;
    EXPECT_EQ(-1, read(ends[0], static_cast<char *>(subject.stack.base) - 4, 4));
    EXPECT_EQ(EFAULT, errno);
    EXPECT_EQ(0, subject.report.count);
    EXPECT_EQ(ACRE_OK, acre_stack_overflow_remove());
    EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
    close(ends[0]);
    close(ends[1]);
    EXPECT_EQ(ACRE_OK, subject.destroy());
}

// ---- threads that did not enter -----------------------------------------------------------------

TEST_P(OverflowReport, in_a_thread_without_a_signal_stack_ends_the_process)
{
    auto report = [](const acre_stack_info *, const void *, const void *, void *) { _exit(43); };
    Ended ended = in_child([&] {
        Subject subject;
        if (acre_stack_overflow_install(report, nullptr) != ACRE_OK || subject.create() != ACRE_OK)
            return 1;
        std::thread([&] {
            subject.run([] {
                if (take_away_signal_stack())
                    recurse();
            });
        }).join();
        return 2;
    });
    EXPECT_TRUE(is_fault(ended));
}

INSTANTIATE_TEST_SUITE_P(Guards, OverflowReport,
                         testing::Values(ACRE_GUARD_MARKER, ACRE_GUARD_PAGES),
                         [](const testing::TestParamInfo<acre_guard_kind> &kind) {
                             return name_of(kind.param);
                         });

}  // namespace
