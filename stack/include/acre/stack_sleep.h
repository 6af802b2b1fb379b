// acre/stack_sleep.h - the memory of a coroutine that waits for long.
//
// A coroutine that waits keeps a page or more for a few hundred bytes that it needs.  Asleep it
// keeps only these, in a buffer of the caller's: its pages are the system's.  Woken up it finds
// them at the same addresses.  A million coroutines of 256 live bytes each take less than 0.5 GB
// asleep, page tables included, against 4.4 GB awake.
//
// Conventions
//   As in stack.h.  Single stacks and pools' stacks may sleep; they stay taken, and their addresses
//   and guards are theirs.  The caller sees to it that nothing runs on the stack from before it
//   falls asleep until it was woken; calls for different stacks may be made by any thread at once.
//
// Limits
//   What others have pointers to is gone meanwhile: whoever reads the stack or its header through
//   one finds zeros, and what he writes is lost.  So a coroutine that waits for a read into its own
//   stack, or whose header is linked into a list, must not sleep.
//   Bytes below the stack pointer are not kept: on systems whose functions write below it (x86-64:
//   128 bytes) subtract those if the switch leaves something there.
//   A stack that must stay locked in memory (ACRE_STACK_LOCKED) is given up, too, and locked again
//   page by page as it is touched.
//   Page tables stay: eight bytes for each page of the stack and its guard.
//   acre_stack_used counts from the last sleep on.
//   On Windows what was locked is not locked again, and a switcher sets the `limit` of its saved
//   bounds (acre/stack_bounds.h) to that of acre_stack_bounds_of after waking: the stack is
//   accessible as far as it was needed.
//
//     size_t length;
//     if (acre_stack_sleep_size(&self->stack, self->stack_pointer, &length) == ACRE_OK)
//         self->asleep = malloc(length);
//     status = acre_stack_sleep(&self->stack, self->stack_pointer, self->asleep, length, &length);
//     ...
//     status = acre_stack_wake(&self->stack, self->asleep, length);
#ifndef ACRE_STACK_SLEEP_H_
#define ACRE_STACK_SLEEP_H_

#include "acre/stack.h"

ACRE_EXTERN_C_BEGIN

/// How many bytes acre_stack_sleep would copy: those from the stack pointer up to the top, and the
/// header.
///
/// @param stack_pointer  of the waiting coroutine: the lowest byte that it needs, rounded down to a
///        multiple of a pointer's size; in [base, base + size]
/// @return ACRE_OK; ACRE_BAD_RANGE; ACRE_STALE, ACRE_NOT_OURS as acre_stack_used
ACRE_API ACRE_NODISCARD acre_status acre_stack_sleep_size(const acre_stack *stack,
                                                          const void *stack_pointer, size_t *bytes);

/// Copies the live bytes into the buffer and returns all pages of the stack.
///
/// @param buffer    the caller's, of `capacity` bytes, not in the stack; of any alignment
/// @param length    how many of them are used: acre_stack_wake wants to know
/// @return ACRE_OK; ACRE_BAD_SIZE when the capacity is too small; ACRE_BAD_STATE for the stack that
///         the caller runs on; as acre_stack_sleep_size; the system's refusal.  On failure the
///         stack is as it was, and what is in the buffer is unspecified.
ACRE_API ACRE_NODISCARD acre_status acre_stack_sleep(const acre_stack *stack,
                                                     const void *stack_pointer, void *buffer,
                                                     size_t capacity, size_t *length);

/// One of many that fall asleep together.
typedef struct acre_stack_sleeper {
    const acre_stack *stack;
    const void *stack_pointer;  ///< As acre_stack_sleep.
    void *buffer;               ///< As acre_stack_sleep; no two may overlap.
    size_t capacity;            ///< Bytes of the buffer.
    size_t length;              ///< Set: how many of them are used.
} acre_stack_sleeper;

/// The same for `count` stacks, whose pages are returned by one system call for many: two to three
/// times cheaper than one by one.  No stack may be in it twice; a count of 0 does nothing.
///
/// @param done  how many of the first are asleep, also on failure; the others are as they were
/// @return as acre_stack_sleep, for the first that could not be done
ACRE_API ACRE_NODISCARD acre_status acre_stack_sleep_many(acre_stack_sleeper *sleepers,
                                                          size_t count, size_t *done);

/// Copies the bytes back to where they were; the rest of the stack is zero.  The buffer is not
/// needed any more.
///
/// Must follow acre_stack_sleep of the same stack: what that returned.
///
/// @return ACRE_OK; ACRE_BAD_SIZE when no stack pointer leads to this length; ACRE_BAD_STATE for
///         the stack that the caller runs on; ACRE_STALE, ACRE_NOT_OURS; -ENOMEM
ACRE_API ACRE_NODISCARD acre_status acre_stack_wake(const acre_stack *stack, const void *buffer,
                                                    size_t length);

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_SLEEP_H_
