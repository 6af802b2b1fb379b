#include "tests/stack/overrun.h"

#include <alloca.h>

#include <csignal>

#include "acre/mmap.h"
#include "acre/stack_overflow.h"
#include "mmap/port/memory.h"
#include "tests/support/run_on.h"
#include "tests/support/support.h"

namespace acre_test {

// ---- running over -------------------------------------------------------------------------------

namespace {

// Keeps what was computed: nothing is optimized away.
volatile int sink;

template <size_t SIZE>
__attribute__((noinline)) int descend(int depth)
{
    volatile char frame[SIZE];
    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : descend<SIZE>(depth + 1) + frame[0];
}

}  // namespace

void recurse()
{
    sink = descend<256>(0);
}

void enter_large_frames()
{
    // Smaller than a guard, so that none jumps over it.
    sink = descend<12 * 1024>(0);
}

void allocate_on_stack()
{
    for (int i = 0; i < 1000; i++) {
        volatile unsigned char *block = static_cast<unsigned char *>(alloca(8 * 1024));
        block[0] = 1;
        sink = block[0];
    }
}

// ---- stacks -------------------------------------------------------------------------------------

namespace {

// Signal stacks have other headers.
const uintptr_t SUBJECTS = 0x5b1ec7;

acre_status tell(Subject *subject, acre_status status)
{
    if (status == ACRE_OK)
        *static_cast<Subject **>(subject->stack.header) = subject;
    return status;
}

}  // namespace

acre_status Subject::create()
{
    acre_stack_opts opts = {};
    opts.header_size = sizeof(void *);
    opts.tag = SUBJECTS;
    return tell(this, acre_stack_create(64 * 1024, &opts, &stack));
}

acre_status Subject::make_pool(acre_stack_pool **pool)
{
    acre_stack_pool_opts opts = {};
    opts.header_size = sizeof(void *);
    opts.tag = SUBJECTS;
    return acre_stack_pool_create(&opts, pool);
}

acre_status Subject::take(acre_stack_pool *pool)
{
    return tell(this, acre_stack_pool_take(pool, &stack));
}

acre_status Subject::give(acre_stack_pool *pool) const
{
    return acre_stack_pool_give(pool, &stack);
}

Subject *Subject::of(const acre_stack_info &info)
{
    return info.tag == SUBJECTS ? *static_cast<Subject **>(info.header) : nullptr;
}

acre_status Subject::destroy()
{
    return acre_stack_destroy(&stack);
}

Subject *Subject::at(const void *address)
{
    acre_stack_info info;
    if (acre_stack_find(address, &info) != ACRE_OK)
        return nullptr;
    return of(info);
}

Subject *Subject::running()
{
    return at(__builtin_frame_address(0));
}

bool Subject::run(void (*body)())
{
    return run_on(stack, body);
}

bool Subject::run_over(Way chosen)
{
    way = chosen;
    has_recovered = false;
    bool ran = run([] {
        Subject *self = running();
        if (acre_stack_overflow_thread_enter() != ACRE_OK)
            return;
        if (sigsetjmp(self->start, 1) == 0)
            self->way();
        else
            self->has_recovered = true;
        if (acre_stack_overflow_thread_leave() != ACRE_OK)
            self->has_recovered = false;
    });
    return ran && has_recovered;
}

bool Subject::was_told_of() const
{
    const acre_stack_info &told = report.stack;
    acre_stack_info info;
    return told.base == stack.base && told.size == stack.size && told.where == ACRE_STACK_GUARD &&
           told.generation == stack.generation && told.guard_kind == stack.guard_kind &&
           at(report.address) == this && report.address < stack.base &&
           acre_stack_find(report.stack_pointer, &info) == ACRE_OK && info.base == stack.base;
}

bool take_away_signal_stack()
{
    stack_t none = {};
    none.ss_flags = SS_DISABLE;
    none.ss_size = 65536;  // some systems look at it, too
    return sigaltstack(&none, nullptr) == 0;
}

// ---- reports ------------------------------------------------------------------------------------

void note(const acre_stack_info *stack, const void *address, const void *stack_pointer,
          void *context)
{
    if (Subject *subject = Subject::of(*stack))
        subject->report = {*stack, address, stack_pointer, context, subject->report.count + 1};
}

void note_and_recover(const acre_stack_info *stack, const void *address, const void *stack_pointer,
                      void *context)
{
    note(stack, address, stack_pointer, context);
    if (Subject *subject = Subject::of(*stack))
        siglongjmp(subject->start, 1);
}

// ---- guards -------------------------------------------------------------------------------------

void use_guards(acre_guard_kind kind)
{
    if (kind == ACRE_GUARD_PAGES)
        acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    else if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        skip("this system has no guard markers");
}

const char *name_of(acre_guard_kind kind)
{
    return kind == ACRE_GUARD_MARKER ? "Markers" : "Pages";
}

}  // namespace acre_test
