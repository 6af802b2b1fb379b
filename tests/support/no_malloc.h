// tests/support/no_malloc.h - proof that a call does not allocate: link this, forbid, call.
#ifndef ACRE_TESTS_SUPPORT_NO_MALLOC_H_
#define ACRE_TESTS_SUPPORT_NO_MALLOC_H_

namespace acre_test {

/// False under sanitizers, which bring a malloc of their own and call it themselves.
bool can_forbid_malloc();

/// While it is forbidden, malloc and all its family abort the program.
void forbid_malloc(bool forbid);

}  // namespace acre_test

#endif  // ACRE_TESTS_SUPPORT_NO_MALLOC_H_
