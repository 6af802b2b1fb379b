// mmap/port/thread.h - what acre needs of an operating system: threads, their stacks, faults and
// signal stacks.  For //stack and //arena.  What memory.h says of every function holds here.
#ifndef ACRE_MMAP_PORT_THREAD_H_
#define ACRE_MMAP_PORT_THREAD_H_

#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

// ---- stacks -------------------------------------------------------------------------------------

/// What the system knows of the stack that a thread runs on.  As acre_stack_bounds.
typedef struct port_bounds {
    void *top;
    void *limit;
    void *lowest;
    uintptr_t guaranteed;
    void *handlers;
} port_bounds;

/// Of a stack whose guard is [lowest, base), that begins at `top`, and that nobody runs on or will
/// return to; an overflow of it is made good.
acre_status acre_port_stack_bounds(void *lowest, void *base, void *top, port_bounds *out);
/// 1: this thread is about to run on the stack with the bounds `to`; `*from` is what was known.
/// 0: the system does not ask, and `*from` was left alone.
int acre_port_stack_exchange(const port_bounds *to, port_bounds *from);

// ---- threads ------------------------------------------------------------------------------------

/// Lets other threads run that wait for this processor.
void acre_port_yield(void);

/// Words that each thread has of its own, NULL in a new thread.
typedef enum port_thread_word {
    PORT_THREAD_POOL,      // //stack: what a thread keeps of pools
    PORT_THREAD_OVERFLOW,  // //stack: its alternate signal stack
    PORT_THREAD_WORDS
} port_thread_word;

/// Called on a thread that ends, with its word when that is not NULL; answers the word that the
/// thread has from then on, for whatever of it runs later.  May be called again with that.
typedef void *(*port_thread_end)(void *word);

/// Before the first acre_port_thread_set of a word; always with the same `end`, any number of
/// times.
/// -ENOTSUP, -EAGAIN: threads can have no word here, or not without malloc.
acre_status acre_port_thread_hook(port_thread_word which, port_thread_end end);
/// Of the calling thread.  Neither of these two calls malloc.
acre_status acre_port_thread_set(port_thread_word which, void *word);
/// As of the thread that runs it: no caller may keep what it needs to find the word (a coroutine
/// may go on in another thread).  Async-signal-safe once a word was set; NULL without a hook.
void *acre_port_thread_get(port_thread_word which);

// ---- faults -------------------------------------------------------------------------------------

/// What a thread touched, and the stack pointer of the code that did; NULL where the system does
/// not tell.
///
/// `length` is 1, the byte at `address`, for a fault of an instruction.  It is larger when the
/// system could not put a signal's frame below the stack pointer: then some of the bytes in
/// [address, address + length) could not be written, and the system does not say which.
typedef void (*port_fault_fn)(const void *address, size_t length, const void *stack_pointer);

/// From here on `look` is called first when a thread of this process touches memory that it may
/// not, on the thread's signal stack.  When it returns the fault goes where it would have gone
/// without (POSIX: to the action that was there before, with that one's mask and flags; Windows: to
/// the next handler): by default the process ends, and its core file shows the fault itself.  It
/// also ends when the fault would not come again.
/// `look` may also leave by siglongjmp to a sigsetjmp that saved the mask.
///
/// Once at a time, and never at the same time as acre_port_fault_remove.  ACRE_BUSY: somebody else
/// installed a handler meanwhile.
acre_status acre_port_fault_install(port_fault_fn look);
/// As before acre_port_fault_install.  ACRE_BUSY, and nothing has changed, when another handler was
/// installed on top.  Does not wait for calls of `look` that other threads are in.
acre_status acre_port_fault_remove(void);

/// Bytes that the signal stack of a thread is to have: for what the system puts there, and 64 KiB
/// for handlers.
size_t acre_port_signal_stack_size(void);
/// The signal stack of the calling thread; size 0 = it has none.  (Where handlers run on the stack
/// that faulted, as on Windows: sees to it that there is room on it and tells how much, so that
/// nobody sets one.)
acre_status acre_port_signal_stack_get(void **base, size_t *size);
/// Another one for the calling thread; size 0 = none.  -EPERM while it runs on the one it has.
acre_status acre_port_signal_stack_set(void *base, size_t size);

ACRE_EXTERN_C_END

#endif  // ACRE_MMAP_PORT_THREAD_H_
