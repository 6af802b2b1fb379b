// coroutine.h - coroutines that take turns, on stacks that somebody else made.  Include it first:
// it says what system headers declare.
#ifndef DEMO_COROUTINE_H_
#define DEMO_COROUTINE_H_

#ifdef __APPLE__
#undef _XOPEN_SOURCE
#define _XOPEN_SOURCE 600  // its contexts are deprecated, and declared for this only
#undef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
#endif
#define _DEFAULT_SOURCE

// Not every C library has contexts to switch: musl and Android's have not, nor has Windows.
#include <stdlib.h>
#if defined(__GLIBC__) || (defined(__APPLE__) && defined(__MACH__)) || defined(__FreeBSD__)
#define DEMO_HAS_COROUTINES 1
#ifdef __APPLE__
#include <TargetConditionals.h>
#if TARGET_OS_IPHONE
#undef DEMO_HAS_COROUTINES
#endif
#endif
#endif

#ifdef DEMO_HAS_COROUTINES
#include <setjmp.h>
#include <ucontext.h>

#include "acre/stack.h"
#include "acre/stack_switch.h"

typedef enum coroutine_state {
    COROUTINE_READY,
    COROUTINE_FINISHED,
    COROUTINE_OVERFLOWED
} coroutine_state;

typedef struct coroutine {
    const char *name;
    void (*body)(struct coroutine *self);
    coroutine_state state;
    sigjmp_buf rescue;  ///< where an overflow is left to: the beginning of the coroutine
    ucontext_t registers;
    acre_stack_switch tools;
} coroutine;

/// `*self` must not lie in the stack.
acre_status coroutine_begin(coroutine *self, const acre_stack *stack);
/// Lets it run until it yields or ends.
void coroutine_resume(coroutine *self);
/// Called by a coroutine: the others' turn.
void coroutine_yield(coroutine *self);
/// The one that runs; NULL = none.
coroutine *coroutine_running(void);
/// Before its stack goes.
void coroutine_end(coroutine *self);
#endif

#endif  // DEMO_COROUTINE_H_
