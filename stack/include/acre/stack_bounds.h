// acre/stack_bounds.h - what the system must know of the stack that a thread runs on: for whoever
// switches stacks.
//
// Windows looks into the thread information block for where the stack lies: to let it grow, to
// raise an exception on it, and before a large frame.  So on Windows whoever moves the stack
// pointer to another stack tells it first, and notes what was known of the stack that it leaves;
// what is known changes as a stack grows, and is put back when the stack is run on again.  Other
// systems do not ask: the calls do nothing there, and a switcher may do without them.
//
// Systems' own switchers (fibers of Windows) do this themselves, on stacks of their own.
#ifndef ACRE_STACK_BOUNDS_H_
#define ACRE_STACK_BOUNDS_H_

#include <stdint.h>

#include "acre/stack.h"

ACRE_EXTERN_C_BEGIN

/// In brackets what Windows calls it.
typedef struct acre_stack_bounds {
    void *top;             ///< Behind the highest byte [StackBase].
    void *limit;           ///< Lowest byte that is accessible without growth [StackLimit].
    void *lowest;          ///< Where growth ends [DeallocationStack]: in the guard.
    uintptr_t guaranteed;  ///< Bytes above `lowest` that are kept for whoever handles an overflow
                           ///< [GuaranteedStackBytes].
    void *handlers;        ///< The innermost exception handler on the stack [ExceptionList, i686
                           ///< and wine]; NULL elsewhere.
} acre_stack_bounds;

/// Of a stack that nobody runs on, or is to return to; also when it ran over before.
///
/// Asks the system where stacks grow: about a microsecond.
///
/// @param out  written on success only
/// @return ACRE_OK; ACRE_STALE, ACRE_NOT_OURS as acre_stack_destroy
ACRE_API ACRE_NODISCARD acre_status acre_stack_bounds_of(const acre_stack *stack,
                                                         acre_stack_bounds *out);

/// Tells the system that the calling thread runs on the stack of `*to` from here on, and stores
/// what was known until now into `*from`; on systems that do not ask, `*from` is left alone.
///
/// The last thing before the stack pointer moves: until then at most a kilobyte more of the old
/// stack may be used.  `to` and `from` may be the same, and may lie anywhere; a signal or exception
/// in between is not handled.
///
///     acre_stack_bounds_exchange(&next->bounds, &self->bounds);
///     switch_to(next);
ACRE_API void acre_stack_bounds_exchange(const acre_stack_bounds *to, acre_stack_bounds *from);

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_BOUNDS_H_
