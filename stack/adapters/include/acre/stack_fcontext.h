// acre/stack_fcontext.h - coroutines by Boost's fcontext on acre's stacks, in C and in C++.
//
// A switch is some twenty instructions and no system call.  It keeps the registers that a function
// keeps for its caller, not the signal mask, which stays the thread's.  The program links
// libboost_context (1.61 or later; Debian: libboost-context-dev); no header of Boost's is included,
// and including them as well does no harm.
//
// Each coroutine has C++ exceptions of its own, and sanitizers and Valgrind are told of each switch
// (acre/stack_switch.h).  An exception must not leave a coroutine's body: std::terminate is called.
//
// Not for Windows, where Boost's switch tells the system that all of a stack can be touched.
//
//     static void *body(acre_fcontext *self, void *first)
//     {
//         void *second = acre_fcontext_yield(self, a_value);
//         return the_last_value;
//     }
//
//     acre_fcontext thread, coroutine;
//     acre_fcontext_open_thread(&thread);
//     acre_fcontext_open(&coroutine, &stack, body);
//     a_value = acre_fcontext_resume(&thread, &coroutine, first);
//     the_last_value = acre_fcontext_resume(&thread, &coroutine, second);  // coroutine.ended
//     acre_fcontext_close(&coroutine);
#ifndef ACRE_STACK_FCONTEXT_H_
#define ACRE_STACK_FCONTEXT_H_

#ifdef _WIN32
#error "acre/stack_fcontext.h is not for Windows: Boost's switch takes all of a stack for committed"
#endif

#include "acre/stack_switch.h"

ACRE_EXTERN_C_BEGIN

typedef struct acre_fcontext acre_fcontext;

/// What a coroutine runs.  `first` comes with the first resume; what it returns goes to who resumed
/// it last, which goes on then.
typedef void *(*acre_fcontext_body)(acre_fcontext *self, void *first);

/// A coroutine, or a thread that runs some.  The caller owns it.  It may lie anywhere except in the
/// usable bytes of its own stack (a stack's header is a good place), and does not move between open
/// and close.  Any thread may resume a coroutine, one at a time.
struct acre_fcontext {
    acre_fcontext *resumer;  ///< Who resumed it last; NULL before the first time.
    int ended;               ///< Not 0: its body has returned.
    // Private.
    acre_fcontext *from_;  // who was left for it last
    void *where_;          // where it goes on; NULL once it has ended
    void *message_;
    acre_fcontext_body body_;
    acre_stack_switch tools_;
};

// Boost's two functions under names of acre's: Boost declares them by other types.
typedef struct acre_fcontext_transfer_ {
    void *where;
    void *data;
} acre_fcontext_transfer_;

#ifdef __APPLE__
#define ACRE_FCONTEXT_SYMBOL_(name) "_" name
#else
#define ACRE_FCONTEXT_SYMBOL_(name) name
#endif
extern acre_fcontext_transfer_ acre_fcontext_jump_(void *to, void *data) __asm__(
    ACRE_FCONTEXT_SYMBOL_("jump_fcontext"));
extern void *acre_fcontext_make_(
    void *top, size_t size,
    void (*entry)(acre_fcontext_transfer_ came)) __asm__(ACRE_FCONTEXT_SYMBOL_("make_fcontext"));

// The first thing on a new stack.  An exception ends the program here, in C++.
static inline void
acre_fcontext_enter_(acre_fcontext_transfer_ came)
#ifdef __cplusplus
    noexcept
#endif
{
    acre_fcontext *self = ACRE_CAST_(acre_fcontext *, came.data);
    acre_stack_switch_arrive(&self->tools_);
    self->from_->where_ = came.where;
    void *last = self->body_(self, self->message_);
    acre_fcontext *to = self->resumer;
    self->ended = 1;
    to->from_ = self;
    to->message_ = last;
    acre_stack_switch_leave_forever(&self->tools_, &to->tools_);
    (void)acre_fcontext_jump_(to->where_, to);
}

ACRE_SWITCH_INLINE_ void *
acre_fcontext_go_(acre_fcontext *self, acre_fcontext *to, void *message)
{
    to->from_ = self;
    to->message_ = message;
    acre_stack_switch_leave(&self->tools_, &to->tools_);
    acre_fcontext_transfer_ came = acre_fcontext_jump_(to->where_, to);
    acre_stack_switch_arrive(&self->tools_);
    // Another than `to` may have come back.
    self->from_->where_ = self->from_->ended ? ACRE_NULL_ : came.where;
    return self->message_;
}

// All fields but those of the tools.
static inline void
acre_fcontext_clear_(acre_fcontext *self, acre_fcontext_body body)
{
    self->resumer = ACRE_NULL_;
    self->ended = 0;
    self->from_ = ACRE_NULL_;
    self->where_ = ACRE_NULL_;
    self->message_ = ACRE_NULL_;
    self->body_ = body;
}

/// Makes a coroutine that will call `body` on the stack, a single one or a pool's, when somebody
/// resumes it.  It allocates nothing and cannot fail.  The stack stays the caller's.
static inline void
acre_fcontext_open(acre_fcontext *self, const acre_stack *stack, acre_fcontext_body body)
{
    acre_fcontext_clear_(self, body);
    // First: Boost writes at the top, which a tool may have forbidden until now.
    acre_stack_switch_open(&self->tools_, stack);
    self->where_ = acre_fcontext_make_(ACRE_CAST_(char *, stack->base) + stack->size, stack->size,
                                       acre_fcontext_enter_);
}

/// Makes the calling thread one that resumes coroutines.  Call it on the thread's own stack; it
/// needs no close.
static inline void
acre_fcontext_open_thread(acre_fcontext *self)
{
    acre_fcontext_clear_(self, ACRE_NULL_);
    acre_stack_switch_open_thread(&self->tools_);
}

/// Leaves `self`, which is running (a thread or a coroutine), and goes on in `coroutine`, which is
/// not, and has not ended.  The program dies of a fault at NULL if it has.
///
/// @param message  any; what the coroutine's yield returns, or `first` of its body
/// @return the message of its next yield, or what its body returned: then `coroutine->ended`
ACRE_SWITCH_INLINE_ void *
acre_fcontext_resume(acre_fcontext *self, acre_fcontext *coroutine, void *message)
{
    coroutine->resumer = self;
    return acre_fcontext_go_(self, coroutine, message);
}

/// Leaves the coroutine `self`, which is running, and goes on in who resumed it.
///
/// @param message  any; what that resume returns
/// @return the message of the next resume
ACRE_SWITCH_INLINE_ void *
acre_fcontext_yield(acre_fcontext *self, void *message)
{
    return acre_fcontext_go_(self, self->resumer, message);
}

/// Ends a coroutine that has ended or is not to go on: what its frames hold is not cleaned up.
/// Call it from another stack, before the stack is given back or destroyed.
static inline void
acre_fcontext_close(acre_fcontext *self)
{
    acre_stack_switch_close(&self->tools_);
    self->where_ = ACRE_NULL_;
}

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_FCONTEXT_H_
