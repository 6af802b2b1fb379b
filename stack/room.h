// stack/room.h - room on the running stack, found before anything is held.
//
// A call may run on a stack that is nearly used up, and whoever hears of the overflow may leave it
// by a jump.  What the call held would be held for ever then: a lock, slots that are in no list.
// So the stack is touched as deep as the call is going to need it, and the fault comes before
// anything is held.
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

// AddressSanitizer would have the room elsewhere.
#if defined(__GNUC__)
#define ROOM_FUNCTION __attribute__((noinline, no_sanitize_address, unused)) static void
#else
#define ROOM_FUNCTION static void
#endif

enum {
#ifdef ROOM_IS_SANITIZED
    ROOM_FOR_LISTS = 8 * 1024,
    ROOM_FOR_CALLS = 48 * 1024,
#else
    ROOM_FOR_LISTS = 1024,      // bytes, more than is needed under a pool's lock
    ROOM_FOR_CALLS = 8 * 1024,  // and for system calls
#endif
    ROOM_STEP = 1024
};

// Downwards in small steps, so that no guard is passed over.

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
