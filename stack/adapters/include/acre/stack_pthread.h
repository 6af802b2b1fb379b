// acre/stack_pthread.h - POSIX threads on acre's stacks.
//
// Needs no feature macro: works with -std=c11, and after any other header.
//
//     pthread_attr_t attributes;
//     pthread_attr_init(&attributes);
//     if (acre_stack_to_pthread(&stack, &attributes) == ACRE_OK)
//         pthread_create(&thread, &attributes, run, argument);
#ifndef ACRE_STACK_PTHREAD_H_
#define ACRE_STACK_PTHREAD_H_

#include <pthread.h>

#include "acre/page.h"
#include "acre/stack.h"

ACRE_EXTERN_C_BEGIN

// glibc declares this only for programs that requested POSIX 2001 before the first header.
#if defined(__GLIBC__) && !defined(__USE_XOPEN2K)
extern int pthread_attr_setstack(pthread_attr_t *attributes, void *base, size_t size);
#endif

/// Makes the next thread created with `attributes` run on the stack, a single one or a pool's.  Use
/// a stack for one thread only: set another before creating the next.
///
/// Give back or destroy the stack only after joining the thread: a detached thread may run on it
/// for a moment longer than any caller can know.  The system's own guard
/// (pthread_attr_setguardsize) has no effect; acre's guard protects the stack.
///
/// @return ACRE_OK; -EINVAL: too small for a thread (PTHREAD_STACK_MIN)
static inline acre_status
acre_stack_to_pthread(const acre_stack *stack, pthread_attr_t *attributes)
{
    // Some systems require whole pages.
    size_t size = stack->size & ~(acre_page_size() - 1);
    return -pthread_attr_setstack(attributes, stack->base, size);
}

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_PTHREAD_H_
