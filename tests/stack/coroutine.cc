#include "tests/stack/coroutine.h"

#include <cstdint>
#include <cstdlib>

namespace acre_test {

Coroutine::Coroutine(const acre_stack &stack, std::function<void(Coroutine &)> body)
    : body_(std::move(body))
{
    acre_stack_switch_open(&tools_, &stack);
    if (getcontext(own_.get()) != 0)
        std::abort();
    own_->uc_stack.ss_sp = stack.base;
    own_->uc_stack.ss_size = stack.size;
    own_->uc_link = nullptr;
    // makecontext passes integers only.
    uint64_t self = reinterpret_cast<uintptr_t>(this);
    makecontext(own_.get(), reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(self),
                static_cast<unsigned>(self >> 32));
}

Coroutine::~Coroutine()
{
    acre_stack_switch_close(&tools_);
}

void Coroutine::enter(unsigned low, unsigned high)
{
    uint64_t address = uint64_t{high} << 32 | low;
    Coroutine *self = reinterpret_cast<Coroutine *>(static_cast<uintptr_t>(address));
    acre_stack_switch_arrive(&self->tools_);
    self->body_(*self);
    self->ended_ = true;
    acre_stack_switch_leave_forever(&self->tools_, &self->caller_tools_);
    setcontext(self->caller_.get());
    std::abort();
}

bool Coroutine::resume()
{
    if (ended_)
        return false;
    acre_stack_switch_open_thread(&caller_tools_);
    acre_stack_switch_leave(&caller_tools_, &tools_);
    if (swapcontext(caller_.get(), own_.get()) != 0)
        std::abort();
    acre_stack_switch_arrive(&caller_tools_);
    return !ended_;
}

void Coroutine::yield()
{
    acre_stack_switch_leave(&tools_, &caller_tools_);
    if (swapcontext(own_.get(), caller_.get()) != 0)
        std::abort();
    acre_stack_switch_arrive(&tools_);
}

}  // namespace acre_test
