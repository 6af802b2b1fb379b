// tests/stack/overrun.h - stacks that run over, and what is told about it.
#ifndef ACRE_TESTS_STACK_OVERRUN_H_
#define ACRE_TESTS_STACK_OVERRUN_H_

#include <csetjmp>
#include <cstddef>

#include "acre/stack_pool.h"

namespace acre_test {

/// Each runs over the stack that it is called on, and does not return.
using Way = void (*)();
void recurse();
void enter_large_frames();
void allocate_on_stack();

/// What an acre_stack_overflow_fn was told.
struct Report {
    acre_stack_info stack;
    const void *address;
    const void *stack_pointer;
    void *context;
    int count;  ///< of all reports
};

/// A stack of its own or of a pool, which finds its way back here by its header.
struct Subject {
    acre_stack stack = {};
    Report report = {};

    /// Statuses are for the caller to check: many of these run where an assertion cannot.
    ACRE_NODISCARD acre_status create();
    ACRE_NODISCARD acre_status destroy();
    /// From and to a pool of make_pool.
    ACRE_NODISCARD acre_status take(acre_stack_pool *pool);
    ACRE_NODISCARD acre_status give(acre_stack_pool *pool) const;
    ACRE_NODISCARD static acre_status make_pool(acre_stack_pool **pool);
    /// nullptr for a stack that is no subject's.
    static Subject *of(const acre_stack_info &info);
    /// The one whose stack or guard the address lies in; nullptr when there is none.
    static Subject *at(const void *address);
    /// The one whose stack the caller runs on.
    static Subject *running();

    /// Calls `body` on the stack; false when the system could not switch.
    bool run(void (*body)());
    /// Runs over in a thread that enters for that, and recovers (note_and_recover must be
    /// installed); false when it did not come to that.
    bool run_over(Way chosen);
    /// Whether `report` tells of an overflow of this stack.
    bool was_told_of() const;

    // Of run_over.
    Way way = nullptr;
    sigjmp_buf start = {};
    bool has_recovered = false;
};

/// Takes the calling thread's signal stack away: a sanitizer may have given it one, without a
/// guard.  False when that was refused.
bool take_away_signal_stack();

/// Fills in the report of the subject whose guard it is.
void note(const acre_stack_info *stack, const void *address, const void *stack_pointer,
          void *context);
/// The same, and goes back into run_over.
void note_and_recover(const acre_stack_info *stack, const void *address, const void *stack_pointer,
                      void *context);

/// Ends the test as skipped where the system has no such guards; from here on stacks have them.
void use_guards(acre_guard_kind kind);

/// For INSTANTIATE_TEST_SUITE_P over kinds of guards.
const char *name_of(acre_guard_kind kind);

}  // namespace acre_test

#endif  // ACRE_TESTS_STACK_OVERRUN_H_
