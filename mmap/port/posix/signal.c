// POSIX systems: faults and signal stacks.
//
// 1. SIGSEGV and SIGBUS get one handler, on the signal stack, which runs with the mask of the
//    interrupted code and its own signal: a fault in the handler is one of a blocked signal, which
//    ends the process.  (On macOS that would be repeated for ever, so the signal is not blocked
//    there: such a fault is passed on like any other.)
// 2. The action from before is asked for first and stored, and only then replaced: a handler that
//    runs at once finds it.  What came in between is seen by what the replacement hands back.
// 3. A handler from before is called as the kernel would have: with its mask, its own signal as its
//    flags say, once when they say that.  But it runs on the signal stack, also when it did not ask
//    for that: where else a handler could run, only the kernel knows.
// 4. Where the default was in force it is put back, and the handler returns: the instruction runs
//    once more and faults once more, so that the kernel itself ends the process and writes the core
//    file.  What does not come back by itself is sent again: a signal that was sent, and what no
//    instruction raised.  It is pending when the handler returns, so it ends the process where it
//    was interrupted.
// 5. The child of a fork may find other actions than its memory tells: another thread may install
//    or remove after the one was copied and before the other.  So what is installed already is not
//    installed over itself, and what is as before is removed.
#include "mmap/port/system.h"

#if ACRE_ON_POSIX

#include "mmap/port/posix/signal.h"

#include <stdatomic.h>
#include <sys/ucontext.h>

typedef struct earlier {
    struct sigaction action;
    _Atomic int is_spent;  // SA_RESETHAND: called once already
} earlier;

static const int signals[] = {SIGSEGV, SIGBUS};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static earlier before[SIGNALS];
static _Atomic(port_fault_fn) looks;

static acre_status
act(int signal, const struct sigaction *action, struct sigaction *old)
{
    int saved = errno;
    return status_of(sigaction(signal, action, old), saved);
}

// ---- what is not ours ---------------------------------------------------------------------------

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
call(const struct sigaction *action, int signal, siginfo_t *info, void *context)
{
    // None of these can fail: the arguments are right.
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
pass_on(int signal, siginfo_t *info, void *context)
{
    earlier *from = &before[signal == signals[0] ? 0 : 1];
    const struct sigaction *action = &from->action;
    int is_spent = action->sa_flags & (int)SA_RESETHAND && atomic_exchange(&from->is_spent, 1);
    if (is_function(action) && !is_spent) {
        call(action, signal, info, context);
        return;
    }
    int was_sent = acre_posix_was_sent(info, context);
    if (was_sent && is_ignored(action))
        return;
    // Of a fault the kernel takes "ignore" for the default.
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    if (act(signal, &by_default, NULL) == ACRE_OK && !was_sent && acre_posix_comes_again(info))
        return;
    // What is blocked again when the handler has returned (by sigsuspend, say) would wait.
    (void)sigdelset(&((ucontext_t *)context)->uc_sigmask, signal);
    acre_posix_send_again(signal, info);
}

// ---- ours ---------------------------------------------------------------------------------------

static void
look_at(port_fault_fn look, const siginfo_t *info, const void *context)
{
    const char *stack_pointer = acre_posix_stack_pointer(context);
    size_t frame = acre_posix_unwritten_frame(info, context);
    if (frame == 0)
        look(info->si_addr, 1, stack_pointer);
    else if ((uintptr_t)stack_pointer > frame)
        look(stack_pointer - frame, frame, stack_pointer);
}

static void
take(int signal, siginfo_t *info, void *context)
{
    int saved = errno;
    port_fault_fn look = atomic_load_explicit(&looks, memory_order_acquire);
    if (look != NULL && !acre_posix_was_sent(info, context))
        look_at(look, info, context);
    pass_on(signal, info, context);
    errno = saved;
}

static int
is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == take;
}

static int
is_same(const struct sigaction *a, const struct sigaction *b)
{
    if ((a->sa_flags & SA_SIGINFO) != (b->sa_flags & SA_SIGINFO))
        return 0;
    return a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction
                                    : a->sa_handler == b->sa_handler;
}

static acre_status
install(size_t index)
{
    struct sigaction replaced;
    struct sigaction ours = {
        .sa_sigaction = take,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | POSIX_FAULT_FLAGS,
    };
    (void)sigemptyset(&ours.sa_mask);
    struct sigaction now;
    acre_status status = act(signals[index], NULL, &now);
    if (status != ACRE_OK || is_ours(&now))
        return status;
    atomic_store(&before[index].is_spent, 0);
    before[index].action = now;
    status = act(signals[index], &ours, &replaced);
    if (status != ACRE_OK || is_same(&replaced, &before[index].action))
        return status;
    status = act(signals[index], &replaced, NULL);
    return status == ACRE_OK ? ACRE_BUSY : status;
}

static acre_status
put_back(size_t index)
{
    struct sigaction action = before[index].action;
    if (atomic_load(&before[index].is_spent)) {
        action.sa_flags = 0;
        action.sa_handler = SIG_DFL;
    }
    struct sigaction replaced;
    acre_status status = act(signals[index], &action, &replaced);
    if (status != ACRE_OK || is_ours(&replaced))
        return status;
    status = act(signals[index], &replaced, NULL);
    return status == ACRE_OK ? ACRE_BUSY : status;
}

acre_status
acre_port_fault_install(port_fault_fn look)
{
    atomic_store_explicit(&looks, look, memory_order_release);
    acre_status status = install(0);
    if (status != ACRE_OK)
        return status;
    status = install(1);
    if (status == ACRE_OK)
        return ACRE_OK;
    acre_status undone = put_back(0);
    return undone == ACRE_OK ? status : undone;
}

acre_status
acre_port_fault_remove(void)
{
    int installed[SIGNALS];
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        acre_status status = act(signals[i], NULL, &now);
        if (status != ACRE_OK)
            return status;
        installed[i] = is_ours(&now);
        if (!installed[i] && !is_same(&now, &before[i].action))
            return ACRE_BUSY;
    }
    // `looks` stays: another thread may be on its way there, and the address of a function lives.
    acre_status status = installed[0] ? put_back(0) : ACRE_OK;
    if (status != ACRE_OK)
        return status;
    status = installed[1] ? put_back(1) : ACRE_OK;
    if (status == ACRE_OK || !installed[0])
        return status;
    acre_status undone = install(0);
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
        // Some systems look at the size of none, too.
        .ss_size = size != 0 ? size : acre_port_signal_stack_size(),
        .ss_flags = size != 0 ? 0 : SS_DISABLE,
    };
    int saved = errno;
    acre_status status = status_of(sigaltstack(&next, NULL), saved);
    // So macOS answers while the stack is in use.
    return status == -EINVAL && size == 0 ? -EPERM : status;
}

#endif  // ACRE_ON_POSIX
