// On Windows an overflow is told to the handler on the stack that ran over; the thread can go on,
// and the stack be run on again.
#include <windows.h>

#include <thread>
#include <vector>

#include "acre/page.h"
#include "acre/stack_overflow.h"
#include "acre/stack_pool.h"
#include "gtest/gtest.h"
#include "tests/support/run_on.h"
#include "tests/support/support.h"

namespace {

volatile int sink;

template <size_t SIZE>
__attribute__((noinline)) int descend(int depth)
{
    volatile char frame[SIZE];
    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : descend<SIZE>(depth + 1) + frame[0];
}

void recurse()
{
    sink = descend<256>(0);
}

void enter_large_frames()
{
    sink = descend<100 * 1024>(0);
}

// A stack, what runs over it, and what was told.
struct Subject {
    acre_stack stack = {};
    void (*way)() = recurse;
    void *start[5] = {};  // where it goes on; as the compiler wants it
    acre_stack_info told = {};
    const void *address = nullptr;
    const void *stack_pointer = nullptr;
    int count = 0;
    bool has_recovered = false;
};

thread_local Subject *running;

void note(const acre_stack_info *stack, const void *address, const void *pointer, void *context)
{
    Subject *self = running;
    self->told = *stack;
    self->address = address;
    self->stack_pointer = pointer;
    self->count++;
    if (context != nullptr)
        return;
    // longjmp would look for handlers on its way.
    __builtin_longjmp(self->start, 1);
}

__attribute__((noinline)) void run_and_recover()
{
    if (__builtin_setjmp(running->start) == 0)
        running->way();
    else
        running->has_recovered = true;
}

bool run_over(Subject *subject, void (*way)())
{
    running = subject;
    subject->way = way;
    subject->has_recovered = false;
    return acre_test::run_on(subject->stack, run_and_recover) && subject->has_recovered;
}

bool lies_in(const void *address, const acre_stack &stack)
{
    return address >= stack.base && address < static_cast<char *>(stack.base) + stack.size;
}

void expect_told(const Subject &subject)
{
    acre_stack_info info;
    EXPECT_EQ(subject.stack.base, subject.told.base);
    EXPECT_EQ(uint32_t{ACRE_STACK_GUARD}, subject.told.where);
    EXPECT_EQ(subject.stack.generation, subject.told.generation);
    ASSERT_EQ(ACRE_OK, acre_stack_find(subject.address, &info));
    EXPECT_EQ(subject.stack.base, info.base);
    ASSERT_EQ(ACRE_OK, acre_stack_find(subject.stack_pointer, &info));
    EXPECT_EQ(subject.stack.base, info.base);
}

class Reported : public testing::Test {
  protected:
    void SetUp() override
    {
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_install(note, nullptr));
        ASSERT_EQ(ACRE_BUSY, acre_stack_overflow_install(note, nullptr));
    }
    void TearDown() override
    {
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_remove());
        EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_remove());
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
        EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
    }
};

TEST_F(Reported, each_time_and_each_way)
{
    Subject subject;
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &subject.stack));
    for (int i = 1; i <= 20; i++) {
        ASSERT_TRUE(run_over(&subject, i % 2 ? recurse : enter_large_frames)) << i;
        expect_told(subject);
        EXPECT_EQ(i, subject.count);
    }
    EXPECT_FALSE(lies_in(subject.address, subject.stack));
    EXPECT_EQ(ACRE_OK, acre_stack_destroy(&subject.stack));
}

TEST_F(Reported, of_a_pool_whose_stacks_are_used_again)
{
    acre_stack_pool *pool;
    ASSERT_EQ(ACRE_OK, acre_stack_pool_create(nullptr, &pool));
    for (int i = 0; i < 20; i++) {
        Subject subject;
        ASSERT_EQ(ACRE_OK, acre_stack_pool_take(pool, &subject.stack));
        ASSERT_TRUE(run_over(&subject, recurse)) << i;
        expect_told(subject);
        ASSERT_EQ(ACRE_OK, acre_stack_pool_give(pool, &subject.stack));
    }
    ASSERT_EQ(ACRE_OK, acre_stack_pool_trim(pool, 0));
    EXPECT_EQ(ACRE_OK, acre_stack_pool_destroy(pool));
}

