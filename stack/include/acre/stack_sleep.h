// acre/stack_sleep.h - returns the memory of a coroutine that waits for a long time.
//
// A waiting coroutine keeps a page or more for the few hundred bytes that it needs.  Asleep it
// keeps only these, in a buffer of the caller's, and its pages go back to the system.  When it is
// woken, it finds these bytes at the same addresses.  A million coroutines of 256 live bytes each
// take less than 0.5 GB asleep, page tables included, against 4.4 GB awake.
//
// Conventions
//   As in stack.h.  Single stacks and pools' stacks may sleep; they stay taken, and keep their
//   addresses and guards.  The caller makes sure that nothing runs on the stack from before it
//   falls asleep until it was woken.  Any number of threads may make calls at once, for different
//   stacks.
//
// Limits
//   Memory that others point to is gone while the stack sleeps: reads of the stack or its header
//   through such a pointer see zeros, and writes are lost.  So a coroutine that waits for a read
//   into its own stack, or whose header is linked into a list, must not sleep.
//   Bytes below the stack pointer are not kept.  On systems whose functions write below it (x86-64:
//   128 bytes), subtract those if the switch leaves something there.
//   Memory that must stay locked (ACRE_STACK_LOCKED) is returned, too, and locked again page by
//   page as it is touched.
//   Page tables stay: eight bytes for each page of the stack and its guard.
//   acre_stack_used counts from the last sleep on.
//   On Windows, memory that was locked is not locked again.  After waking, a switcher sets the
//   `limit` of its saved bounds (acre/stack_bounds.h) to that of acre_stack_bounds_of: the stack is
//   accessible only as far as it was needed.
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

/// Sets `*bytes` to what acre_stack_sleep would copy: from the stack pointer up to the top, and the
/// header.
///
/// @param stack_pointer  of the waiting coroutine: the lowest byte that it needs, rounded down to a
///        multiple of a pointer's size; in [base, base + size]
/// @return ACRE_OK; ACRE_BAD_RANGE: the stack pointer is outside the stack; ACRE_EMPTY_HANDLE: an
///         all-zero struct; ACRE_STALE: the stack was destroyed or given back; ACRE_NOT_OURS: no
///         stack of acre's, or (with DONT_FORK) one that this child of a fork does not have
ACRE_API ACRE_NODISCARD acre_status acre_stack_sleep_size(const acre_stack *stack,
                                                          const void *stack_pointer, size_t *bytes);

/// Copies the live bytes into the buffer and returns all pages of the stack.
///
/// On failure the stack is as it was, and the contents of the buffer are unspecified.
///
/// @param buffer    the caller's, of `capacity` bytes, not in the stack; of any alignment
/// @param length    set to how many of them are used; pass it to acre_stack_wake
/// @return ACRE_OK; ACRE_BAD_SIZE: the capacity is too small; ACRE_BAD_RANGE: the stack pointer is
///         outside the stack; ACRE_BAD_STATE: the caller runs on that stack; ACRE_EMPTY_HANDLE: an
///         all-zero struct; ACRE_STALE: the stack was destroyed or given back; ACRE_NOT_OURS: no
///         stack of acre's, or (with DONT_FORK) one that this child of a fork does not have; any
///         other: the system's own error
ACRE_API ACRE_NODISCARD acre_status acre_stack_sleep(const acre_stack *stack,
                                                     const void *stack_pointer, void *buffer,
                                                     size_t capacity, size_t *length);

/// One of many stacks that fall asleep together.
typedef struct acre_stack_sleeper {
    const acre_stack *stack;    ///< The stack that falls asleep.
    const void *stack_pointer;  ///< As acre_stack_sleep.
    void *buffer;               ///< As acre_stack_sleep; no two may overlap.
    size_t capacity;            ///< Bytes of the buffer.
    size_t length;              ///< Set: how many of them are used.
} acre_stack_sleeper;

/// Puts `count` stacks to sleep as acre_stack_sleep does one, returning the pages of many by one
/// system call: two to three times cheaper than one by one.  No stack may be listed twice; a count
/// of 0 does nothing.
///
/// @param done  set, also on failure, to how many of the first are asleep; the others are as they
///        were
/// @return ACRE_OK, or why the first that is not asleep was refused: ACRE_BAD_SIZE: its capacity is
///         too small; ACRE_BAD_RANGE: its stack pointer is outside the stack; ACRE_BAD_STATE: the
///         caller runs on that stack; ACRE_EMPTY_HANDLE: an all-zero struct; ACRE_STALE: the stack
///         was destroyed or given back; ACRE_NOT_OURS: no stack of acre's, or (with DONT_FORK) one
///         that this child of a fork does not have; any other: the system's own error
ACRE_API ACRE_NODISCARD acre_status acre_stack_sleep_many(acre_stack_sleeper *sleepers,
                                                          size_t count, size_t *done);

/// Copies the bytes back to where they were; the rest of the stack is zero.  The buffer is no
/// longer needed afterwards.
///
/// Must follow acre_stack_sleep of the same stack, with the buffer and length that it filled in.
///
/// @return ACRE_OK; ACRE_BAD_SIZE: no stack pointer leads to this length; ACRE_BAD_STATE: the
///         caller runs on that stack; ACRE_EMPTY_HANDLE: an all-zero struct; ACRE_STALE: the stack
///         was destroyed or given back; ACRE_NOT_OURS: no stack of acre's, or (with DONT_FORK) one
///         that this child of a fork does not have; on Windows also -ENOMEM (memory is short) or
///         another system error
ACRE_API ACRE_NODISCARD acre_status acre_stack_wake(const acre_stack *stack, const void *buffer,
                                                    size_t length);

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_SLEEP_H_
