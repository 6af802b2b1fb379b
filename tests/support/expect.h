// tests/support/expect.h - statuses by name, and the steps of a child.
#ifndef ACRE_TESTS_SUPPORT_EXPECT_H_
#define ACRE_TESTS_SUPPORT_EXPECT_H_

#include <gtest/gtest.h>

#include <string>

#include "acre/status.h"
#include "tests/support/support.h"

namespace acre_test {

inline std::string name_of(acre_status status)
{
    return acre_status_name(status);
}

#define EXPECT_STATUS(expected, call) \
    EXPECT_EQ(acre_test::name_of(expected), acre_test::name_of(call))
#define ASSERT_STATUS(expected, call) \
    ASSERT_EQ(acre_test::name_of(expected), acre_test::name_of(call))
#define ASSERT_OK(call) ASSERT_STATUS(ACRE_OK, call)
#define EXPECT_OK(call) EXPECT_STATUS(ACRE_OK, call)

/// In the body of a child: returns the number of the step that fails, for the exit status.
#define STEP(number, condition) \
    do {                        \
        if (!(condition))       \
            return number;      \
    } while (0)

inline void expect_success(const Ended &ended)
{
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
}

}  // namespace acre_test

#endif  // ACRE_TESTS_SUPPORT_EXPECT_H_
