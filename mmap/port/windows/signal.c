// Windows: faults.
//
// 1. A vectored handler is called before any frame's handler, on the stack that faulted.  What it
//    declines goes on to the others as if it were not there.
// 2. An overflow leaves room to call it because of that stack's bounds (GuaranteedStackBytes):
//    threads have no signal stack, and need none.
// 3. The system may notice an overflow some pages before the guard begins, or report no address:
//    then the guard's lowest byte is reported instead.
// 4. The system keeps a handler in its list as long as a call of it runs, and a call that was left
//    by a jump runs for ever.  So the handler is removed only while no call runs; else it stays,
//    with nothing to call, and is not added a second time.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

static _Atomic(port_fault_fn) looks;
static _Atomic(void *) handler;    // in the system's list; or NULL
static _Atomic uintptr_t running;  // calls that have not returned

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
    atomic_fetch_add(&running, 1);
    port_fault_fn look = atomic_load(&looks);
    if (look != NULL && address != NULL)
        look(address, 1, stack_pointer_of(raised->ContextRecord));
    atomic_fetch_sub(&running, 1);
    SetLastError(saved);
    return EXCEPTION_CONTINUE_SEARCH;
}

acre_status
acre_port_fault_install(port_fault_fn look)
{
    if (atomic_load(&handler) == NULL) {
        DWORD saved = GetLastError();
        void *added = AddVectoredExceptionHandler(1, take_exception);
        SetLastError(saved);
        if (added == NULL)
            return -ENOMEM;
        atomic_store(&handler, added);
    }
    atomic_store(&looks, look);
    return ACRE_OK;
}

acre_status
acre_port_fault_remove(void)
{
    // A handler that someone else installed before it stays in place.
    atomic_store(&looks, NULL);
    if (atomic_load(&running) != 0)
        return ACRE_OK;
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
