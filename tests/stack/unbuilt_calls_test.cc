// What is declared and not built yet is there, checks its arguments, and says so.
#include <cerrno>

#include "acre/stack_overflow.h"
#include "gtest/gtest.h"
#include "tests/support/posix.h"

namespace {

void ignore(const acre_stack_info *, const void *, const void *, void *)
{
}

TEST(Unbuilt, OverflowReportsSaySoAndInstallNothing)
{
    struct sigaction before = {};
    struct sigaction after = {};
    ASSERT_EQ(sigaction(SIGSEGV, nullptr, &before), 0);
    EXPECT_EQ(acre_stack_overflow_install(nullptr, nullptr), ACRE_BAD_OPTION);
    EXPECT_EQ(acre_stack_overflow_install(ignore, nullptr), -ENOTSUP);
    EXPECT_EQ(acre_stack_overflow_thread_enter(), -ENOTSUP);
    EXPECT_EQ(acre_stack_overflow_thread_leave(), -ENOTSUP);
    EXPECT_EQ(acre_stack_overflow_remove(), -ENOTSUP);
    ASSERT_EQ(sigaction(SIGSEGV, nullptr, &after), 0);
    EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
