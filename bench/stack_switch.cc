// What does a switch to a coroutine and back cost, on a stack of a pool?  By Boost's fcontext
// (acre/stack_fcontext.h), by contexts of the C library, and each without what is told to tools and
// exchanged for C++ exceptions.  Both keep the floating-point environment of each side, with its
// flags of what has happened (FE_INEXACT): once with the same flags on both sides, once with
// others.
#include <benchmark/benchmark.h>
#include <ucontext.h>

#include <cfenv>

#include "acre/stack_fcontext.h"
#include "acre/stack_pool.h"
#include "acre/stack_ucontext.h"
#include "bench/check.h"

namespace {

class Stack {
  public:
    Stack()
    {
        check(acre_stack_pool_create(nullptr, &pool_));
        check(acre_stack_pool_take(pool_, &stack));
    }
    ~Stack()
    {
        check(acre_stack_pool_give(pool_, &stack));
        check(acre_stack_pool_destroy(pool_));
    }
    Stack(const Stack &) = delete;
    Stack &operator=(const Stack &) = delete;

    acre_stack stack;

  private:
    acre_stack_pool *pool_;
};

// Around the making of a coroutine, which starts with the flags that are set.
enum Flags { SAME, DIFFERENT };

void
before(Flags flags)
{
    check(flags == SAME ? std::feraiseexcept(FE_INEXACT) == 0
                        : std::feclearexcept(FE_ALL_EXCEPT) == 0);
}

void
after()
{
    check(std::feraiseexcept(FE_INEXACT) == 0);
}

#ifndef ACRE_WITHOUT_BOOST_CONTEXT
void *
yield_forever(acre_fcontext *self, void *message)
{
    for (;;)
        message = acre_fcontext_yield(self, message);
}

void
by_fcontext(benchmark::State &state, Flags flags)
{
    Stack on;
    before(flags);
    acre_fcontext thread, coroutine;
    acre_fcontext_open_thread(&thread);
    acre_fcontext_open(&coroutine, &on.stack, yield_forever);
    after();
    for (auto _ : state)
        benchmark::DoNotOptimize(acre_fcontext_resume(&thread, &coroutine, &state));
    acre_fcontext_close(&coroutine);
}
BENCHMARK_CAPTURE(by_fcontext, same, SAME)->Name("there and back/acre");
BENCHMARK_CAPTURE(by_fcontext, different, DIFFERENT)->Name("there and back, other flags/acre");

void
jump_forever(acre_fcontext_transfer_ came)
{
    for (;;)
        came = acre_fcontext_jump_(came.where, came.data);
}

void
by_fcontext_alone(benchmark::State &state, Flags flags)
{
    Stack on;
    before(flags);
    char *top = static_cast<char *>(on.stack.base) + on.stack.size;
    acre_fcontext_transfer_ came = {acre_fcontext_make_(top, on.stack.size, jump_forever), &state};
    after();
    for (auto _ : state)
        came = acre_fcontext_jump_(came.where, came.data);
}
BENCHMARK_CAPTURE(by_fcontext_alone, same, SAME)->Name("there and back/fcontext alone");
BENCHMARK_CAPTURE(by_fcontext_alone, different, DIFFERENT)
    ->Name("there and back, other flags/fcontext alone");
#endif

struct Contexts {
    ucontext_t thread, coroutine;
    acre_stack_switch of_thread, of_coroutine;
};

Contexts contexts;

void
swap_forever()
{
    acre_stack_switch_arrive(&contexts.of_coroutine);
    for (;;) {
        acre_stack_switch_leave(&contexts.of_coroutine, &contexts.of_thread);
        check(swapcontext(&contexts.coroutine, &contexts.thread) == 0);
        acre_stack_switch_arrive(&contexts.of_coroutine);
    }
}

void
swap_forever_alone()
{
    for (;;)
        check(swapcontext(&contexts.coroutine, &contexts.thread) == 0);
}

void
make_context(const acre_stack &stack, void (*body)())
{
    check(getcontext(&contexts.coroutine) == 0);
    acre_stack_to_ucontext(&stack, &contexts.coroutine);
    makecontext(&contexts.coroutine, body, 0);
}

void
by_ucontext(benchmark::State &state, Flags flags)
{
    Stack on;
    before(flags);
    make_context(on.stack, swap_forever);
    acre_stack_switch_open_thread(&contexts.of_thread);
    acre_stack_switch_open(&contexts.of_coroutine, &on.stack);
    after();
    for (auto _ : state) {
        acre_stack_switch_leave(&contexts.of_thread, &contexts.of_coroutine);
        check(swapcontext(&contexts.thread, &contexts.coroutine) == 0);
        acre_stack_switch_arrive(&contexts.of_thread);
    }
    acre_stack_switch_close(&contexts.of_coroutine);
}
BENCHMARK_CAPTURE(by_ucontext, same, SAME)->Name("there and back/ucontext");
BENCHMARK_CAPTURE(by_ucontext, different, DIFFERENT)->Name("there and back, other flags/ucontext");

void
by_ucontext_alone(benchmark::State &state, Flags flags)
{
    Stack on;
    before(flags);
    make_context(on.stack, swap_forever_alone);
    after();
    for (auto _ : state)
        check(swapcontext(&contexts.thread, &contexts.coroutine) == 0);
}
BENCHMARK_CAPTURE(by_ucontext_alone, same, SAME)->Name("there and back/ucontext alone");
BENCHMARK_CAPTURE(by_ucontext_alone, different, DIFFERENT)
    ->Name("there and back, other flags/ucontext alone");

}  // namespace
