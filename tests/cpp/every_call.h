// tests/cpp/every_call.h - what acre.hpp has, called once, in a program of any standard, with and
// without exceptions.
#ifndef ACRE_TESTS_CPP_EVERY_CALL_H_
#define ACRE_TESTS_CPP_EVERY_CALL_H_

namespace acre_test {

/// Each returns the first expectation that does not hold, or NULL.
const char *every_call_in_cpp17();
const char *every_call_in_cpp20();
const char *every_call_in_cpp23();
const char *every_call_without_exceptions();

}  // namespace acre_test

#endif  // ACRE_TESTS_CPP_EVERY_CALL_H_
