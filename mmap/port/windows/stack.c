// Windows: stacks, which grow.
//
// 1. A stack is reserved memory, committed from its top down to one page with PAGE_GUARD.  When the
//    thread that runs on it touches that page, the system gives it the page, moves StackLimit in
//    the thread information block, and makes a guard of the page below.  Which stack a thread runs
//    on it knows from the block alone; any other touch is an exception.
// 2. Near DeallocationStack it does not go on, but commits GuaranteedStackBytes and raises
//    EXCEPTION_STACK_OVERFLOW; the page at DeallocationStack is never committed.  That part lies
//    in acre's guard, so that all usable bytes are.  Versions differ by some pages in where
//    they stop: SLACK.
// 3. StackLimit is the truth: the compiler's probes touch pages below it only, and exceptions are
//    not handled in frames below it.
// 4. wine makes pages accessible as they were reserved to be: with PAGE_READWRITE.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/check.h"
#include "mmap/port/windows/windows.h"

enum { SLACK = 4 * WINDOWS_PAGE };

// Of the thread information block, behind what headers tell of it.
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

// What an overflow had committed in the guard below `start`.
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

// After an overflow all of a stack is committed, and nothing stops the next one.
static acre_status
grow_again(char *base)
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

// Below the highest `kept` bytes nothing is committed but the page that starts the growth.
static acre_status
grow_below(char *start, size_t length, size_t kept)
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
    acre_mmap any_state = *map;  // a part may be committed, which the owner's handle does not say
    note_change(&any_state, map->size);
    if (first != 0)
        status =
            acre_port_commit(&any_state, (char *)start + length - first, first, ACRE_READ_WRITE);
    return status == ACRE_OK ? grow_below(start, length, first) : status;
}

acre_status
acre_port_shrink_stack(acre_mmap *map, void *start, size_t length, size_t keep)
{
    (void)map;
    return grow_below(start, length, keep);
}

// Of the block, what tells of the stack behind what its header names.
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

acre_status
acre_port_stack_bounds(void *lowest, void *base, void *top, port_bounds *out)
{
    size_t guard = (size_t)((char *)base - (char *)lowest);
    size_t most = SLACK + WINDOWS_GUARANTEED;
    size_t reserve = guard < most ? guard : most;
    *out = (port_bounds){.top = top, .limit = top};
    out->lowest = (char *)base - reserve;
    out->guaranteed = reserve > SLACK ? reserve - SLACK : 0;
    // The end of the list; of 64 bits only wine up to 8 keeps one, and takes those on another stack
    // for inner ones.
    out->handlers = ((NT_TIB *)NtCurrentTeb())->ExceptionList != NULL ? (void *)-1 : NULL;
    acre_status status = grow_again(base);
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
    // What is called until the thread runs there must not let the old stack grow: it would be no
    // stack to the system.
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
