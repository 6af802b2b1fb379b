// POSIX systems: faults and signal stacks.
//
// 1. SIGSEGV and SIGBUS have the same handler.  It runs on the signal stack, with the mask of the
//    interrupted code plus its own signal.  So a fault in the handler raises a blocked signal,
//    which ends the process.  (On macOS that would repeat for ever, so the signal is not blocked
//    there, and such a fault is passed on like any other.)
// 2. To install, acre reads and stores the previous action, and only then replaces it, so a handler
//    that runs at once finds it.  sigaction returns the action that it replaced; if that differs
//    from the stored one, another was installed in between.
// 3. A previous handler is called as the kernel would call it: with its mask, with its own signal
//    blocked or not and once or always as its flags say.  But it runs on the signal stack even if
//    it did not ask for that: only the kernel knows on which other stack a handler could run.
// 4. If the previous action was the default, acre restores it and the handler returns.  The
//    instruction runs and faults again, so the kernel itself ends the process and writes the core
//    file.  A signal that will not come again (because it was sent, or no instruction raised it) is
//    sent again.  It is pending when the handler returns, so it ends the process where it was
//    interrupted.
// 5. In the child of a fork the actions may not match the memory: another thread may have installed
//    or removed a handler after one was copied and before the other.  So acre does not install its
//    handler over itself, and a signal that already has its previous action counts as removed.
#include "mmap/port/system.h"

#if ACRE_ON_POSIX

#include "mmap/port/posix/signal.h"

#include <stdatomic.h>
#include <sys/ucontext.h>

typedef struct earlier {
    struct sigaction action;
    _Atomic int is_spent;  // SA_RESETHAND: has been called once
} earlier;

static const int signals[] = {SIGSEGV, SIGBUS};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static earlier before[SIGNALS];
static _Atomic(port_fault_fn) looks;

static acre_status
set_action(int signal, const struct sigaction *action, struct sigaction *old)
{
    int saved = errno;
    return status_of(sigaction(signal, action, old), saved);
}

// ---- the previous action ------------------------------------------------------------------------

static int
is_function(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

static int
is_ignored(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == SIG_IGN;
}

static void
call_handler(const struct sigaction *action, int signal, siginfo_t *info, void *context)
{
    // With valid arguments none of these can fail.
    sigset_t own;
    sigset_t ours;
    sigset_t blocked = action->sa_mask;
    if ((action->sa_flags & SA_NODEFER) == 0)
        (void)sigaddset(&blocked, signal);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &ours);
    if (sigismember(&blocked, signal) == 0) {
        (void)sigemptyset(&own);
        (void)sigaddset(&own, signal);
        (void)pthread_sigmask(SIG_UNBLOCK, &own, NULL);
    }
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(signal, info, context);
    else
        action->sa_handler(signal);
    (void)pthread_sigmask(SIG_SETMASK, &ours, NULL);
}

static void
pass_on_signal(int signal, siginfo_t *info, void *context)
{
    earlier *from = &before[signal == signals[0] ? 0 : 1];
    const struct sigaction *action = &from->action;
    int is_spent = action->sa_flags & (int)SA_RESETHAND && atomic_exchange(&from->is_spent, 1);
    if (is_function(action) && !is_spent) {
        call_handler(action, signal, info, context);
        return;
    }
    int was_sent = acre_posix_was_sent(info, context);
    if (was_sent && is_ignored(action))
        return;
    // For a fault the kernel treats "ignore" as the default.
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    if (set_action(signal, &by_default, NULL) == ACRE_OK && !was_sent &&
        acre_posix_comes_again(info))
        return;
    // If returning from the handler blocked the signal again (after sigsuspend, for example), it
    // would stay pending.
    (void)sigdelset(&((ucontext_t *)context)->uc_sigmask, signal);
    acre_posix_send_again(signal, info);
}

// ---- our handler --------------------------------------------------------------------------------

static void
show_fault(port_fault_fn look, const siginfo_t *info, const void *context)
{
    const char *stack_pointer = acre_posix_stack_pointer(context);
    size_t frame = acre_posix_unwritten_frame(info, context);
    if (frame == 0)
        look(info->si_addr, 1, stack_pointer);
    else if ((uintptr_t)stack_pointer > frame)
        look(stack_pointer - frame, frame, stack_pointer);
}

