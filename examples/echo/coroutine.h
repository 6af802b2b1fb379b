// coroutine.h - coroutines that wait for events, all in one thread.
#ifndef ECHO_COROUTINE_H_
#define ECHO_COROUTINE_H_

#include "stacks.h"

typedef struct coroutine coroutine;

/// Once, before the first.
acre_status coroutines_begin(const stack_kind *kind);
/// When all have ended.
acre_status coroutines_end(void);

/// How many have not ended.
size_t coroutines_alive(void);

/// Makes a coroutine and runs `body(argument)` until it waits for the first time.
acre_status coroutine_start(void (*body)(coroutine *self, int argument), int argument);
/// Lets it run on until it waits again; one that ends gives its stack back.
acre_status coroutine_resume(coroutine *self);
/// Called by the coroutine: until somebody resumes it.
void coroutine_wait(coroutine *self);

#endif  // ECHO_COROUTINE_H_
