// acre/stack_bounds.h - what the system must know about the stack that a thread runs on: for code
// that switches stacks.
//
// Windows reads the bounds of the current stack from the thread information block: to let the stack
// grow, to raise an exception on it, and before a large frame.  So on Windows, code that moves the
// stack pointer to another stack first sets the bounds of that stack, and saves those of the stack
// that it leaves.  The bounds change as a stack grows; restore them when the stack runs again.
// Other systems do not need this: the calls do nothing there, and a switcher may omit them.
//
// The system's own switchers (fibers on Windows) do this themselves, on stacks of their own.
#ifndef ACRE_STACK_BOUNDS_H_
#define ACRE_STACK_BOUNDS_H_

#include <stdint.h>

#include "acre/stack.h"

ACRE_EXTERN_C_BEGIN

/// The names that Windows uses are in brackets.
typedef struct acre_stack_bounds {
    void *top;             ///< Just above the highest byte [StackBase].
    void *limit;           ///< Lowest byte that is accessible without growth [StackLimit].
    void *lowest;          ///< Where growth ends [DeallocationStack]: in the guard.
    uintptr_t guaranteed;  ///< Bytes above `lowest` that are kept for the handler of an overflow
                           ///< [GuaranteedStackBytes].
    void *handlers;        ///< The innermost exception handler on the stack [ExceptionList, i686
                           ///< and wine]; on a fresh stack the end of an empty list; NULL
                           ///< elsewhere.
} acre_stack_bounds;

/// Reads the bounds of a stack that nobody runs on or will return to, even if it overflowed before.
///
/// Asks the system where stacks grow: about a microsecond.
///
/// @param out  set only on success
/// @return ACRE_OK; ACRE_EMPTY_HANDLE: an all-zero struct; ACRE_STALE: the stack was destroyed or
///         given back; ACRE_NOT_OURS: no stack of acre's, or (with DONT_FORK) one that this child
///         of a fork does not have; on Windows also -ENOMEM or another system error
ACRE_API ACRE_NODISCARD acre_status acre_stack_bounds_of(const acre_stack *stack,
                                                         acre_stack_bounds *out);

/// Sets the system's bounds for the calling thread to `*to`, the stack that it runs on next, and
/// stores the previous ones in `*from`.  On systems that do not need bounds, `*from` is left alone.
///
/// Call it last, just before the stack pointer moves: until then the old stack may be used for at
/// most another kilobyte.  `to` and `from` may be the same, and may lie anywhere; a signal or
/// exception in between is not handled.
///
///     acre_stack_bounds_exchange(&next->bounds, &self->bounds);
///     switch_to(next);
ACRE_API void acre_stack_bounds_exchange(const acre_stack_bounds *to, acre_stack_bounds *from);

/// Room for the outermost exception handler of a stack; private.
typedef struct acre_stack_last_handler {
    void *words[2];  ///< Private to acre.
} acre_stack_last_handler;

/// Installs the outermost exception handler of a fresh stack: the system's own, which ends each
/// thread's list of handlers.
///
/// Needed on 32-bit Windows only, and does nothing elsewhere: where SEHOP is on (on servers by
/// default), the system ends a process that raises an exception, also one of C++ or one that is
/// handled, on a stack whose list ends otherwise.  acre_stack_bounds_of must have been called once
/// by a thread on its own stack, or on one whose list ends so.  Code that leaves exceptions alone,
/// or brings its list with it (Boost.Context), does not need it.
///
/// Called by the first function that runs on the stack, before it installs a handler of its own.
///
/// @param room  in that function's frame, and as long-lived; set by the call
///
///     void run(void)  // the first function on a stack
///     {
///         acre_stack_last_handler room;
///         acre_stack_bounds_begin(&room);
///         ...
ACRE_API void acre_stack_bounds_begin(acre_stack_last_handler *room);

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_BOUNDS_H_
