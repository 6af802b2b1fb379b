// acre/stack_pthread.h - POSIX threads on acre's stacks.
//
// Needs no feature macro: works with -std=c11, after any other header.
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

// glibc declares it only for programs that asked for POSIX of 2001 before the first header.
#if defined(__GLIBC__) && !defined(__USE_XOPEN2K)
extern int pthread_attr_setstack(pthread_attr_t *attributes, void *base, size_t size);
#endif

/// The next thread that is made with `attributes` runs on the stack, a single one or a pool's, and
/// only that one: set another before the next.
///
/// The stack is given back or destroyed after the thread was joined: a detached one may run on it
/// for a moment longer than anybody can tell.  The system's own guard (pthread_attr_setguardsize)
/// plays no part, acre's does.
///
/// @return ACRE_OK; -EINVAL: too small for a thread (PTHREAD_STACK_MIN)
static inline acre_status
acre_stack_to_pthread(const acre_stack *stack, pthread_attr_t *attributes)
{
    // Some systems want whole pages.
    size_t size = stack->size & ~(acre_page_size() - 1);
    return -pthread_attr_setstack(attributes, stack->base, size);
}

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_PTHREAD_H_
