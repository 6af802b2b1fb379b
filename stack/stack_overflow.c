// What happens when a stack overflows.
//
// 1. The port calls report_fault for every fault of the process, on the signal stack of its thread.
//    The address alone decides whether it lies in a guard: markers and protected pages raise
//    different codes, and on some systems different signals.  When a signal's frame could not be
//    written, the system gives no address: it was an overflow if the frame would have reached below
//    the base of the stack it was for.
// 2. A thread's signal stack is an ordinary guarded stack, with a record in its header.  The
//    thread's word points to that record.  If the thread's signal stack is not acre's, the word is
//    odd: twice the number of entries, plus one.
// 3. Installing is one step of `state`, and no thread waits for it.  Handlers may read call and
//    context at any time, so both are stored before the step and never cleared; a changed version
//    number tells a handler that it read parts of two installations.
// 4. While `state` is CHANGING it also holds the number of the process that changes it.  The child
//    of a fork has another number and does not have that thread: its next call undoes what the
//    thread may have done, and takes over.
#include "acre/stack_overflow.h"

#include <stdatomic.h>

#include "mmap/debug.h"
#include "mmap/port/thread.h"
#include "mmap/process.h"
#include "stack/room.h"

enum { IDLE, CHANGING, INSTALLED, STATE_BITS = 2 };

static _Atomic uint64_t state;    // above STATE_BITS: the process that is changing it
static _Atomic uint32_t version;  // odd while call and context are being written
static _Atomic(acre_stack_overflow_fn) reported;
static _Atomic(void *) reported_context;

// The kernel could not write a frame from `lowest` to the stack pointer: returns the highest byte
// that stopped it, if a guard did.
static const void *
blocked_at(const char *lowest, const char *stack_pointer)
{
    acre_stack_info stack;
    const char *last = stack_pointer - 1;
    if (acre_stack_find(last, &stack) != ACRE_OK)
        return last;
    const char *base = stack.base;
    return last >= base && lowest < base ? base - 1 : last;
}

static void
report_fault(const void *address, size_t length, const void *stack_pointer)
{
    if (length > 1)
        address = blocked_at(address, stack_pointer);
    acre_stack_info stack;
    if (acre_stack_find(address, &stack) != ACRE_OK || stack.where != ACRE_STACK_GUARD)
        return;
    uint32_t seen = atomic_load_explicit(&version, memory_order_acquire);
    acre_stack_overflow_fn call = atomic_load_explicit(&reported, memory_order_acquire);
    void *context = atomic_load_explicit(&reported_context, memory_order_acquire);
    if (seen % 2 == 0 && seen == atomic_load_explicit(&version, memory_order_relaxed))
        call(&stack, address, stack_pointer, context);
}

static acre_status
install_reporter(acre_stack_overflow_fn call, void *context)
{
    acre_status status = acre_stack_overflow_thread_enter();
    if (status != ACRE_OK)
        return status;
    // It is already odd if a fork interrupted an install.
    if (atomic_fetch_or_explicit(&version, 1, memory_order_acq_rel) % 2 != 0)
        atomic_fetch_add_explicit(&version, 2, memory_order_acq_rel);
    atomic_store_explicit(&reported, call, memory_order_release);
    atomic_store_explicit(&reported_context, context, memory_order_release);
    atomic_fetch_add_explicit(&version, 1, memory_order_release);
    status = acre_port_fault_install(report_fault);
    if (status == ACRE_OK)
        return ACRE_OK;
    acre_status undone = acre_stack_overflow_thread_leave();
    return undone == ACRE_OK ? status : undone;
}

static int
was_left_behind(uint64_t seen)
{
    return seen % (1 << STATE_BITS) == CHANGING && !acre_process_is((uint32_t)(seen >> STATE_BITS));
}

// Makes the state CHANGING for the caller, if it was `from` or a fork left it behind (*left).
static acre_status
begin_change(uint64_t from, int *left)
{
    uint64_t seen = atomic_load(&state);
    uint64_t next;
    do {
        *left = was_left_behind(seen);
        if (seen != from && !*left)
            return seen == IDLE ? ACRE_BAD_STATE : ACRE_BUSY;
        uint32_t process;
        acre_status status = acre_process_number(&process);
        if (status != ACRE_OK)
            return status;
        next = (uint64_t)process << STATE_BITS | CHANGING;
    } while (!atomic_compare_exchange_weak(&state, &seen, next));
    return ACRE_OK;
}

acre_status
acre_stack_overflow_install(acre_stack_overflow_fn call, void *context)
{
    if (!IS_VALID(call != NULL))
        return ACRE_NULL_ARGUMENT;
    room_touch_for_calls();
    int left;
    acre_status status = begin_change(IDLE, &left);
    if (status != ACRE_OK)
        return status;
    // This fails when there was nothing to undo.
    if (left)
        (void)acre_port_fault_remove();
    status = install_reporter(call, context);
    atomic_store(&state, status == ACRE_OK ? INSTALLED : IDLE);
    return status;
}

