// A signal that comes when less than its frame is left on a stack is an overflow of that stack.
// The kernel drops the signal and raises SIGSEGV without an address, which does not come again:
// nothing else tells of it.
#include <alloca.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "acre/stack_overflow.h"
#include "gtest/gtest.h"
#include "mmap/port/memory.h"
#include "tests/stack/overrun.h"
#include "tests/support/posix.h"
#include "tests/support/run_on.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

#ifdef __linux__

#include <sys/auxv.h>

using namespace acre_test;

namespace {

SKIP_EMULATED("the emulator puts signals' frames on stacks itself", "*");

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

const int RIGHT = 42;

#if TSAN
bool delivers_signals_at_once()
{
    return false;
}
[[maybe_unused]] const int skips =
    skip_without(delivers_signals_at_once, "ThreadSanitizer delivers signals when it likes", "*");
#endif

void expect_right(const std::function<int()> &body)
{
    Ended ended = in_child(body);
    EXPECT_TRUE(ended.exited) << "signal " << ended.code;
    EXPECT_EQ(RIGHT, ended.code);
}

// Death by exactly this signal.
void expect_death_by(int signal, const std::function<int()> &body)
{
    Ended ended = in_child(body);
    EXPECT_FALSE(ended.exited);
    EXPECT_EQ(signal, ended.code);
}

// The largest frame of a signal, or more than that where the kernel does not tell.
size_t largest_frame()
{
    size_t told = getauxval(51);  // AT_MINSIGSTKSZ
    return told != 0 ? told : 8192;
}

// ---- near the end of a stack --------------------------------------------------------------------

volatile int handled;

bool catch_signal()
{
    struct sigaction action = {};
    action.sa_handler = [](int) { handled = handled + 1; };
    return sigaction(SIGUSR1, &action, nullptr) == 0;
}

// How much of the running stack the signal finds, and its lowest byte.
volatile size_t room;
char *volatile lowest;

// By calls that have no frames of their own.
__attribute__((noinline, no_sanitize("address"))) void send(long process, long thread)
{
    syscall(SYS_tgkill, process, thread, SIGUSR1);
}

__attribute__((noinline, no_sanitize("address"))) void send_near_the_end()
{
    size_t left = static_cast<size_t>(static_cast<char *>(__builtin_frame_address(0)) - lowest);
    long process = getpid();
    long thread = syscall(SYS_gettid);
    // As much as that, about: the sizes of frames differ.
    size_t used = left > room ? left - room : 16;
    volatile char *block = static_cast<volatile char *>(alloca(used));
    block[0] = 1;
    send(process, thread);
    block[0] = 2;
}

bool has_signal_stack = true;

// Calls it on the subject's stack, which may be in another thread; the report may jump back.
void send_on(Subject &subject)
{
    lowest = static_cast<char *>(subject.stack.base);
    subject.run([] {
        Subject *self = Subject::running();
        if (has_signal_stack && acre_stack_overflow_thread_enter() != ACRE_OK)
            return;
        if (sigsetjmp(self->start, 1) == 0)
            send_near_the_end();
        if (has_signal_stack && acre_stack_overflow_thread_leave() != ACRE_OK)
            self->report = {};
    });
}

// With ever more room, until frames fit for sure: each time the signal is handled, or an overflow
// is reported.  0, or what was wrong.
int sweep(Subject &subject, void (*send_there)(Subject &))
{
    size_t frame = largest_frame();
    size_t reports = 0;
    size_t calls = 0;
    for (room = 0; room < frame + 1024; room = room + 8) {
        handled = 0;
        subject.report = {};
        send_there(subject);
        if (handled + subject.report.count != 1)
            return 2;  // lost, or both
        if (subject.report.count == 1 && !subject.was_told_of())
            return 3;
        reports += static_cast<size_t>(subject.report.count);
        calls += static_cast<size_t>(handled);
    }
    // Somewhere in between a frame begins to fit; with 200 bytes none does.
    if (reports < 200 / 8 || calls == 0)
        return 4;
    // Nobody's handler is gone.
    return subject.run_over(recurse) && subject.was_told_of() ? 0 : 5;
}

class SignalFrame : public testing::TestWithParam<acre_guard_kind> {
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

TEST_P(SignalFrame, that_does_not_fit_is_reported_at_every_distance_from_the_guard)
{
    expect_right([] {
        Subject subject;
        if (acre_stack_overflow_install(note_and_recover, nullptr) != ACRE_OK || !catch_signal() ||
            subject.create() != ACRE_OK)
            return 1;
        int wrong = sweep(subject, send_on);
        return wrong == 0 ? RIGHT : wrong;
    });
}

TEST_P(SignalFrame, that_does_not_fit_on_a_pools_stack_is_reported)
{
    expect_right([] {
        static Subject subjects[3];
        acre_stack_pool *pool;
        if (acre_stack_overflow_install(note_and_recover, nullptr) != ACRE_OK || !catch_signal() ||
            Subject::make_pool(&pool) != ACRE_OK)
            return 1;
        for (Subject &subject : subjects) {
            if (subject.take(pool) != ACRE_OK)
                return 1;
        }
        // The one in the middle has neighbours, used and not.
        int wrong = sweep(subjects[1], send_on);
        return wrong == 0 ? RIGHT : wrong;
    });
}

// A coroutine on which another runs.
Subject *outer;
Subject *inner;

TEST_P(SignalFrame, that_does_not_fit_on_a_coroutine_within_another_is_reported)
{
    expect_right([] {
        Subject first;
        Subject second;
        outer = &first;
        inner = &second;
        if (acre_stack_overflow_install(note_and_recover, nullptr) != ACRE_OK || !catch_signal() ||
            first.create() != ACRE_OK || second.create() != ACRE_OK)
            return 1;
        int wrong = sweep(second, [](Subject &) { outer->run([] { send_on(*inner); }); });
        return wrong == 0 && first.report.count == 0 ? RIGHT : wrong;
    });
}

// ---- the process ends ---------------------------------------------------------------------------

// In memory that a child shares.
struct Shared {
    int reports;
    int code;
    bool is_in_guard;
};
Shared *shared;

bool share()
{
    void *mapped =
        mmap(nullptr, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return false;
    shared = static_cast<Shared *>(mapped);
    return true;
}

void count_report(const acre_stack_info *stack, const void *address, const void *, void *)
{
    acre_stack_info info;
    shared->reports++;
    shared->is_in_guard = acre_stack_find(address, &info) == ACRE_OK &&
                          info.where == ACRE_STACK_GUARD && info.base == stack->base;
}

// Half of the smallest frames.
const size_t LITTLE = 320;

int send_with_little_room()
{
    Subject subject;
    room = LITTLE;
    if (!catch_signal() || subject.create() != ACRE_OK)
        return 1;
    send_on(subject);
    return 2;
}

TEST_P(SignalFrame, ends_the_process_by_the_signal_when_the_report_returns)
{
    ASSERT_TRUE(share());
    for (size_t left : {LITTLE, LITTLE + 100, LITTLE + 200}) {
        SCOPED_TRACE(left);
        *shared = {};
        expect_death_by(SIGSEGV, [left] {
            Subject subject;
            room = left;
            if (acre_stack_overflow_install(count_report, nullptr) != ACRE_OK || !catch_signal() ||
                subject.create() != ACRE_OK)
                return 1;
            send_on(subject);
            return 2;
        });
        EXPECT_EQ(1, shared->reports);
        EXPECT_TRUE(shared->is_in_guard);
    }
    munmap(shared, sizeof *shared);
}

TEST_P(SignalFrame, goes_to_the_earlier_handler_when_the_report_returns)
{
    ASSERT_TRUE(share());
    expect_right([] {
        struct sigaction action = {};
        action.sa_sigaction = [](int, siginfo_t *info, void *) {
            _exit(shared->reports == 1 && info->si_code == SI_KERNEL ? RIGHT : 43);
        };
        action.sa_flags = SA_SIGINFO;
        if (sigaction(SIGSEGV, &action, nullptr) != 0 ||
            acre_stack_overflow_install(count_report, nullptr) != ACRE_OK)
            return 1;
        return send_with_little_room();
    });
    munmap(shared, sizeof *shared);
}

TEST_P(SignalFrame, ends_the_process_without_a_report_when_the_thread_has_no_signal_stack)
{
    ASSERT_TRUE(share());
    expect_death_by(SIGSEGV, [] {
        if (acre_stack_overflow_install(count_report, nullptr) != ACRE_OK)
            return 1;
        std::thread([] {
            has_signal_stack = false;
            if (take_away_signal_stack())
                send_with_little_room();
        }).join();
        return 3;
    });
    EXPECT_EQ(0, shared->reports);
    munmap(shared, sizeof *shared);
}

TEST_P(SignalFrame, ends_the_process_when_nothing_is_installed)
{
    expect_death_by(SIGSEGV, send_with_little_room);
}

INSTANTIATE_TEST_SUITE_P(Guards, SignalFrame, testing::Values(ACRE_GUARD_MARKER, ACRE_GUARD_PAGES),
                         [](const testing::TestParamInfo<acre_guard_kind> &kind) {
                             return name_of(kind.param);
                         });

TEST(SignalFrameElsewhere, ends_the_process_without_a_report)
{
    ASSERT_TRUE(share());
    expect_death_by(SIGSEGV, [] {
        if (acre_stack_overflow_install(count_report, nullptr) != ACRE_OK || !catch_signal())
            return 1;
        // A stack that is not acre's, with a guard below.
        size_t size = 256 * 1024;
        void *mapped =
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED || mprotect(mapped, size / 2, PROT_NONE) != 0)
            return 1;
        acre_stack stack = {};
        stack.base = static_cast<char *>(mapped) + size / 2;
        stack.size = size / 2;
        room = LITTLE;
        lowest = static_cast<char *>(stack.base);
        run_on(stack, send_near_the_end);
        return 2;
    });
    EXPECT_EQ(0, shared->reports);
    munmap(shared, sizeof *shared);
}

#ifdef __x86_64__
// It has the same code and no address either.
TEST(SignalFrameElsewhere, is_told_from_an_address_that_the_processor_refuses)
{
    ASSERT_TRUE(share());
    expect_death_by(SIGSEGV, [] {
        static Subject subject;
        if (acre_stack_overflow_install(count_report, nullptr) != ACRE_OK ||
            subject.create() != ACRE_OK)
            return 1;
        room = LITTLE;
        lowest = static_cast<char *>(subject.stack.base);
        subject.run([] {
            size_t left =
                static_cast<size_t>(static_cast<char *>(__builtin_frame_address(0)) - lowest);
            size_t used = left - room;
            volatile char *block = static_cast<volatile char *>(alloca(used));
            block[0] = 1;
            *reinterpret_cast<volatile char *>(uintptr_t{1} << 63) = 1;
        });
        return 2;
    });
    EXPECT_EQ(0, shared->reports);
    munmap(shared, sizeof *shared);
}
#endif

// ---- what does not come again -------------------------------------------------------------------

// As the kernel sends it: a process may send itself any code.
bool send_code(int signal, int code)
{
    siginfo_t info = {};
    info.si_signo = signal;
    info.si_code = code;
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, &info) == 0;
}

// Not all headers have these.
enum { MTE_LATE = 8, MEMORY_BROKE = 5 };

struct Lost {
    int signal;
    int code;
    bool can_be_ignored;
};
const Lost ONCE_ONLY[] = {
    {SIGSEGV, SI_KERNEL, false},  {SIGBUS, SI_KERNEL, false}, {SIGSEGV, MTE_LATE, true},
    {SIGBUS, MEMORY_BROKE, true}, {SIGSEGV, 99, false},       {SIGSEGV, SI_QUEUE, true},
    {SIGBUS, SI_TKILL, true},
};

TEST(Unrepeated, signals_end_the_process_where_there_was_no_handler)
{
    ASSERT_TRUE(share());
    for (const Lost &lost : ONCE_ONLY) {
        SCOPED_TRACE(testing::Message() << lost.signal << " " << lost.code);
        expect_death_by(lost.signal, [&] {
            if (acre_stack_overflow_install(count_report, nullptr) != ACRE_OK)
                return 1;
            return send_code(lost.signal, lost.code) ? 2 : 3;
        });
    }
    EXPECT_EQ(0, shared->reports);
    munmap(shared, sizeof *shared);
}

TEST(Unrepeated, signals_are_ignored_where_the_kernel_would_ignore_them)
{
    ASSERT_TRUE(share());
    for (const Lost &lost : ONCE_ONLY) {
        SCOPED_TRACE(testing::Message() << lost.signal << " " << lost.code);
        auto body = [&] {
            std::signal(lost.signal, SIG_IGN);
            if (acre_stack_overflow_install(count_report, nullptr) != ACRE_OK)
                return 1;
            return send_code(lost.signal, lost.code) ? RIGHT : 3;
        };
        if (lost.can_be_ignored)
            expect_right(body);
        else
            expect_death_by(lost.signal, body);
    }
    EXPECT_EQ(0, shared->reports);
    munmap(shared, sizeof *shared);
}

TEST(Unrepeated, signals_reach_an_earlier_handler_once)
{
    for (const Lost &lost : ONCE_ONLY) {
        SCOPED_TRACE(testing::Message() << lost.signal << " " << lost.code);
        expect_right([&] {
            static int calls;
            static int code;
            struct sigaction action = {};
            action.sa_sigaction = [](int, siginfo_t *info, void *) {
                calls++;
                code = info->si_code;
            };
            action.sa_flags = SA_SIGINFO;
            if (sigaction(lost.signal, &action, nullptr) != 0 ||
                acre_stack_overflow_install(note, nullptr) != ACRE_OK ||
                !send_code(lost.signal, lost.code))
                return 1;
            return calls == 1 && code == lost.code ? RIGHT : 2;
        });
    }
}

// The mask that comes back with the handler's return blocks the signal.
TEST(Unrepeated, signals_end_the_process_also_while_it_waits_for_them)
{
    for (int signal : {SIGSEGV, SIGBUS}) {
        expect_death_by(signal, [signal] {
            sigset_t own;
            sigset_t none;
            sigemptyset(&none);
            sigemptyset(&own);
            sigaddset(&own, signal);
            if (acre_stack_overflow_install(note, nullptr) != ACRE_OK ||
                sigprocmask(SIG_BLOCK, &own, nullptr) != 0 || kill(getpid(), signal) != 0)
                return 1;
            sigsuspend(&none);
            return 2;
        });
    }
}

}  // namespace

#endif  // __linux__
