// Boost's fcontext runs on acre's stacks.
#ifdef ACRE_WITHOUT_BOOST_CONTEXT
#include "gtest/gtest.h"

TEST(Fcontext, needs_its_library)
{
    GTEST_SKIP() << "built without libboost-context-dev";
}
#else
#include "acre/stack_fcontext.h"

#include <boost/context/detail/fcontext.hpp>  // both can be included
#include <csignal>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "acre/stack_overflow.h"
#include "gtest/gtest.h"
#include "tests/stack/adapters/where.h"
#include "tests/stack/pool.h"
#include "tests/support/support.h"

#ifdef __linux__
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#endif

using namespace acre_test;

namespace {

// A coroutine in the header of its stack.
struct Task {
    acre_fcontext coroutine;
    acre_stack stack;
    const acre_stack_pool *pool;
    Task *other;
    acre_fcontext *main;
    std::string *said;
    int right;
};

class Tasks {
  public:
    Tasks() : pool_(&opts_)
    {
        acre_fcontext_open_thread(&thread);
    }

    Task *start(acre_fcontext_body body)
    {
        acre_stack stack = pool_.take();
        Task *task = static_cast<Task *>(stack.header);
        *task = Task();
        task->stack = stack;
        task->pool = pool_;
        task->said = &said;
        task->main = &thread;
        acre_fcontext_open(&task->coroutine, &stack, body);
        return task;
    }
    void *resume(Task *task, void *message = nullptr)
    {
        return acre_fcontext_resume(&thread, &task->coroutine, message);
    }
    void end(Task *task)
    {
        acre_stack stack = task->stack;
        acre_fcontext_close(&task->coroutine);
        pool_.give(stack);
    }

    acre_fcontext thread;
    std::string said;

  private:
    static acre_stack_pool_opts with_header()
    {
        acre_stack_pool_opts opts = {};
        opts.header_size = sizeof(Task);
        return opts;
    }
    acre_stack_pool_opts opts_ = with_header();
    Pool pool_;
};

Task &task_of(acre_fcontext *self)
{
    return *reinterpret_cast<Task *>(self);
}

// Returns three times the number that came with each switch, and the last one as it is.
void *triple(acre_fcontext *self, void *first)
{
    Task &task = task_of(self);
    int *number = static_cast<int *>(first);
    while (*number != 0) {
        task.right += runs_in(task.pool) && stack_here().base == task.stack.base;
        *number *= 3;
        number = static_cast<int *>(acre_fcontext_yield(self, number));
    }
    return number;
}

TEST(Fcontext, runs_on_its_stack_and_messages_go_both_ways)
{
    Tasks tasks;
    Task *task = tasks.start(triple);
    EXPECT_EQ(nullptr, task->coroutine.resumer);
    for (int i = 1; i <= 10; i++) {
        int number = i;
        EXPECT_EQ(&number, tasks.resume(task, &number));
        EXPECT_EQ(3 * i, number);
        EXPECT_EQ(&tasks.thread, task->coroutine.resumer);
        EXPECT_EQ(nullptr, tasks.thread.resumer);
        EXPECT_FALSE(task->coroutine.ended);
    }
    EXPECT_EQ(10, task->right);
    int zero = 0;
    EXPECT_EQ(&zero, tasks.resume(task, &zero));
    EXPECT_TRUE(task->coroutine.ended);
    tasks.end(task);
}

TEST(Fcontext, a_thousand_at_once)
{
    Tasks tasks;
    std::vector<Task *> all(1000);
    for (Task *&task : all)
        task = tasks.start(triple);
    int number;
    for (int round = 1; round <= 3; round++) {
        for (Task *task : all) {
            number = round;
            tasks.resume(task, &number);
            EXPECT_EQ(3 * round, number);
        }
    }
    for (Task *task : all) {
        number = 0;
        tasks.resume(task, &number);
        EXPECT_TRUE(task->coroutine.ended);
        EXPECT_EQ(3, task->right);
        tasks.end(task);
    }
}

void *inner(acre_fcontext *self, void *)
{
    task_of(self).said->append("inner ");
    acre_fcontext_yield(self, nullptr);
    task_of(self).said->append("again ");
    return nullptr;
}

void *outer(acre_fcontext *self, void *)
{
    Task &task = task_of(self);
    acre_fcontext_resume(self, &task.other->coroutine, nullptr);
    task.said->append("outer ");
    acre_fcontext_yield(self, nullptr);
    acre_fcontext_resume(self, &task.other->coroutine, nullptr);
    return nullptr;
}

TEST(Fcontext, a_coroutine_resumes_another)
{
    Tasks tasks;
    Task *task = tasks.start(outer);
    task->other = tasks.start(inner);
    tasks.resume(task);
    tasks.said += "main ";
    tasks.resume(task);
    EXPECT_EQ("inner outer main again ", tasks.said);
    EXPECT_TRUE(task->coroutine.ended);
    EXPECT_TRUE(task->other->coroutine.ended);
    tasks.end(task->other);
    tasks.end(task);
}

void *second_in_ring(acre_fcontext *self, void *)
{
    Task &task = task_of(self);
    task.said->append("second ");
    acre_fcontext_resume(self, task.main, nullptr);
    return nullptr;
}

void *first_in_ring(acre_fcontext *self, void *)
{
    Task &task = task_of(self);
    task.said->append("first ");
    acre_fcontext_resume(self, &task.other->coroutine, nullptr);
    task.said->append("back ");
    return nullptr;
}

TEST(Fcontext, another_may_come_back_than_was_resumed)
{
    Tasks tasks;
    Task *task = tasks.start(first_in_ring);
    task->other = tasks.start(second_in_ring);
    tasks.resume(task);
    EXPECT_EQ(&task->other->coroutine, tasks.thread.resumer);
    tasks.resume(task);
    EXPECT_EQ("first second back ", tasks.said);
    EXPECT_TRUE(task->coroutine.ended);
    EXPECT_FALSE(task->other->coroutine.ended);
    tasks.resume(task->other);
    EXPECT_TRUE(task->other->coroutine.ended);
    tasks.end(task->other);
    tasks.end(task);
}

void *yield_in_catch(acre_fcontext *self, void *what)
{
    std::string &said = *task_of(self).said;
    try {
        throw std::runtime_error(static_cast<const char *>(what));
    } catch (const std::exception &) {
        acre_fcontext_yield(self, nullptr);
        try {
            throw;
        } catch (const std::exception &mine) {
            said += mine.what();
        }
    }
    return nullptr;
}

TEST(Fcontext, exceptions_are_each_coroutines_own)
{
    Tasks tasks;
    Task *a = tasks.start(yield_in_catch);
    Task *b = tasks.start(yield_in_catch);
    char of_a[] = "a ", of_b[] = "b ";
    tasks.resume(a, of_a);
    tasks.resume(b, of_b);
    EXPECT_EQ(nullptr, std::current_exception());
    tasks.resume(a);
    tasks.resume(b);
    EXPECT_EQ("a b ", tasks.said);
    EXPECT_EQ(nullptr, std::current_exception());
    tasks.end(a);
    tasks.end(b);
}

TEST(Fcontext, one_that_is_left_in_the_middle_gives_its_stack_back)
{
    Tasks tasks;
    for (int round = 0; round < 100; round++) {
        Task *task = tasks.start(triple);
        int number = 1;
        tasks.resume(task, &number);
        EXPECT_FALSE(task->coroutine.ended);
        tasks.end(task);
    }
}

TEST(Fcontext, goes_on_in_another_thread)
{
    Tasks tasks;
    Task *task = tasks.start(triple);
    int number = 1;
    tasks.resume(task, &number);
    std::thread([&] {
        acre_fcontext thread;
        acre_fcontext_open_thread(&thread);
        acre_fcontext_resume(&thread, &task->coroutine, &number);
    }).join();
    EXPECT_EQ(9, number);
    tasks.resume(task, &number);
    EXPECT_EQ(27, number);
    EXPECT_EQ(3, task->right);
    tasks.end(task);
}

TEST(Fcontext, runs_on_a_stack_of_its_own)
{
    acre_stack stack;
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &stack));
    acre_fcontext thread, coroutine;
    acre_fcontext_open_thread(&thread);
    acre_fcontext_open(&coroutine, &stack,
                       [](acre_fcontext *, void *) { return stack_here().base; });
    EXPECT_EQ(stack.base, acre_fcontext_resume(&thread, &coroutine, nullptr));
    acre_fcontext_close(&coroutine);
    EXPECT_EQ(ACRE_OK, acre_stack_destroy(&stack));
}

