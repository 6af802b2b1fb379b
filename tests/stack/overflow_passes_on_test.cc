// Faults that are no guard's, and signals that were sent, reach the handler that was there before,
// as if nothing had been installed; so does an overflow when its report returns.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "acre/page.h"
#include "acre/stack_overflow.h"
#include "gtest/gtest.h"
#include "tests/stack/overrun.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

const int RIGHT = 42;

void expect_right(const std::function<int()> &body)
{
    Ended ended = in_child(body);
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(RIGHT, ended.code);
}

bool is_fault(const Ended &ended)
{
    return !ended.exited && (ended.code == SIGSEGV || ended.code == SIGBUS);
}

// ---- a handler from before ----------------------------------------------------------------------

// What the last call of it saw.
struct Call {
    int count;
    int signal;
    const void *address;
    int code;
    bool had_info;
    bool blocked_own;
    bool blocked_other;
};
Call called;

char *page;

// Makes the page accessible, so that the instruction goes on.
void repair(int signal)
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    called.count++;
    called.signal = signal;
    called.blocked_own = sigismember(&mask, signal) == 1;
    called.blocked_other = sigismember(&mask, SIGUSR2) == 1;
    mprotect(page, acre_page_size(), PROT_READ | PROT_WRITE);
    errno = ENOTTY;
}

void repair_with_info(int signal, siginfo_t *info, void *)
{
    repair(signal);
    called.had_info = true;
    called.address = info->si_addr;
    called.code = info->si_code;
}

bool set_earlier(void (*handler)(int), int flags)
{
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaddset(&action.sa_mask, SIGUSR2);
    return sigaction(SIGSEGV, &action, nullptr) == 0 && sigaction(SIGBUS, &action, nullptr) == 0;
}

bool set_earlier_with_info(int flags)
{
    struct sigaction action = {};
    action.sa_sigaction = repair_with_info;
    action.sa_flags = flags | SA_SIGINFO;
    sigaddset(&action.sa_mask, SIGUSR2);
    return sigaction(SIGSEGV, &action, nullptr) == 0 && sigaction(SIGBUS, &action, nullptr) == 0;
}

void refuse(const acre_stack_info *, const void *, const void *, void *)
{
    _exit(43);
}

