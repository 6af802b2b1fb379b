// tests/support/core.h - what the kernel writes of a process that it ends.
#ifndef ACRE_TESTS_SUPPORT_CORE_H_
#define ACRE_TESTS_SUPPORT_CORE_H_

#include <functional>
#include <string>

namespace acre_test {

/// Why there is no core file to be read on this machine, or of this program; empty when there is.
std::string no_core_because();

/// The core file of a child that calls `body`, and aborts if that returns; empty when it left none.
std::string core_of(const std::function<void()> &body);

}  // namespace acre_test

#endif  // ACRE_TESTS_SUPPORT_CORE_H_
