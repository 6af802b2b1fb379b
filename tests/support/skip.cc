// Skipping a test from inside a function that it calls.
#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace acre_test {

void skip(const char *reason)
{
    using testing::TestPartResult;
    // What GTEST_SKIP does but for the return, and then out of all that is between.
    testing::internal::AssertHelper(TestPartResult::kSkip, __FILE__, __LINE__, reason) =
        testing::Message();
    throw testing::AssertionException(
        TestPartResult(TestPartResult::kSkip, __FILE__, __LINE__, reason));
}

}  // namespace acre_test
