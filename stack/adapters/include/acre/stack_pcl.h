// acre/stack_pcl.h - coroutines of PCL (Portable Coroutine Library, Debian: libpcl1-dev) on acre's
// stacks.
//
// PCL is the one that fits: co_create takes a stack, and nothing else of the program is changed.
// GNU Pth can be given one, too (PTH_ATTR_STACK_ADDR), but brings a scheduler that a whole process
// has to live in, and was last released in 2006.
#ifndef ACRE_STACK_PCL_H_
#define ACRE_STACK_PCL_H_

#include <limits.h>
#include <pcl.h>

#include "acre/stack.h"

ACRE_EXTERN_C_BEGIN

/// A coroutine on the stack, a single one or a pool's; NULL when PCL refuses, or counts no stack of
/// this size (INT_MAX).
///
/// PCL keeps its own record at the lowest bytes, so that each coroutine makes two pages resident:
/// those of the record and of the top.  After co_delete, or when `body` has returned and co_call is
/// back, the stack is the caller's again.
static inline coroutine_t
acre_stack_to_pcl(const acre_stack *stack, void (*body)(void *), void *data)
{
    if (stack->size > INT_MAX)
        return ACRE_NULL_;
    return co_create(body, data, stack->base, ACRE_CAST_(int, stack->size));
}

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_PCL_H_
