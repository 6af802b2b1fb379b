// stack/extent.h - where a stack's memory lies, whoever's it is.
#ifndef ACRE_STACK_EXTENT_H_
#define ACRE_STACK_EXTENT_H_

#include "acre/stack.h"

/// The usable bytes are [base, limit), the header [limit, content), and nobody's the rest; base and
/// end are multiples of the page size.
typedef struct stack_extent {
    char *base, *limit, *content, *end;
} stack_extent;

/// @return ACRE_OK; ACRE_STALE; ACRE_NOT_OURS
acre_status acre_stack_extent_of(const acre_stack *stack, stack_extent *out);

#endif  // ACRE_STACK_EXTENT_H_
