// acre/stack_switch.h - informs AddressSanitizer, LeakSanitizer, ThreadSanitizer and Valgrind about
// stack switches.
//
// Code that switches stacks (a coroutine library, a scheduler) makes these calls around its
// switches, so that the tools report real errors and nothing else.  In a build without a sanitizer
// all that is left of them is three client requests of Valgrind's for each coroutine (some
// instructions that do nothing; none with NVALGRIND, or where its headers are not installed).
//
// Conventions
//   One acre_stack_switch for each flow of control: each coroutine, and each thread that runs some.
//   The caller owns it.  It may lie anywhere except in the usable bytes of its own stack, and does
//   not move between open and close.  No call fails, allocates or waits, except for what the
//   sanitizers do themselves.  Any thread may switch to a coroutine, one at a time.
//   C and C++ code of one program may share the struct; all of it must be built with the same
//   sanitizers, which these require anyway.
//
//     // the switch itself, on the stack that is left ...
//     acre_stack_switch_leave(&from->tools, &to->tools);
//     swapcontext(&from->context, &to->context);
//     acre_stack_switch_arrive(&from->tools);      // ... and when somebody switched back
//
//     static void entry(void)                      // on a stack that runs for the first time
//     {
//         acre_stack_switch_arrive(&self->tools);
//         self->body(self);
//         acre_stack_switch_leave_forever(&self->tools, &main->tools);
//         setcontext(&main->context);
//     }
#ifndef ACRE_STACK_SWITCH_H_
#define ACRE_STACK_SWITCH_H_

#include "acre/stack.h"

#if defined(__SANITIZE_ADDRESS__)
#define ACRE_SWITCH_ASAN_
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ACRE_SWITCH_ASAN_
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define ACRE_SWITCH_TSAN_
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ACRE_SWITCH_TSAN_
#endif
#endif

#if defined(__has_include) && defined(__GNUC__) && !defined(NVALGRIND)
#if __has_include(<valgrind/memcheck.h>)
#define ACRE_SWITCH_VALGRIND_
#endif
#endif

#ifdef ACRE_SWITCH_ASAN_
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef ACRE_SWITCH_TSAN_
#include <sanitizer/tsan_interface.h>
#endif
#ifdef ACRE_SWITCH_VALGRIND_
#include <valgrind/memcheck.h>
#endif

// A function of its own would begin on one stack and end on the other, in ThreadSanitizer's
// account.
#if defined(__GNUC__)
#define ACRE_SWITCH_INLINE_ static inline __attribute__((always_inline))
#else
#define ACRE_SWITCH_INLINE_ static inline
#endif

ACRE_EXTERN_C_BEGIN

/// All-zero = none; private.
typedef struct acre_stack_switch {
    const void *base;  // of its stack; NULL for a thread until it was left once
    size_t size;
    struct acre_stack_switch *from;  // who switched here last
    void *fake;                      // AddressSanitizer's stack of locals
    void *fiber;                     // ThreadSanitizer's
    uintptr_t registered;            // Valgrind's number
} acre_stack_switch;

/// Registers a coroutine that will run on `stack`.  Call it before the first switch to it.
///
/// The tools forget what an earlier user of the memory left behind; otherwise they would report the
/// remains of a coroutine that never ended.  From now on LeakSanitizer looks for pointers in the
/// stack.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_open(acre_stack_switch *self, const acre_stack *stack)
{
    self->base = stack->base;
    self->size = stack->size;
    self->from = ACRE_NULL_;
    self->fake = ACRE_NULL_;
    self->fiber = ACRE_NULL_;
    self->registered = 0;
#ifdef ACRE_SWITCH_ASAN_
    __asan_unpoison_memory_region(stack->base, stack->size);
#ifdef __linux__
    __lsan_register_root_region(stack->base, stack->size);
#endif
#endif
#ifdef ACRE_SWITCH_TSAN_
    self->fiber = __tsan_create_fiber(0);
#endif
#ifdef ACRE_SWITCH_VALGRIND_
    self->registered = VALGRIND_STACK_REGISTER(ACRE_CAST_(char *, stack->base),
                                               ACRE_CAST_(char *, stack->base) + stack->size);
#endif
}

/// Registers the calling thread.  Call it on the thread's own stack, before it first leaves that.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_open_thread(acre_stack_switch *self)
{
    self->base = ACRE_NULL_;
    self->size = 0;
    self->from = ACRE_NULL_;
    self->fake = ACRE_NULL_;
    self->fiber = ACRE_NULL_;
    self->registered = 0;
#ifdef ACRE_SWITCH_TSAN_
    self->fiber = __tsan_get_current_fiber();
#endif
}

/// Unregisters a coroutine; `*self` becomes all-zero.  Call it from another stack, before the
/// coroutine's stack is given back or destroyed.  Threads need no close.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_close(acre_stack_switch *self)
{
#ifdef ACRE_SWITCH_ASAN_
    __asan_unpoison_memory_region(self->base, self->size);
#ifdef __linux__
    __lsan_unregister_root_region(self->base, self->size);
#endif
#endif
#ifdef ACRE_SWITCH_TSAN_
    __tsan_destroy_fiber(self->fiber);
#endif
#ifdef ACRE_SWITCH_VALGRIND_
    VALGRIND_STACK_DEREGISTER(self->registered);
    // What lies below a stack pointer is forbidden, also when nobody has that any more.
    (void)VALGRIND_MAKE_MEM_DEFINED(self->base, self->size);
#endif
    self->base = ACRE_NULL_;
    self->size = 0;
    self->from = ACRE_NULL_;
    self->fake = ACRE_NULL_;
    self->fiber = ACRE_NULL_;
    self->registered = 0;
}

/// Call it on `self`'s stack immediately before a switch, in the function that makes it; `to` is
/// what runs next.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_leave(acre_stack_switch *self, acre_stack_switch *to)
{
    to->from = self;
#ifdef ACRE_SWITCH_ASAN_
    __sanitizer_start_switch_fiber(&self->fake, to->base, to->size);
#endif
#ifdef ACRE_SWITCH_TSAN_
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/// The same for the last time: `self` will not run again, and other code must close it.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_leave_forever(acre_stack_switch *self, acre_stack_switch *to)
{
    to->from = self;
#ifdef ACRE_SWITCH_ASAN_
    __sanitizer_start_switch_fiber(ACRE_NULL_, to->base, to->size);
#endif
#ifdef ACRE_SWITCH_TSAN_
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/// Call it on `self`'s stack immediately after a switch: at the start of a coroutine, and after
/// each switch away from it that came back.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_arrive(acre_stack_switch *self)
{
#ifdef ACRE_SWITCH_ASAN_
    // Where a thread's own stack lies is known to it alone.
    __sanitizer_finish_switch_fiber(self->fake, &self->from->base, &self->from->size);
#endif
    (void)self;
}

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_SWITCH_H_
