// On Windows a stack that runs over ends the process at its guard; the stack's own functions and
// the system's probes of large frames know it by the thread information block.
#include <windows.h>

#include <cstdlib>
#include <cstring>

#include "acre/stack.h"
#include "gtest/gtest.h"
#include "tests/support/run_on.h"

namespace {

acre_stack stack;

bool run(void (*entry)())
{
    return acre_test::run_on(stack, entry);
}

// Never returns within the stack: each level keeps its frame.
__attribute__((noinline)) int descend(int depth)
{
    volatile char frame[256];
    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

// Larger than the guard: the compiler has each page of it touched in turn.
__attribute__((noinline)) int enter_large_frame()
{
    volatile char frame[1 << 20];
    frame[0] = 1;
    return frame[0];
}

// What the process ends with when nothing stops it.
const int RETURNED = 42;

const char *const ways[] = {"recursion", "large frame"};

// The same test once more in a process of its own, which is told what to do.
DWORD end_of(const char *way)
{
    SetEnvironmentVariableA("ACRE_OVERFLOW", way);
    wchar_t program[4096];
    wchar_t line[] =
        L"overflow --gtest_catch_exceptions=0 --gtest_filter=Overflow.ends_the_process";
    GetModuleFileNameW(nullptr, program, 4096);
    STARTUPINFOW start = {};
    start.cb = sizeof start;
    PROCESS_INFORMATION child = {};
    DWORD code = 0;
    if (CreateProcessW(program, line, nullptr, nullptr, FALSE, 0, nullptr, nullptr, &start,
                       &child)) {
        WaitForSingleObject(child.hProcess, INFINITE);
        GetExitCodeProcess(child.hProcess, &code);
        CloseHandle(child.hThread);
        CloseHandle(child.hProcess);
    }
    SetEnvironmentVariableA("ACRE_OVERFLOW", nullptr);
    return code;
}

TEST(Overflow, ends_the_process)
{
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &stack));
    char way[64] = "";
    if (GetEnvironmentVariableA("ACRE_OVERFLOW", way, sizeof way) != 0) {
        run(std::strcmp(way, ways[0]) == 0 ? [] { std::exit(RETURNED + (descend(0) & 1)); }
                                           : [] { std::exit(RETURNED + enter_large_frame() - 1); });
        std::exit(RETURNED);
    }
    for (const char *each : ways) {
        // wine, which has no stack left to raise an exception on, ends it with another code.
        DWORD code = end_of(each);
        EXPECT_TRUE(code < RETURNED || code > RETURNED + 1) << each;
    }
    ASSERT_EQ(ACRE_OK, acre_stack_destroy(&stack));
}

bool caught;

TEST(Overflow, an_exception_on_the_stack_is_caught_there)
{
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &stack));
    caught = false;
    EXPECT_TRUE(run([] {
        try {
            throw 1;
        } catch (int) {
            caught = true;
        }
    }));
    EXPECT_TRUE(caught);
    ASSERT_EQ(ACRE_OK, acre_stack_destroy(&stack));
}

}  // namespace
