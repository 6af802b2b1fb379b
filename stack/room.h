// stack/room.h - makes sure of room on the running stack before anything is held.
//
// A call may run on a nearly exhausted stack, and the overflow handler may leave it with longjmp.
// Whatever the call held would then be held for ever: a lock, or slots that are in no list.  So the
// call first touches the stack as deep as it will need it, and any fault comes before anything is
// held.
#ifndef ACRE_STACK_ROOM_H_
#define ACRE_STACK_ROOM_H_

#include <stdatomic.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROOM_IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ROOM_IS_SANITIZED
#endif
#endif

// AddressSanitizer would place the room elsewhere.
#if defined(__GNUC__) || defined(__clang__)
#define ROOM_FUNCTION __attribute__((noinline, no_sanitize_address, unused)) static void
#else
#define ROOM_FUNCTION static void
#endif

enum {
#ifdef ROOM_IS_SANITIZED
    ROOM_FOR_LISTS = 8 * 1024,
    ROOM_FOR_CALLS = 48 * 1024,
#else
    ROOM_FOR_LISTS = 1024,      // bytes, more than any code under a pool's lock needs
    ROOM_FOR_CALLS = 8 * 1024,  // the same for system calls
#endif
    ROOM_STEP = 1024
};

// Both touch downwards in small steps, so that no guard is skipped.

ROOM_FUNCTION
room_touch_for_lists(void)
{
    volatile char room[ROOM_FOR_LISTS];
    for (size_t at = sizeof room; at > 0; at -= ROOM_STEP)
        room[at - ROOM_STEP] = 0;
    atomic_signal_fence(memory_order_seq_cst);
}

ROOM_FUNCTION
room_touch_for_calls(void)
{
    volatile char room[ROOM_FOR_CALLS];
    for (size_t at = sizeof room; at > 0; at -= ROOM_STEP)
        room[at - ROOM_STEP] = 0;
    atomic_signal_fence(memory_order_seq_cst);
}

#endif  // ACRE_STACK_ROOM_H_
