// Skipping tests: from inside a function that they call, or before they begin.
#include <gtest/gtest.h>

#include <sstream>
#include <string>

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

namespace {

// Whether `name`, or that of the whole family that its parameter belongs to, is in a list.
bool is_listed(const std::string &name, const char *cases)
{
    std::istringstream in(cases);
    for (std::string each; in >> each;) {
        if (each.back() == '*') {
            each.pop_back();
            if (name.compare(0, each.size(), each) == 0)
                return true;
        } else if (name == each || name.compare(0, each.size() + 1, each + "/") == 0) {
            return true;
        }
    }
    return false;
}

// Before each test, so that each is reported as skipped.
class Skipping : public testing::EmptyTestEventListener {
  public:
    Skipping(const char *reason, const char *cases) : reason_(reason), cases_(cases)
    {
    }
    void OnTestStart(const testing::TestInfo &test) override
    {
        if (is_listed(std::string(test.test_suite_name()) + "." + test.name(), cases_))
            GTEST_SKIP() << reason_;
    }

  private:
    const char *reason_;
    const char *cases_;
};

}  // namespace

int skip_without(bool (*probe)(), const char *reason, const char *cases)
{
    if (!probe())
        testing::UnitTest::GetInstance()->listeners().Append(new Skipping(reason, cases));
    return 1;
}

}  // namespace acre_test
