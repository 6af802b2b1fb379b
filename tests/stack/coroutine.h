// tests/stack/coroutine.h - coroutines by ucontext on acre's stacks, of which the tools are told.
#ifndef ACRE_TESTS_STACK_COROUTINE_H_
#define ACRE_TESTS_STACK_COROUTINE_H_

#include <ucontext.h>

#include <functional>
#include <memory>

#include "acre/stack.h"
#include "acre/stack_switch.h"

namespace acre_test {

/// Runs a body on a stack that the caller owns, a step at each resume.
class Coroutine {
  public:
    /// `body` may call yield() of this object.
    Coroutine(const acre_stack &stack, std::function<void(Coroutine &)> body);
    /// The body may have been left in the middle; what it has on the stack is forgotten.
    ~Coroutine();
    Coroutine(const Coroutine &) = delete;
    Coroutine &operator=(const Coroutine &) = delete;

    /// Runs the body until it yields or ends; by any thread.  False when it has ended.
    bool resume();
    /// Called by the body.
    void yield();

  private:
    static void enter(unsigned low, unsigned high);

    std::function<void(Coroutine &)> body_;
    // On their own: some systems let them end in an array of no size.
    std::unique_ptr<ucontext_t> own_ = std::make_unique<ucontext_t>();
    std::unique_ptr<ucontext_t> caller_ = std::make_unique<ucontext_t>();
    acre_stack_switch tools_;
    acre_stack_switch caller_tools_;
    bool ended_ = false;
};

}  // namespace acre_test

#endif  // ACRE_TESTS_STACK_COROUTINE_H_
