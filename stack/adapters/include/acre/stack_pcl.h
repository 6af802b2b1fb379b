// acre/stack_pcl.h - coroutines of PCL (Portable Coroutine Library, Debian: libpcl1-dev) on acre's
// stacks.
//
// PCL fits best: co_create accepts a stack, and the rest of the program stays as it is.  GNU Pth
// also accepts one (PTH_ATTR_STACK_ADDR), but imposes a scheduler on the whole process, and was
// last released in 2006.
#ifndef ACRE_STACK_PCL_H_
#define ACRE_STACK_PCL_H_

#include <limits.h>
#include <pcl.h>

#include "acre/stack.h"

ACRE_EXTERN_C_BEGIN

/// Creates a coroutine on the stack, a single one or a pool's; returns NULL when PCL refuses, or
/// when the size exceeds what PCL can express (INT_MAX).
///
/// PCL keeps its own record in the stack's lowest bytes, so each coroutine makes two pages
/// resident: the record's and the top one.  After co_delete, or when `body` has returned and
/// co_call is back, the stack belongs to the caller again.
static inline coroutine_t
acre_stack_to_pcl(const acre_stack *stack, void (*body)(void *), void *data)
{
    if (stack->size > INT_MAX)
        return ACRE_NULL_;
    return co_create(body, data, stack->base, ACRE_CAST_(int, stack->size));
}

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_PCL_H_
