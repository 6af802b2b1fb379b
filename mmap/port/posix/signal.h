// mmap/port/posix/signal.h - what each system knows about a signal, for posix/signal.c.
#ifndef ACRE_MMAP_PORT_POSIX_SIGNAL_H_
#define ACRE_MMAP_PORT_POSIX_SIGNAL_H_

#include "mmap/port/posix/posix.h"

// After the feature macros.
#include <signal.h>

// Flags that the fault handler needs in addition.
#if defined(__APPLE__)
enum { POSIX_FAULT_FLAGS = SA_NODEFER };
#else
enum { POSIX_FAULT_FLAGS = 0 };
#endif

// Returns 1 when a process or a thread sent the signal, or the kernel for something that the
// interrupted code may ignore; 0 when the kernel raised it for what the interrupted code did.
int acre_posix_was_sent(const siginfo_t *info, const void *context);

// For a signal that was not sent.  Returns 1 when the interrupted instruction will fault again if
// it is repeated; 0 when it may not, so that only this signal reports the fault.
int acre_posix_comes_again(const siginfo_t *info);

// Sends the signal to the calling thread once more, with the same information where the system lets
// a process set that.
void acre_posix_send_again(int signal, const siginfo_t *info);

// When `info` says that the kernel could not write a signal's frame below the stack pointer,
// returns the most bytes that the frame may have; else 0.
size_t acre_posix_unwritten_frame(const siginfo_t *info, const void *context);

// Returns the stack pointer of the interrupted code; NULL where it is unknown.
const void *acre_posix_stack_pointer(const void *context);

// Returns the bytes of a signal stack that the system itself may need.
size_t acre_posix_least_signal_stack(void);

#endif  // ACRE_MMAP_PORT_POSIX_SIGNAL_H_
