// tests/stack/guards.h - tests that run with guard markers, and again with guard pages.
#ifndef ACRE_TESTS_STACK_GUARDS_H_
#define ACRE_TESTS_STACK_GUARDS_H_

#include <gtest/gtest.h>

#include "acre/page.h"
#include "acre/stack.h"
#include "mmap/port/memory.h"
#include "tests/support/support.h"

namespace acre_test {

/// Its SetUp() may have skipped the test: see IsSkipped().
class EachGuard : public testing::TestWithParam<acre_guard_kind> {
  protected:
    void SetUp() override
    {
        if (GetParam() == ACRE_GUARD_PAGES)
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        else if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
            GTEST_SKIP() << "this system has no guard markers";
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
};

#define FOR_EACH_GUARD(suite)                                                                     \
    INSTANTIATE_TEST_SUITE_P(Guards, suite, testing::Values(ACRE_GUARD_MARKER, ACRE_GUARD_PAGES), \
                             [](const testing::TestParamInfo<acre_guard_kind> &kind) {            \
                                 return kind.param == ACRE_GUARD_MARKER ? "Markers" : "Pages";    \
                             })

}  // namespace acre_test

#endif  // ACRE_TESTS_STACK_GUARDS_H_
