// Windows: growing stacks.
//
// 1. A stack is reserved memory, committed from its top down to one page with PAGE_GUARD.  When the
//    thread that runs on the stack touches that page, the system commits it, moves StackLimit in
//    the thread information block, and makes the page below the new guard.  The system knows which
//    stack a thread runs on from that block alone; any other touch of a guard page raises an
//    exception.
// 2. Near DeallocationStack the system stops doing so, commits GuaranteedStackBytes and raises
//    EXCEPTION_STACK_OVERFLOW; it never commits the page at DeallocationStack.  That part lies in
//    acre's guard, so all usable bytes can be used.  Versions differ by a few pages in where they
//    stop: SLACK.
// 3. StackLimit must be correct: the compiler's probes touch only pages below it, and exceptions
//    are not handled in frames below it.
// 4. On 32 bits the system ends a process that raises an exception on a stack whose list of
//    handlers does not end in the system's own (SEHOP).  That one is taken from the list of a
//    thread's stack.
// 5. wine gives committed pages the protection of their reservation: PAGE_READWRITE.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/check.h"
#include "mmap/port/windows/windows.h"

enum { SLACK = 4 * WINDOWS_PAGE };

// Fields of the thread information block that the headers do not declare.
#if defined(_WIN64)
enum { DEALLOCATION_STACK = 0x1478, GUARANTEED_STACK_BYTES = 0x1748 };
#else
enum { DEALLOCATION_STACK = 0xe0c, GUARANTEED_STACK_BYTES = 0xf78 };
#endif

int
acre_port_stacks_grow(void)
{
    return 1;
}

// Takes back what an overflow committed in the guard below `start`.
static acre_status
mend_guard(char *start)
{
    windows_region region;
    char *lowest = start;
    uintptr_t at;
    do {
        lowest -= WINDOWS_PAGE;
        at = (uintptr_t)lowest;
    } while (acre_windows_next_region(&at, (uintptr_t)start, &region) &&
             region.state == MEM_COMMIT);
    lowest += WINDOWS_PAGE;
    return lowest < start ? acre_windows_retire(lowest, (size_t)(start - lowest)) : ACRE_OK;
}

// After an overflow, all of a stack is committed and has no guard page: restores one, or the next
// overflow would not stop.
static acre_status
restore_guard_page(char *base)
{
    windows_region region;
    uintptr_t at = (uintptr_t)base - WINDOWS_PAGE;
    if (!acre_windows_next_region(&at, (uintptr_t)base, &region) || region.state != MEM_COMMIT ||
        region.protection & PAGE_GUARD)
        return ACRE_OK;
    acre_status status = mend_guard(base);
    return status == ACRE_OK ? sys_protect(base, WINDOWS_PAGE, PAGE_READWRITE | PAGE_GUARD)
                             : status;
}

// Leaves nothing committed below the highest `kept` bytes, except the guard page that starts the
// growth.
static acre_status
reserve_below(char *start, size_t length, size_t kept)
{
    void *page;
    acre_status status = mend_guard(start);
    if (status == ACRE_OK && kept < length)
        status = acre_windows_retire(start, length - kept);
    if (status == ACRE_OK && kept < length)
        status = sys_alloc(start + length - kept - WINDOWS_PAGE, WINDOWS_PAGE, MEM_COMMIT,
                           PAGE_READWRITE | PAGE_GUARD, &page);
    return status;
}

acre_status
acre_port_commit_stack(acre_mmap *map, void *start, size_t length, size_t first)
{
    acre_status status = ACRE_OK;
    acre_mmap any_state = *map;  // a part may be committed without the owner's handle saying so
    note_change(&any_state, map->size);
    if (first != 0)
        status =
            acre_port_commit(&any_state, (char *)start + length - first, first, ACRE_READ_WRITE);
    return status == ACRE_OK ? reserve_below(start, length, first) : status;
}

acre_status
acre_port_shrink_stack(acre_mmap *map, void *start, size_t length, size_t keep)
{
    (void)map;
    return reserve_below(start, length, keep);
}

// The block's fields about the stack that the headers do not declare.
static void **
deallocation_stack(void)
{
    return (void **)(void *)((char *)NtCurrentTeb() + DEALLOCATION_STACK);
}