bool install()
{
    void *mapped = mmap(nullptr, acre_page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page = static_cast<char *>(mapped);
    return mapped != MAP_FAILED && acre_stack_overflow_install(refuse, nullptr) == ACRE_OK;
}

// What is no guard; comes back when somebody repairs it.
void fault()
{
    mprotect(page, acre_page_size(), PROT_NONE);
    static_cast<volatile char *>(page)[7] = 1;
    // The handler has written to `called`.
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

bool nothing_is_blocked()
{
    sigset_t mask;
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    return sigismember(&mask, SIGSEGV) == 0 && sigismember(&mask, SIGBUS) == 0 &&
           sigismember(&mask, SIGUSR2) == 0;
}

TEST(Fault, reaches_an_earlier_handler_with_its_mask)
{
    expect_right([] {
        if (!set_earlier(repair, 0) || !install())
            return 1;
        fault();
        return called.count == 1 && called.blocked_own && called.blocked_other &&
                       nothing_is_blocked()
                   ? RIGHT
                   : 2;
    });
}

TEST(Fault, reaches_an_earlier_handler_with_its_information)
{
    expect_right([] {
        if (!set_earlier_with_info(0) || !install())
            return 1;
        fault();
        return called.count == 1 && called.had_info && called.address == told_fault(page + 7) &&
                       called.code > 0
                   ? RIGHT
                   : 2;
    });
}

TEST(Fault, is_not_blocked_in_a_handler_that_asked_for_that)
{
    expect_right([] {
        if (!set_earlier(repair, SA_NODEFER) || !install())
            return 1;
        fault();
        return called.count == 1 && !called.blocked_own && called.blocked_other &&
                       nothing_is_blocked()
                   ? RIGHT
                   : 2;
    });
}

TEST(Fault, reaches_a_handler_for_once_only_once)
{
    Ended ended = in_child([] {
        if (!set_earlier(repair, static_cast<int>(SA_RESETHAND)) || !install())
            return 1;
        fault();
        if (called.count != 1)
            return 2;
        fault();
        return 3;
    });
    EXPECT_TRUE(is_fault(ended));
}

TEST(Fault, without_an_earlier_handler_ends_the_process)
{
    Ended ended = in_child([] {
        if (!install())
            return 1;
        fault();
        return 2;
    });
    EXPECT_TRUE(is_fault(ended));
}

TEST(Fault, that_is_ignored_ends_the_process_all_the_same)
{
    Ended ended = in_child([] {
        if (!set_earlier(SIG_IGN, 0) || !install())
            return 1;
        fault();
        return 2;
    });
    EXPECT_TRUE(is_fault(ended));
}

TEST(Fault, leaves_errno_alone)
{
    expect_right([] {
        if (!set_earlier(repair, 0) || !install())
            return 1;
        errno = EDOM;
        fault();
        return errno == EDOM ? RIGHT : 2;
    });
}

// ---- signals that somebody sent -----------------------------------------------------------------

TEST(SentSignal, reaches_an_earlier_handler)
{
    expect_right([] {
        if (!set_earlier_with_info(0) || !install())
            return 1;
        for (int signal : {SIGSEGV, SIGBUS}) {
            called = {};
            if (raise(signal) != 0 || called.count != 1 || called.signal != signal)
                return 2;
        }
        return RIGHT;
    });
}

TEST(SentSignal, without_an_earlier_handler_ends_the_process)
{
    Ended ended = in_child([] {
        if (!install())
            return 1;
        raise(SIGSEGV);
        return 2;
    });
    EXPECT_FALSE(ended.exited);
    EXPECT_EQ(SIGSEGV, ended.code);
}

TEST(SentSignal, that_is_ignored_is_ignored)
{
    expect_right([] {
        if (!set_earlier(SIG_IGN, 0) || !install())
            return 1;
        return raise(SIGSEGV) == 0 && raise(SIGBUS) == 0 ? RIGHT : 2;
    });
}

// ---- an overflow whose report returns -----------------------------------------------------------

Subject subject;

TEST(Returning, hands_the_overflow_to_the_earlier_handler)
{
    expect_right([] {
        struct sigaction action = {};
        action.sa_sigaction = [](int, siginfo_t *info, void *) {
            bool right = subject.report.count == 1 && info->si_addr == subject.report.address;
            _exit(right && subject.was_told_of() ? RIGHT : 43);
        };
        action.sa_flags = SA_SIGINFO;
        if (sigaction(SIGSEGV, &action, nullptr) != 0 || sigaction(SIGBUS, &action, nullptr) != 0 ||
            acre_stack_overflow_install(note, nullptr) != ACRE_OK || subject.create() != ACRE_OK)
            return 1;
        return subject.run_over(recurse) ? 2 : 3;
    });
}

TEST(Returning, ends_the_process_without_an_earlier_handler)
{
    Ended ended = in_child([] {
        if (acre_stack_overflow_install(note, nullptr) != ACRE_OK || subject.create() != ACRE_OK)
            return 1;
        return subject.run_over(recurse) ? 2 : 3;
    });
    EXPECT_TRUE(is_fault(ended));
}

// ---- handlers installed and removed -------------------------------------------------------------

bool is_same(const struct sigaction &a, const struct sigaction &b)
{
    // The C library adds a flag of its own.
    int flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | static_cast<int>(SA_RESETHAND) | SA_RESTART;
    return a.sa_handler == b.sa_handler && ((a.sa_flags ^ b.sa_flags) & flags) == 0 &&
           sigismember(&a.sa_mask, SIGUSR2) == sigismember(&b.sa_mask, SIGUSR2) &&
           sigismember(&a.sa_mask, SIGUSR1) == sigismember(&b.sa_mask, SIGUSR1);
}

struct sigaction action_of(int signal)
{
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    return action;
}

TEST(Install, lets_system_calls_go_on_where_they_did_before)
{
    for (int restart : {0, int{SA_RESTART}}) {
        expect_right([&] {
            if (!set_earlier(repair, restart) || !install())
                return 1;
            return (action_of(SIGSEGV).sa_flags & SA_RESTART) == restart &&
                           (action_of(SIGBUS).sa_flags & SA_RESTART) == restart
                       ? RIGHT
                       : 2;
        });
    }
    // A signal that is ignored interrupts nothing.
    expect_right([] {
        return set_earlier(SIG_IGN, 0) && install() && action_of(SIGSEGV).sa_flags & SA_RESTART
                   ? RIGHT
                   : 1;
    });
}

TEST(Remove, puts_back_what_was_there)
{
    expect_right([] {
        if (!set_earlier_with_info(SA_NODEFER | SA_ONSTACK))
            return 1;
        struct sigaction before[] = {action_of(SIGSEGV), action_of(SIGBUS)};
        if (!install() || is_same(before[0], action_of(SIGSEGV)) ||
            acre_stack_overflow_remove() != ACRE_OK)
            return 2;
        return is_same(before[0], action_of(SIGSEGV)) && is_same(before[1], action_of(SIGBUS))
                   ? RIGHT
                   : 3;
    });
}

TEST(Remove, of_what_called_a_handler_for_once_leaves_the_default)
{
    expect_right([] {
        if (!set_earlier(repair, static_cast<int>(SA_RESETHAND)) || !install())
            return 1;
        fault();
        if (acre_stack_overflow_remove() != ACRE_OK)
            return 2;
        return action_of(SIGSEGV).sa_handler == SIG_DFL || action_of(SIGBUS).sa_handler == SIG_DFL
                   ? RIGHT
                   : 3;
    });
}

struct sigaction below;  // what a handler on top found

TEST(Remove, is_refused_below_another_handler)
{
    expect_right([] {
        if (acre_stack_overflow_install(note_and_recover, nullptr) != ACRE_OK)
            return 1;
        below = action_of(SIGSEGV);
        struct sigaction on_top = {};
        on_top.sa_sigaction = [](int signal, siginfo_t *info, void *context) {
            called.count++;
            below.sa_sigaction(signal, info, context);
        };
        on_top.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (int signal : {SIGSEGV, SIGBUS}) {
            if (sigaction(signal, &on_top, nullptr) != 0)
                return 2;
        }
        if (acre_stack_overflow_remove() != ACRE_BUSY || subject.create() != ACRE_OK)
            return 3;
        // Nothing changed: the one on top hands overflows down.
        if (!subject.run_over(recurse) || called.count != 1 || !subject.was_told_of())
            return 4;
        for (int signal : {SIGSEGV, SIGBUS}) {
            if (sigaction(signal, &below, nullptr) != 0)
                return 5;
        }
        return acre_stack_overflow_remove() == ACRE_OK && action_of(SIGSEGV).sa_handler == SIG_DFL
                   ? RIGHT
                   : 6;
    });
}

TEST(Install, works_once_at_a_time_and_again_after_remove)
{
    struct sigaction before = action_of(SIGSEGV);
    EXPECT_EQ(ACRE_NULL_ARGUMENT, acre_stack_overflow_install(nullptr, nullptr));
    EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_remove());
    EXPECT_TRUE(is_same(before, action_of(SIGSEGV)));
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_install(note, nullptr));
        EXPECT_EQ(ACRE_BUSY, acre_stack_overflow_install(note, nullptr));
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_remove());
        EXPECT_TRUE(is_same(before, action_of(SIGSEGV)));
        EXPECT_EQ(ACRE_OK, acre_stack_overflow_thread_leave());
    }
    EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_remove());
    EXPECT_EQ(ACRE_BAD_STATE, acre_stack_overflow_thread_leave());
}

}  // namespace
