// tests/support/run_on.h - running on a stack that a test has made.
#ifndef ACRE_TESTS_SUPPORT_RUN_ON_H_
#define ACRE_TESTS_SUPPORT_RUN_ON_H_

#include "acre/stack.h"

namespace acre_test {

/// Calls `entry` on the stack; returns when it does.  False when the system could not switch.
bool run_on(const acre_stack &stack, void (*entry)());

}  // namespace acre_test

#endif  // ACRE_TESTS_SUPPORT_RUN_ON_H_