static ULONG *
guaranteed_stack_bytes(void)
{
    return (ULONG *)(void *)((char *)NtCurrentTeb() + GUARANTEED_STACK_BYTES);
}

const void *
acre_windows_overflow_at(const void *address)
{
    const char *lowest = *deallocation_stack();
    ULONG guaranteed = *guaranteed_stack_bytes();
    size_t guard = guaranteed != 0 ? guaranteed + (size_t)SLACK : WINDOWS_PAGE;
    int inside = (const char *)address >= lowest && (const char *)address < lowest + guard;
    return inside ? address : lowest;
}

#if defined(_WIN64)
static void
find_last_handler(void)
{
}

void
acre_port_stack_begin(void *words[2])
{
    (void)words;  // handlers are found by tables
}
#else
enum { HANDLERS_END = -1 };

static _Atomic(void *) last_handler;

// Finds the outermost handler of the stack that the calling thread runs on: the system's own.
static void
find_last_handler(void)
{
    const NT_TIB *block = (const NT_TIB *)NtCurrentTeb();
    uintptr_t at = (uintptr_t)block->ExceptionList;
    void *handler = NULL;
    while (at % sizeof(void *) == 0 && at >= (uintptr_t)block->StackLimit &&
           at <= (uintptr_t)block->StackBase - 2 * sizeof(void *)) {
        void *const *words = (void *const *)at;  // the next record, and its handler
        handler = words[1];
        at = (uintptr_t)words[0];
    }
    if (handler != NULL && at == (uintptr_t)HANDLERS_END)
        atomic_store_explicit(&last_handler, handler, memory_order_release);
}

void
acre_port_stack_begin(void *words[2])
{
    NT_TIB *block = (NT_TIB *)NtCurrentTeb();
    void *handler = atomic_load_explicit(&last_handler, memory_order_acquire);
    if (handler == NULL || (intptr_t)block->ExceptionList != HANDLERS_END)
        return;
    words[0] = (void *)HANDLERS_END;
    words[1] = handler;
    block->ExceptionList = (void *)words;
}
#endif

acre_status
acre_port_stack_bounds(void *lowest, void *base, void *top, port_bounds *out)
{
    size_t guard = (size_t)((char *)base - (char *)lowest);
    size_t most = SLACK + WINDOWS_GUARANTEED;
    size_t reserve = guard < most ? guard : most;
    *out = (port_bounds){.top = top, .limit = top};
    out->lowest = (char *)base - reserve;
    out->guaranteed = reserve > SLACK ? reserve - SLACK : 0;
    // The end of the list.  On 64 bits, only wine up to 8 keeps a list, and takes handlers on
    // another stack for inner ones.
    out->handlers = ((NT_TIB *)NtCurrentTeb())->ExceptionList != NULL ? (void *)-1 : NULL;
    find_last_handler();
    acre_status status = restore_guard_page(base);
    if (status != ACRE_OK)
        return status;
    windows_region region;
    uintptr_t at = (uintptr_t)base;
    uintptr_t end = (uintptr_t)top;
    while (acre_windows_next_region(&at, end, &region)) {
        if (region.state == MEM_FREE)
            return -ENOMEM;
        if (region.state == MEM_COMMIT && (region.protection & PAGE_GUARD) == 0) {
            out->limit = region.start;
            return ACRE_OK;
        }
    }
    return ACRE_OK;
}

int
acre_port_stack_exchange(const port_bounds *to, port_bounds *from)
{
    // Calls made before the thread runs on the new stack must not let the old stack grow: the
    // system would not recognise it as a stack.
    volatile char room[2048];
    room[0] = 0;
    (void)room[0];

    NT_TIB *block = (NT_TIB *)NtCurrentTeb();
    void **lowest = deallocation_stack();
    ULONG *guaranteed = guaranteed_stack_bytes();
    port_bounds before = {
        .top = block->StackBase,
        .limit = block->StackLimit,
        .lowest = *lowest,
        .guaranteed = *guaranteed,
        .handlers = block->ExceptionList,
    };
    block->ExceptionList = to->handlers;
    block->StackBase = to->top;
    block->StackLimit = to->limit;
    *lowest = to->lowest;
    *guaranteed = (ULONG)to->guaranteed;
    *from = before;
    return 1;
}

#endif  // ACRE_ON_WINDOWS