TEST_F(Reported, to_each_of_several_threads)
{
    std::vector<std::thread> threads;
    std::vector<Subject> subjects(4);
    for (Subject &subject : subjects) {
        threads.emplace_back([&subject] {
            ASSERT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
            ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &subject.stack));
            for (int i = 0; i < 10; i++)
                ASSERT_TRUE(run_over(&subject, recurse));
            expect_told(subject);
            EXPECT_EQ(10, subject.count);
            EXPECT_EQ(ACRE_OK, acre_stack_destroy(&subject.stack));
            // Ends without having left.
        });
    }
    for (std::thread &thread : threads)
        thread.join();
}

TEST_F(Reported, as_a_stray_write_by_the_stack_pointer)
{
    Subject subject;
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &subject.stack));
    running = &subject;
    if (__builtin_setjmp(subject.start) == 0)
        static_cast<volatile char *>(subject.stack.base)[-1] = 1;
    EXPECT_EQ(1, subject.count);
    EXPECT_EQ(static_cast<char *>(subject.stack.base) - 1, subject.address);
    acre_stack_info info;
    EXPECT_EQ(ACRE_NOT_OURS, acre_stack_find(subject.stack_pointer, &info));
    EXPECT_EQ(ACRE_OK, acre_stack_destroy(&subject.stack));
}

void *elsewhere[5];
bool recovers;

// Left by a jump it stays in the system's list, also when it was removed.
LONG CALLBACK recover_elsewhere(EXCEPTION_POINTERS *)
{
    if (!recovers)
        return EXCEPTION_CONTINUE_SEARCH;
    __builtin_longjmp(elsewhere, 1);
}

TEST_F(Reported, and_other_faults_go_to_others)
{
    Subject subject;
    running = &subject;
    void *page = VirtualAlloc(nullptr, acre_page_size(), MEM_RESERVE, PAGE_NOACCESS);
    void *later = AddVectoredExceptionHandler(0, recover_elsewhere);
    volatile bool passed = false;
    recovers = true;
    if (__builtin_setjmp(elsewhere) == 0)
        *static_cast<volatile char *>(page) = 1;
    else
        passed = true;
    recovers = false;
    RemoveVectoredExceptionHandler(later);
    VirtualFree(page, 0, MEM_RELEASE);
    EXPECT_TRUE(passed);
    EXPECT_EQ(0, subject.count);
}

void *raised_at;

LONG CALLBACK go_on(EXCEPTION_POINTERS *raised)
{
    const EXCEPTION_RECORD *record = raised->ExceptionRecord;
    bool ours = record->ExceptionCode == EXCEPTION_ACCESS_VIOLATION &&
                record->ExceptionInformation[1] == reinterpret_cast<ULONG_PTR>(raised_at);
    return ours ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

// A fault as handlers see it, behind which the thread can go on.
void raise_fault()
{
    ULONG_PTR what[2] = {1, reinterpret_cast<ULONG_PTR>(raised_at)};
    RaiseException(EXCEPTION_ACCESS_VIOLATION, 0, 2, what);
}

__attribute__((noinline)) void raise_fault_and_jump()
{
    if (__builtin_setjmp(running->start) == 0)
        raise_fault();
}

TEST(ReportedOnce, however_often_a_jump_left_a_report_that_was_installed_again)
{
    Subject subject;
    running = &subject;
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &subject.stack));
    raised_at = static_cast<char *>(subject.stack.base) - 1;
    void *last = AddVectoredExceptionHandler(0, go_on);
    int returns;
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_install(note, nullptr));
        raise_fault_and_jump();
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_remove());
        subject.count = 0;
        raise_fault();
        EXPECT_EQ(0, subject.count) << i;
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_install(note, &returns));
        raise_fault();
        EXPECT_EQ(1, subject.count) << i;
        ASSERT_EQ(ACRE_OK, acre_stack_overflow_remove());
    }
    RemoveVectoredExceptionHandler(last);
    while (acre_stack_overflow_thread_leave() == ACRE_OK)
        continue;
    EXPECT_EQ(ACRE_OK, acre_stack_destroy(&subject.stack));
}

TEST(Entered, counts_and_needs_no_handler)
{
    EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
    EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
    EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_enter());
    EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
    EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
    EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
}

}  // namespace
