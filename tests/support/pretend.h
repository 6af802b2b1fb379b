// tests/support/pretend.h - a system that lacks what this one has.
#ifndef ACRE_TESTS_SUPPORT_PRETEND_H_
#define ACRE_TESTS_SUPPORT_PRETEND_H_

#include "acre/page.h"

ACRE_EXTERN_C_BEGIN

/// acre_can(what) is 0 from here on, and the library goes the way that it goes where this is
/// missing.
void acre_port_pretend_without(acre_capability what);
/// Ends all pretending.
void acre_port_pretend_nothing(void);

ACRE_EXTERN_C_END

#endif  // ACRE_TESTS_SUPPORT_PRETEND_H_
