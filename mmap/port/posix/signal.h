// mmap/port/posix/signal.h - what each system tells of a signal (port_posix_signal.c).
#ifndef ACRE_MMAP_PORT_POSIX_SIGNAL_H_
#define ACRE_MMAP_PORT_POSIX_SIGNAL_H_

#include "mmap/port/posix/posix.h"

// After the feature macros.
#include <signal.h>

// In the symbol table these carry the library's prefix, as the port's functions do.

// What a handler of faults has to ask for besides.
#if defined(__APPLE__)
enum { POSIX_FAULT_FLAGS = SA_NODEFER };
#else
enum { POSIX_FAULT_FLAGS = 0 };
#endif

// 1: by a process or a thread, or by the kernel for something that the interrupted code may ignore;
// 0: by the kernel, for what the interrupted code did.
int acre_posix_was_sent(const siginfo_t *info, const void *context);

// Of what was not sent.  1: the interrupted instruction faults again when it is repeated; 0: it may
// not, so nothing but this signal tells of the fault.
int acre_posix_comes_again(const siginfo_t *info);

// The same signal once more, to the calling thread, with the same information where the system
// takes that from a process.
void acre_posix_send_again(int signal, const siginfo_t *info);

// 0, or the most bytes that the kernel wanted to write below the stack pointer for a signal, when
// `info` tells that it could not.
size_t acre_posix_unwritten_frame(const siginfo_t *info, const void *context);

// Of the code that the signal interrupted; NULL where it is not known.
const void *acre_posix_stack_pointer(const void *context);

// Bytes that the system itself may need of a signal stack.
size_t acre_posix_least_signal_stack(void);

#endif  // ACRE_MMAP_PORT_POSIX_SIGNAL_H_
