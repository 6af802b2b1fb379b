// acre/stack_pthread.h - POSIX threads on acre's stacks.
//
// Under a strict -std=c11 the C library shows pthread_attr_setstack only to whoever asks for it
// before the first header: -D_XOPEN_SOURCE=600, or -D_POSIX_C_SOURCE=200112L, or higher.
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