acre_status
acre_stack_overflow_remove(void)
{
    room_touch_for_calls();
    int left;
    acre_status status = begin_change(INSTALLED, &left);
    if (status != ACRE_OK)
        return status;
    status = acre_port_fault_remove();
    if (left) {
        atomic_store(&state, IDLE);
        return status == ACRE_BUSY ? ACRE_BAD_STATE : status;
    }
    atomic_store(&state, status == ACRE_OK ? IDLE : INSTALLED);
    return status;
}

// ---- threads ------------------------------------------------------------------------------------

typedef struct signal_stack {
    acre_stack stack;
    size_t entries;
} signal_stack;

enum { FIRST_ENTRY = 3, ANOTHER_ENTRY = 2 };

static uintptr_t
word_of_thread(void)
{
    return (uintptr_t)acre_port_thread_get(PORT_THREAD_OVERFLOW);
}

static acre_status
set_word_of_thread(uintptr_t word)
{
    return acre_port_thread_set(PORT_THREAD_OVERFLOW, (void *)word);
}

// How often the thread entered, of a word that leads to no stack of acre's.
static size_t
entries_of(uintptr_t word)
{
    return word == 0 ? 0 : (word - FIRST_ENTRY) / ANOTHER_ENTRY + 1;
}

// Makes a signal stack for a thread that has none, for one entry more than `word` counts.
static acre_status
make_signal_stack(uintptr_t word)
{
    acre_stack_opts opts = {.header_size = sizeof(signal_stack)};
    acre_stack stack;
    acre_status status = acre_stack_create(acre_port_signal_stack_size(), &opts, &stack);
    if (status != ACRE_OK)
        return status;
    signal_stack *own = stack.header;
    own->stack = stack;
    own->entries = entries_of(word) + 1;
    status = set_word_of_thread((uintptr_t)own);
    if (status == ACRE_OK)
        status = acre_port_signal_stack_set(stack.base, stack.size);
    if (status == ACRE_OK)
        return ACRE_OK;

    acre_status undone = set_word_of_thread(word);
    if (undone == ACRE_OK)
        undone = acre_stack_destroy(&stack);
    return undone == ACRE_OK ? status : undone;
}

// Takes the signal stack away from the thread, if it still has this one.
static acre_status
detach_signal_stack(const acre_stack *stack)
{
    void *base;
    size_t size;
    acre_status status = acre_port_signal_stack_get(&base, &size);
    if (status != ACRE_OK || base != stack->base)
        return status;
    return acre_port_signal_stack_set(NULL, 0);
}

static acre_status
drop_signal_stack(const signal_stack *own)
{
    // The record lies in the stack that is destroyed.
    acre_stack stack = own->stack;
    acre_status status = detach_signal_stack(&stack);
    if (status != ACRE_OK)
        return status;
    acre_stack destroyed = stack;
    status = acre_stack_destroy(&destroyed);
    if (status == ACRE_OK)
        return ACRE_OK;
    acre_status undone = acre_port_signal_stack_set(stack.base, stack.size);
    return undone == ACRE_OK ? status : undone;
}

// Runs for a thread that ends without having left.
static void *
leave_at_end(void *word)
{
    // What cannot be unmapped stays mapped: the error has no one to go to.
    acre_status status = (uintptr_t)word % 2 != 0 ? ACRE_OK : drop_signal_stack(word);
    (void)status;
    return NULL;
}

acre_status
acre_stack_overflow_thread_enter(void)
{
    void *base;
    size_t size;
    uintptr_t word = word_of_thread();
    acre_status status =
        word == 0 ? acre_port_thread_hook(PORT_THREAD_OVERFLOW, leave_at_end) : ACRE_OK;
    if (status == ACRE_OK)
        status = acre_port_signal_stack_get(&base, &size);
    if (status != ACRE_OK)
        return status;
    if (word == 0 || word % 2 != 0) {
        uintptr_t next = word == 0 ? FIRST_ENTRY : word + ANOTHER_ENTRY;
        return size != 0 ? set_word_of_thread(next) : make_signal_stack(word);
    }
    // Others may have taken it from the thread: a runtime that detaches, say.
    signal_stack *own = (signal_stack *)word;
    if (size == 0)
        status = acre_port_signal_stack_set(own->stack.base, own->stack.size);
    if (status == ACRE_OK)
        own->entries++;
    return status;
}

acre_status
acre_stack_overflow_thread_leave(void)
{
    uintptr_t word = word_of_thread();
    if (word == 0)
        return ACRE_BAD_STATE;
    if (word % 2 != 0)
        return set_word_of_thread(word == FIRST_ENTRY ? 0 : word - ANOTHER_ENTRY);
    signal_stack *own = (signal_stack *)word;
    if (own->entries > 1) {
        own->entries--;
        return ACRE_OK;
    }
    acre_status status = drop_signal_stack(own);
    return status == ACRE_OK ? set_word_of_thread(0) : status;
}