static void
handle_signal(int signal, siginfo_t *info, void *context)
{
    int saved = errno;
    port_fault_fn look = atomic_load_explicit(&looks, memory_order_acquire);
    if (look != NULL && !acre_posix_was_sent(info, context))
        show_fault(look, info, context);
    pass_on_signal(signal, info, context);
    errno = saved;
}

static int
is_our_action(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == handle_signal;
}

static int
is_same_action(const struct sigaction *a, const struct sigaction *b)
{
    if ((a->sa_flags & SA_SIGINFO) != (b->sa_flags & SA_SIGINFO))
        return 0;
    return a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction
                                    : a->sa_handler == b->sa_handler;
}

static acre_status
install_handler(size_t index)
{
    struct sigaction replaced;
    struct sigaction ours = {
        .sa_sigaction = handle_signal,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | POSIX_FAULT_FLAGS,
    };
    (void)sigemptyset(&ours.sa_mask);
    struct sigaction now;
    acre_status status = set_action(signals[index], NULL, &now);
    if (status != ACRE_OK || is_our_action(&now))
        return status;
    // A signal that is sent interrupts a system call only where it did so before.
    if (is_ignored(&now) || now.sa_flags & SA_RESTART)
        ours.sa_flags |= SA_RESTART;
    atomic_store(&before[index].is_spent, 0);
    before[index].action = now;
    status = set_action(signals[index], &ours, &replaced);
    if (status != ACRE_OK || is_same_action(&replaced, &before[index].action))
        return status;
    status = set_action(signals[index], &replaced, NULL);
    return status == ACRE_OK ? ACRE_BUSY : status;
}

static acre_status
restore_action(size_t index)
{
    struct sigaction action = before[index].action;
    if (atomic_load(&before[index].is_spent)) {
        action.sa_flags = 0;
        action.sa_handler = SIG_DFL;
    }
    struct sigaction replaced;
    acre_status status = set_action(signals[index], &action, &replaced);
    if (status != ACRE_OK || is_our_action(&replaced))
        return status;
    status = set_action(signals[index], &replaced, NULL);
    return status == ACRE_OK ? ACRE_BUSY : status;
}

acre_status
acre_port_fault_install(port_fault_fn look)
{
    atomic_store_explicit(&looks, look, memory_order_release);
    acre_status status = install_handler(0);
    if (status != ACRE_OK)
        return status;
    status = install_handler(1);
    if (status == ACRE_OK)
        return ACRE_OK;
    acre_status undone = restore_action(0);
    return undone == ACRE_OK ? status : undone;
}

acre_status
acre_port_fault_remove(void)
{
    int installed[SIGNALS];
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        acre_status status = set_action(signals[i], NULL, &now);
        if (status != ACRE_OK)
            return status;
        installed[i] = is_our_action(&now);
        if (!installed[i] && !is_same_action(&now, &before[i].action))
            return ACRE_BUSY;
    }
    // Keep `looks`: another thread may be about to call it, and a function stays valid.
    acre_status status = installed[0] ? restore_action(0) : ACRE_OK;
    if (status != ACRE_OK)
        return status;
    status = installed[1] ? restore_action(1) : ACRE_OK;
    if (status == ACRE_OK || !installed[0])
        return status;
    acre_status undone = install_handler(0);
    return undone == ACRE_OK ? status : undone;
}

// ---- signal stacks ------------------------------------------------------------------------------

size_t
acre_port_signal_stack_size(void)
{
    return (size_t)64 * 1024 + acre_posix_least_signal_stack();
}

acre_status
acre_port_signal_stack_get(void **base, size_t *size)
{
    stack_t now;
    int saved = errno;
    acre_status status = status_of(sigaltstack(NULL, &now), saved);
    if (status != ACRE_OK)
        return status;
    int is_none = (now.ss_flags & SS_DISABLE) != 0;
    *base = is_none ? NULL : now.ss_sp;
    *size = is_none ? 0 : now.ss_size;
    return ACRE_OK;
}

acre_status
acre_port_signal_stack_set(void *base, size_t size)
{
    stack_t next = {
        .ss_sp = base,
        // Some systems check the size even with SS_DISABLE.
        .ss_size = size != 0 ? size : acre_port_signal_stack_size(),
        .ss_flags = size != 0 ? 0 : SS_DISABLE,
    };
    int saved = errno;
    acre_status status = status_of(sigaltstack(&next, NULL), saved);
    // macOS returns EINVAL while the stack is in use.
    return status == -EINVAL && size == 0 ? -EPERM : status;
}

#endif  // ACRE_ON_POSIX
