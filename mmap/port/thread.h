// mmap/port/thread.h - what acre needs from an operating system: threads, their stacks, faults and
// signal stacks.  For //stack and //arena.  The rules in memory.h apply to every function.
#ifndef ACRE_MMAP_PORT_THREAD_H_
#define ACRE_MMAP_PORT_THREAD_H_

#include <stddef.h>
#include <stdint.h>

#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

// ---- stacks -------------------------------------------------------------------------------------

/// What the system knows about the stack that a thread runs on.  As acre_stack_bounds.
typedef struct port_bounds {
    void *top;
    void *limit;
    void *lowest;
    uintptr_t guaranteed;
    void *handlers;
} port_bounds;

/// Sets *out to the bounds of a stack that begins at `top` and whose guard is [lowest, base).
/// Nothing runs on the stack or will return to it.  Repairs an overflow of it.
acre_status acre_port_stack_bounds(void *lowest, void *base, void *top, port_bounds *out);
/// Tells the system that this thread is about to run on the stack with the bounds `to`, and sets
/// *from to the previous bounds: 1.  0 when the system need not know; *from is unchanged.
int acre_port_stack_exchange(const port_bounds *to, port_bounds *from);
/// Called by the first frame of a stack: makes two words of that frame the outermost exception
/// handler, where the system wants one and acre_port_stack_bounds has seen it; else does nothing.
void acre_port_stack_begin(void *words[2]);

// ---- threads ------------------------------------------------------------------------------------

/// Waits while the uint32_t at `word` is `value`, until a thread of this process calls
/// acre_port_wake for it.  May return at any time, so check the word again.  The thread gives the
/// processor away, whatever its priority.
void acre_port_wait(const void *word, uint32_t value);
/// Wakes the threads that wait for the word.  Call it after the word was changed.
void acre_port_wake(const void *word);

// A lock whose holder runs with the priority of the threads that wait for it.  Its uint32_t is 0
// while the lock is free, else the holder's acre_port_thread_number, with PORT_LOCK_AWAITED when
// threads may be waiting.  Threads lock and unlock by compare-and-swap as long as nobody waits,
// and by these calls otherwise, which order memory as those do.  The word must lie in memory that
// a child of a fork finds zeroed: the holder's number means nothing there.  Never use
// acre_port_wait for such a word.
static const uint32_t PORT_LOCK_AWAITED = (uint32_t)1 << 31;

/// Whether the system can do that (1 or 0), found by trying it.  The answer may change when the
/// process enters a sandbox, so ask once for each word and keep the answer.  Where it was 1, the
/// calls below work in each thread and later, too, but a thread that is refused what they need
/// neither lends nor borrows: it pauses and tries again, and so do those that wait for it.
int acre_port_lends_priority(void);
/// Returns the calling thread's number: not 0, below 2^30.  `process` is the number of this process
/// (mmap/process.h).  Only a thread's first call in a process makes system calls.
uint32_t acre_port_thread_number(uint32_t process);
/// Waits for the lock at `word` and lends the calling thread's priority to whoever holds it.  1:
/// the caller holds the lock now.  0: try again; may return at any time.  The thread gives the
/// processor away, whatever its priority.
int acre_port_lock_wait(void *word);
/// Unlocks a word with PORT_LOCK_AWAITED that the caller holds.  The waiting thread of the highest
/// priority holds it next.
void acre_port_lock_hand_over(void *word);

/// Thread-local words, NULL in a new thread.
typedef enum port_thread_word {
    PORT_THREAD_POOL,      // //stack: the stacks that a thread caches
    PORT_THREAD_OVERFLOW,  // //stack: its alternate signal stack
    PORT_THREAD_WORDS
} port_thread_word;

/// Called on an exiting thread with its word, if that is not NULL.  Returns the thread's word from
/// then on, for code that still runs on the thread.  May be called again with that word.
typedef void *(*port_thread_end)(void *word);

/// Call this before the first acre_port_thread_set of a word, any number of times, always with the
/// same `end`.  -ENOTSUP, -EAGAIN: threads cannot have words here, or not without malloc.
acre_status acre_port_thread_hook(port_thread_word which, port_thread_end end);
/// Sets the calling thread's word, without malloc.
acre_status acre_port_thread_set(port_thread_word which, void *word);
/// Returns the word of the thread that runs the call.  A caller must not cache how to find the
/// word, since a coroutine may continue on another thread.  Async-signal-safe once a word was set;
/// NULL without a hook.
void *acre_port_thread_get(port_thread_word which);

// ---- faults -------------------------------------------------------------------------------------

/// Receives the address that a thread touched and the stack pointer of the code that did; NULL
/// where the system does not report it.
///
/// For a fault of an instruction `length` is 1.  It is larger when the system could not write a
/// signal's frame below the stack pointer: then some bytes in [address, address + length) could not
/// be written, and the system does not say which.
typedef void (*port_fault_fn)(const void *address, size_t length, const void *stack_pointer);

/// Installs `look`: it is called first when a thread of this process touches memory that it may
/// not, on the thread's signal stack.  When it returns, the fault goes where it would have gone
/// without it (POSIX: to the previous action, with that action's mask and flags; Windows: to the
/// next handler).  By default the process ends, and its core file shows the fault itself.  It also
/// ends when the fault would not come again.  `look` may also leave by siglongjmp to a sigsetjmp
/// that saved the mask.
///
/// Not thread-safe, also not together with acre_port_fault_remove.  ACRE_BUSY: someone else
/// installed a handler meanwhile.
acre_status acre_port_fault_install(port_fault_fn look);
/// Restores what was before acre_port_fault_install.  ACRE_BUSY, and nothing has changed, when
/// another handler was installed on top.  Does not wait for calls of `look` in other threads.
acre_status acre_port_fault_remove(void);

/// Returns the size that a thread's signal stack should have: room for what the system puts there,
/// and 64 KiB for handlers.
size_t acre_port_signal_stack_size(void);
/// Returns the signal stack of the calling thread; size 0 = it has none.  (Where handlers run on
/// the stack that faulted, as on Windows, makes sure that there is room on it and returns how much,
/// so that nobody sets one.)
acre_status acre_port_signal_stack_get(void **base, size_t *size);
/// Replaces the signal stack of the calling thread; size 0 = none.  -EPERM while it is in use.
acre_status acre_port_signal_stack_set(void *base, size_t size);

ACRE_EXTERN_C_END

#endif  // ACRE_MMAP_PORT_THREAD_H_