enum { CAME_BACK = 9 };

// Boost itself ends the program in silence, and calls that a success.
TEST(Fcontext, resuming_one_that_has_ended_dies)
{
    Tasks tasks;
    Task *task = tasks.start(triple);
    int zero = 0;
    tasks.resume(task, &zero);
    ASSERT_TRUE(task->coroutine.ended);
    Ended ended = in_child([&] {
        tasks.resume(task, &zero);
        return CAME_BACK;
    });
    EXPECT_FALSE(ended.exited && (ended.code == 0 || ended.code == CAME_BACK)) << ended.code;
    tasks.end(task);
}

// Never returns within the stack: each level keeps its frame.
__attribute__((noinline)) int descend(int depth)
{
    volatile char frame[256];
    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

enum { REPORTED = 7, REPORTED_WRONG = 8 };

void report(const acre_stack_info *info, const void *, const void *, void *task)
{
    bool right =
        info->base == static_cast<Task *>(task)->stack.base && info->where == ACRE_STACK_GUARD;
    _exit(right ? REPORTED : REPORTED_WRONG);
}

TEST(Fcontext, overflow_is_reported_with_its_stack)
{
    Tasks tasks;
    Task *task = tasks.start([](acre_fcontext *, void *) {
        return descend(0) != 0 ? nullptr : static_cast<void *>(nullptr);
    });
    Ended ended = in_child([&] {
        if (acre_stack_overflow_install(report, task) != ACRE_OK)
            return 1;
        tasks.resume(task);
        return 2;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(REPORTED, ended.code);
    tasks.end(task);
}

#if defined(__linux__) && !defined(ACRE_SWITCH_ASAN_) && !defined(ACRE_SWITCH_TSAN_)
// From here on the kernel kills this process at any other system call than read, write and exit.
bool allow_no_system_calls()
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0;
}

// Contexts save the signal mask: so the kernel does watch.
TEST(Fcontext, a_switch_makes_no_system_call)
{
    if (emulated())
        GTEST_SKIP() << "an emulator makes system calls of its own";
    Tasks tasks;
    Task *task = tasks.start(triple);
    Ended ended = in_child([&] {
        int number = 1;
        tasks.resume(task, &number);
        if (!allow_no_system_calls())
            return 2;
        number = 1;
        tasks.resume(task, &number);
        syscall(SYS_exit, number);
        return 3;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(3, ended.code);
    tasks.end(task);

    Ended by_contexts = in_child([] {
        ucontext_t context;
        if (!allow_no_system_calls() || getcontext(&context) != 0)
            return 2;
        syscall(SYS_exit, 3);
        return 3;
    });
    EXPECT_FALSE(by_contexts.exited);
    EXPECT_EQ(SIGKILL, by_contexts.code);
}
#endif

}  // namespace
#endif
