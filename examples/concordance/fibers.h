// fibers.h - coroutines on acre stacks, which take turns in one thread.
#ifndef CONCORDANCE_FIBERS_H_
#define CONCORDANCE_FIBERS_H_

#include <stddef.h>

#include "acre/stack.h"
#include "context.h"

typedef struct fiber fiber;

/// All-zero = none.  Does not move while fibers are alive.
typedef struct fibers {
    fiber *first;  ///< whose turn is next
    fiber *last;
    size_t alive;
    size_t peak;          ///< most ever alive
    context main_thread;  ///< where fibers yield to
} fibers;

/// A fiber that will call `body(argument)`.  `*argument` is `size` bytes of zeroed memory, aligned
/// for any type, that live as long as the fiber: fill them in before the next round.
ACRE_NODISCARD acre_status fibers_start(fibers *self, void (*body)(void *argument), size_t size,
                                        void **argument);

/// Lets each fiber run until it yields or ends.
ACRE_NODISCARD acre_status fibers_round(fibers *self);

/// Called by a fiber: the others' turn.
void fiber_yield(void);

#endif  // CONCORDANCE_FIBERS_H_
