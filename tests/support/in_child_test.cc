// A child that never ends fails its test, and the failure says why.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/support/posix.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

TEST(Child, has_an_alarm_set)
{
    Ended ended = in_child([] { return alarm(0) > 0 ? 42 : 43; });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(42, ended.code);
}

TEST(Child, that_died_of_its_alarm_fails_the_test_and_says_so)
{
    EXPECT_NONFATAL_FAILURE(in_child([] { return raise(SIGALRM); }), "the child took more than ");
}

TEST(Child, may_take_half_of_what_its_test_may)
{
    const char *before = std::getenv("TEST_TIMEOUT");
    std::string kept = before != nullptr ? before : "";
    ASSERT_EQ(0, setenv("TEST_TIMEOUT", "900", 1));
    EXPECT_EQ(450u, child_seconds());
    ASSERT_EQ(0, unsetenv("TEST_TIMEOUT"));
    EXPECT_EQ(60u, child_seconds());
    if (before != nullptr) {
        ASSERT_EQ(0, setenv("TEST_TIMEOUT", kept.c_str(), 1));
    }
}

}  // namespace
