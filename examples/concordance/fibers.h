// fibers.h - coroutines on the stacks of a pool, which take turns in one thread.
#ifndef CONCORDANCE_FIBERS_H_
#define CONCORDANCE_FIBERS_H_

#include <stddef.h>

#include "acre/stack_pool.h"
#include "context.h"

typedef struct fiber fiber;

/// Does not move while it is open.
typedef struct fibers {
    acre_stack_pool *stacks;
    fiber *first;  ///< whose turn is next
    fiber *last;
    size_t alive;
    size_t peak;          ///< most ever alive
    context main_thread;  ///< where fibers yield to
} fibers;

/// For up to `most` fibers at once, each with an argument of `size` bytes.
ACRE_NODISCARD acre_status fibers_open(size_t most, size_t size, fibers *out);
/// When none is alive any more.
ACRE_NODISCARD acre_status fibers_close(fibers *self);

/// A fiber that will call `body(argument)`.  `*argument` is aligned for any type, and lives as long
/// as the fiber: fill all of it in before the next round.
ACRE_NODISCARD acre_status fibers_start(fibers *self, void (*body)(void *argument),
                                        void **argument);

/// Memory areas that each fiber's stack takes at most.
ACRE_NODISCARD acre_status fibers_areas_each(const fibers *self, size_t *areas);

/// Lets each fiber run until it yields or ends.
ACRE_NODISCARD acre_status fibers_round(fibers *self);

/// Called by a fiber: the others' turn.
void fiber_yield(void);

#endif  // CONCORDANCE_FIBERS_H_
