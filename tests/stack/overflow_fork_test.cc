// A fork in the middle of installing or removing the overflow handler: the child goes on.
#include <dlfcn.h>

#include "acre/stack_overflow.h"
#include "tests/stack/guards.h"
#include "tests/stack/overrun.h"
#include "tests/support/expect.h"
#include "tests/support/posix.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

// Calls of sigaction until the process forks; 0 = it does not.
int calls_until_fork;
int (*in_the_fork)();
int answer;  // of the child

// As in a child whose parent's other thread was here: nobody goes on with what it was doing.
[[maybe_unused]] void fork_here()
{
    pid_t child = fork();
    if (child == 0) {
        give_child_more_time();
        _exit(in_the_fork());
    }
    int status = -1;
    if (child > 0 && waitpid(child, &status, 0) == child)
        answer = WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

}  // namespace

#if defined(__GLIBC__) && !TSAN
// In place of the C library's.
extern "C" int sigaction(int signal, const struct sigaction *action, struct sigaction *old) noexcept
{
    using Call = int (*)(int, const struct sigaction *, struct sigaction *);
    static const Call call = reinterpret_cast<Call>(dlsym(RTLD_NEXT, "sigaction"));
    if (calls_until_fork > 0 && --calls_until_fork == 0)
        fork_here();
    return call(signal, action, old);
}
#endif

namespace {

class OverflowFork : public testing::Test {
  protected:
    void SetUp() override
    {
#if TSAN
        GTEST_SKIP() << "ThreadSanitizer has a sigaction of its own";
#elif !defined(__GLIBC__)
        GTEST_SKIP() << "the calls of this C library are not seen";
#endif
        if (emulated())
            GTEST_SKIP() << "the emulator answers with calls of its own";
    }
};

int install_use_and_remove()
{
    for (int round = 0; round < 2; round++) {
        STEP(1, acre_stack_overflow_install(note_and_recover, nullptr) == ACRE_OK);
        STEP(2, acre_stack_overflow_install(note_and_recover, nullptr) == ACRE_BUSY);
        Subject subject;
        STEP(3, subject.create() == ACRE_OK && subject.run_over(recurse));
        STEP(4, subject.was_told_of() && subject.destroy() == ACRE_OK);
        STEP(5, acre_stack_overflow_remove() == ACRE_OK);
    }
    STEP(6, acre_stack_overflow_remove() == ACRE_BAD_STATE);
    return 0;
}

int remove_first()
{
    acre_status status = acre_stack_overflow_remove();
    STEP(10, status == ACRE_OK || status == ACRE_BAD_STATE);
    return install_use_and_remove();
}

// Forks at the first call of `change` to sigaction, at the second, until there are no more.
int fork_everywhere(int (*in_child_of_fork)(), acre_status (*change)(), acre_status (*undo)())
{
    in_the_fork = in_child_of_fork;
    int forks = 0;
    for (;; forks++) {
        answer = -1;
        calls_until_fork = forks + 1;
        acre_status status = change();
        bool forked = calls_until_fork == 0;
        calls_until_fork = 0;
        STEP(30, status == ACRE_OK && undo() == ACRE_OK);
        if (!forked)
            return forks >= 4 ? 0 : 31;
        STEP(answer > 0 ? answer : 32, answer == 0);
    }
}

acre_status install()
{
    return acre_stack_overflow_install(note, nullptr);
}

acre_status remove_and_leave()
{
    acre_status status = acre_stack_overflow_remove();
    return status == ACRE_OK ? acre_stack_overflow_thread_leave() : status;
}

TEST_F(OverflowFork, while_it_is_installed)
{
    expect_success(in_child(
        [] { return fork_everywhere(install_use_and_remove, install, remove_and_leave); }));
    expect_success(
        in_child([] { return fork_everywhere(remove_first, install, remove_and_leave); }));
}

TEST_F(OverflowFork, while_it_is_removed)
{
    for (auto body : {install_use_and_remove, remove_first}) {
        static int (*chosen)();
        chosen = body;
        expect_success(in_child([] {
            STEP(33, install() == ACRE_OK);
            int failed = fork_everywhere(chosen, remove_and_leave, install);
            return failed;
        }));
    }
}

}  // namespace
