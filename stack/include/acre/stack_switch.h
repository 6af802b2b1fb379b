// acre/stack_switch.h - what must be told of a stack switch: to AddressSanitizer, LeakSanitizer,
// ThreadSanitizer and Valgrind, and to C++ exceptions.
//
// Code that switches stacks (a coroutine library, a scheduler) makes these calls around its
// switches, so that the tools report real errors and nothing else, and so that each coroutine has
// C++ exceptions of its own: the runtime keeps the exceptions that are being handled for a thread,
// and without this, `throw;` in one coroutine would rethrow another's.  In a build without a
// sanitizer all that is left of them is the exchange of two words where the program has C++
// exceptions (not on Windows; on macOS and iOS in C++ code only), and three client requests of
// Valgrind's for each coroutine (some instructions that do nothing; none with NVALGRIND, or where
// its headers are not installed).
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
#if defined(__GNUC__) || defined(__clang__)
#define ACRE_SWITCH_INLINE_ static inline __attribute__((always_inline))
#else
#define ACRE_SWITCH_INLINE_ static inline
#endif

ACRE_EXTERN_C_BEGIN

// A linker of Apple's finds weak symbols only in the libraries of the program: C has none of C++'s.
#if defined(__GNUC__) && !defined(_WIN32) && (defined(__cplusplus) || !defined(__APPLE__))
#define ACRE_SWITCH_EXCEPTIONS_
#ifdef __APPLE__
#define ACRE_SWITCH_SYMBOL_(name) "_" name
#else
#define ACRE_SWITCH_SYMBOL_(name) name
#endif
// __cxa_get_globals of the Itanium C++ ABI, 2.2.2.  By another name, since the runtime's header
// declares it as a function that always returns the same, which it does not after a switch.  NULL
// in a program without C++ exceptions.
extern void *acre_switch_exceptions_of_thread_(void) __asm__(
    ACRE_SWITCH_SYMBOL_("__cxa_get_globals")) __attribute__((weak));
#endif

// The exceptions that a flow of control is handling, and how many it has thrown that nobody caught
// yet.
typedef struct acre_switch_exceptions_ {
    void *caught;
    unsigned uncaught;
#if defined(__arm__)
    void *propagating;
#endif
} acre_switch_exceptions_;

/// All-zero = none; private.
typedef struct acre_stack_switch {
    const void *base;                    ///< of its stack; NULL for a thread until it was left once
    size_t size;                         ///< and the usable bytes of it
    struct acre_stack_switch *from;      ///< who switched here last
    void *fake;                          ///< AddressSanitizer's stack of locals
    void *fiber;                         ///< ThreadSanitizer's
    uintptr_t registered;                ///< Valgrind's number
    size_t rooted;                       ///< bytes in which LeakSanitizer looks for pointers
    acre_switch_exceptions_ exceptions;  ///< while it does not run
} acre_stack_switch;

// All fields, in C and in C++.
ACRE_SWITCH_INLINE_ void
acre_switch_clear_(acre_stack_switch *self)
{
    self->base = ACRE_NULL_;
    self->size = 0;
    self->from = ACRE_NULL_;
    self->fake = ACRE_NULL_;
    self->fiber = ACRE_NULL_;
    self->registered = 0;
    self->rooted = 0;
    self->exceptions.caught = ACRE_NULL_;
    self->exceptions.uncaught = 0;
#if defined(__arm__)
    self->exceptions.propagating = ACRE_NULL_;
#endif
}

// Puts the exceptions of `self` aside (NULL: it ends) and those of `to` in place.
ACRE_SWITCH_INLINE_ void
acre_switch_exchange_exceptions_(acre_stack_switch *self, const acre_stack_switch *to)
{
#ifdef ACRE_SWITCH_EXCEPTIONS_
    if (acre_switch_exceptions_of_thread_ != ACRE_NULL_) {
        acre_switch_exceptions_ *now =
            ACRE_CAST_(acre_switch_exceptions_ *, acre_switch_exceptions_of_thread_());
        if (self != ACRE_NULL_)
            self->exceptions = *now;
        *now = to->exceptions;
    }
#endif
    (void)self;
    (void)to;
}

/// Registers a coroutine that will run on `stack`.  Call it before the first switch to it.
///
/// The tools forget what an earlier user of the memory left behind; otherwise they would report the
/// remains of a coroutine that never ended.  From now on LeakSanitizer looks for pointers in the
/// stack and in its header.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_open(acre_stack_switch *self, const acre_stack *stack)
{
    acre_switch_clear_(self);
    self->base = stack->base;
    self->size = stack->size;
#ifdef ACRE_SWITCH_ASAN_
    __asan_unpoison_memory_region(stack->base, stack->size);
#ifdef __linux__
    // The header lies behind the usable bytes.
    self->rooted = stack->size;
    if (stack->header != ACRE_NULL_) {
        size_t header;
        if (acre_stack_header_size(stack, &header) == ACRE_OK)
            self->rooted += header;
    }
    __lsan_register_root_region(stack->base, self->rooted);
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
    acre_switch_clear_(self);
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
    __lsan_unregister_root_region(self->base, self->rooted);
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
    acre_switch_clear_(self);
}

/// Call it on `self`'s stack immediately before a switch, in the function that makes it; `to` is
/// what runs next.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_leave(acre_stack_switch *self, acre_stack_switch *to)
{
    to->from = self;
    acre_switch_exchange_exceptions_(self, to);
#ifdef ACRE_SWITCH_ASAN_
    __sanitizer_start_switch_fiber(&self->fake, to->base, to->size);
#endif
#ifdef ACRE_SWITCH_TSAN_
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/// Call it as acre_stack_switch_leave, before the last switch away: `self` will not run again, and
/// other code must close it.
ACRE_SWITCH_INLINE_ void
acre_stack_switch_leave_forever(acre_stack_switch *self, acre_stack_switch *to)
{
    to->from = self;
    acre_switch_exchange_exceptions_(ACRE_NULL_, to);
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
