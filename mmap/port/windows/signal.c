// Windows: faults.
//
// 1. A vectored handler is called before any frame's handler, on the stack that faulted.  What it
//    declines goes on to the others as if it were not there.
// 2. An overflow leaves room to call it because of that stack's bounds (GuaranteedStackBytes):
//    threads have no signal stack, and need none.
// 3. The system may notice an overflow some pages before the guard begins, or report no address:
//    then the guard's lowest byte is reported instead.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

static _Atomic(port_fault_fn) looks;
static _Atomic(void *) handler;

static const void *
stack_pointer_of(const CONTEXT *context)
{
#if defined(_M_ARM64) || defined(__aarch64__)
    return (const void *)(uintptr_t)context->Sp;
#elif defined(_WIN64)
    return (const void *)(uintptr_t)context->Rsp;
#else
    return (const void *)(uintptr_t)context->Esp;
#endif
}

static LONG CALLBACK
take_exception(EXCEPTION_POINTERS *raised)
{
    const EXCEPTION_RECORD *record = raised->ExceptionRecord;
    const void *address = NULL;
    if (record->NumberParameters >= 2)
        address = (const void *)record->ExceptionInformation[1];
    switch (record->ExceptionCode) {
    case EXCEPTION_STACK_OVERFLOW:
        address = acre_windows_overflow_at(address);
        break;
    case EXCEPTION_ACCESS_VIOLATION:
    case EXCEPTION_IN_PAGE_ERROR:
    case EXCEPTION_GUARD_PAGE:  // another thread has grown that stack into its guard
        break;
    default:
        return EXCEPTION_CONTINUE_SEARCH;
    }
    DWORD saved = GetLastError();
    port_fault_fn look = atomic_load_explicit(&looks, memory_order_acquire);
    if (look != NULL && address != NULL)
        look(address, 1, stack_pointer_of(raised->ContextRecord));
    SetLastError(saved);
    return EXCEPTION_CONTINUE_SEARCH;
}

acre_status
acre_port_fault_install(port_fault_fn look)
{
    atomic_store_explicit(&looks, look, memory_order_release);
    DWORD saved = GetLastError();
    void *added = AddVectoredExceptionHandler(1, take_exception);
    SetLastError(saved);
    if (added == NULL)
        return -ENOMEM;
    atomic_store_explicit(&handler, added, memory_order_release);
    return ACRE_OK;
}

acre_status
acre_port_fault_remove(void)
{
    // A handler that someone else installed before it stays in place.  Ours stays listed if a jump
    // left it, but has nothing to call.
    atomic_store_explicit(&looks, NULL, memory_order_release);
    DWORD saved = GetLastError();
    (void)RemoveVectoredExceptionHandler(atomic_exchange(&handler, NULL));
    SetLastError(saved);
    return ACRE_OK;
}

size_t
acre_port_signal_stack_size(void)
{
    return WINDOWS_GUARANTEED;
}

acre_status
acre_port_signal_stack_get(void **base, size_t *size)
{
    *base = NULL;
    *size = WINDOWS_GUARANTEED;
    return ACRE_OK;
}

acre_status
acre_port_signal_stack_set(void *base, size_t size)
{
    (void)base;
    (void)size;
    return -ENOTSUP;
}

#endif  // ACRE_ON_WINDOWS
