// Stacks asleep: live bytes saved in the caller's buffer, pages returned, guards left in place.
#include "acre/stack_sleep.h"

#include <string.h>

#include "mmap/port/memory.h"
#include "stack/handle.h"
#include "stack/place.h"

// Between frames lie bytes that AddressSanitizer forbids touching.  Its record of them lies
// elsewhere and stays unchanged while the stack sleeps.
#if defined(__GNUC__) || defined(__clang__)
#define UNSANITIZED __attribute__((no_sanitize_address))
#define FRAME_ADDRESS() __builtin_frame_address(0)
#elif defined(_MSC_VER)
#include <intrin.h>
#define UNSANITIZED __declspec(no_sanitize_address)
#define FRAME_ADDRESS() _AddressOfReturnAddress()
#else
#error "acre does not know how this compiler tells the address of a frame"
#endif

// Copies volatile words: otherwise the compiler would call memcpy, which is checked.  The stack's
// side is aligned, and `length` is a whole number of words.

UNSANITIZED static void
copy_out(char *buffer, const char *from, size_t length)
{
    for (size_t i = 0; i < length; i += sizeof(uintptr_t)) {
        uintptr_t word = *(const volatile uintptr_t *)(const void *)(from + i);
        memcpy(buffer + i, &word, sizeof word);
    }
}

UNSANITIZED static void
copy_in(char *to, const char *buffer, size_t length)
{
    for (size_t i = 0; i < length; i += sizeof(uintptr_t)) {
        uintptr_t word;
        memcpy(&word, buffer + i, sizeof word);
        *(volatile uintptr_t *)(void *)(to + i) = word;
    }
}

static int
runs_here(const stack_place *place)
{
    uintptr_t here = (uintptr_t)FRAME_ADDRESS();
    return here >= (uintptr_t)place->base && here < (uintptr_t)place->end;
}

// Finds the lowest byte to keep.
static acre_status
find_lowest(const stack_place *place, const void *stack_pointer, const char **out)
{
    uintptr_t at = (uintptr_t)stack_pointer;
    if (at < (uintptr_t)place->base || at > (uintptr_t)place->limit)
        return ACRE_BAD_RANGE;
    size_t offset = (at - (uintptr_t)place->base) & ~(sizeof(uintptr_t) - 1);
    *out = place->base + offset;
    return ACRE_OK;
}

acre_status
acre_stack_sleep_size(const acre_stack *stack, const void *stack_pointer, size_t *bytes)
{
    stack_place place;
    const char *lowest;
    acre_status status = acre_handle_get(stack, &place);
    if (status == ACRE_OK)
        status = find_lowest(&place, stack_pointer, &lowest);
    if (status != ACRE_OK)
        return status;
    *bytes = (size_t)(place.content - lowest);
    return ACRE_OK;
}

_Static_assert(sizeof(acre_stack_sleeper) == 5 * sizeof(void *), "programs rely on it");

// Copies the live bytes, and sets which pages may be returned.
static acre_status
copy_sleeper(acre_stack_sleeper *sleeper, acre_range *pages)
{
    stack_place place;
    const char *lowest;
    acre_status status = acre_handle_get(sleeper->stack, &place);
    if (status == ACRE_OK)
        status = find_lowest(&place, sleeper->stack_pointer, &lowest);
    if (status != ACRE_OK)
        return status;
    size_t live = (size_t)(place.content - lowest);
    if (live > sleeper->capacity)
        return ACRE_BAD_SIZE;
    if (runs_here(&place))
        return ACRE_BAD_STATE;

    copy_out(sleeper->buffer, lowest, live);
    sleeper->length = live;
    pages->base = place.base;
    pages->length = (size_t)(place.end - place.base);
    return ACRE_OK;
}

static acre_status
return_pages(const acre_stack_sleeper *sleepers, const acre_range *pages, size_t count,
             size_t *done)
{
    if (acre_port_discards_at_once())
        return acre_port_discard_many(pages, count, ACRE_DISCARD_NOW, done);
    for (*done = 0; *done < count; ++*done) {
        stack_place place;
        acre_status status = acre_handle_get(sleepers[*done].stack, &place);
        if (status == ACRE_OK)
            status =
                acre_port_shrink_stack(&place.map, place.base, (size_t)(place.end - place.base), 0);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

acre_status
acre_stack_sleep_many(acre_stack_sleeper *sleepers, size_t count, size_t *done)
{
    enum { BATCH = 64 };
    acre_range pages[BATCH];
    acre_status refused = ACRE_OK;
    *done = 0;
    while (*done < count && refused == ACRE_OK) {
        size_t filled = 0;
        while (filled < BATCH && *done + filled < count) {
            refused = copy_sleeper(&sleepers[*done + filled], &pages[filled]);
            if (refused != ACRE_OK)
                break;
            filled++;
        }
        size_t asleep;
        acre_status status = return_pages(&sleepers[*done], pages, filled, &asleep);
        *done += asleep;
        if (status != ACRE_OK)
            return status;
    }
    return refused;
}

acre_status
acre_stack_sleep(const acre_stack *stack, const void *stack_pointer, void *buffer, size_t capacity,
                 size_t *length)
{
    acre_stack_sleeper sleeper = {
        .stack = stack, .stack_pointer = stack_pointer, .buffer = buffer, .capacity = capacity};
    size_t done;
    acre_status status = acre_stack_sleep_many(&sleeper, 1, &done);
    if (status == ACRE_OK)
        *length = sleeper.length;
    return status;
}

// Where stacks grow: makes the top `length` bytes of the content accessible, and at least what a
// new stack has.
static acre_status
open_stack_again(stack_place *place, size_t length)
{
    size_t usable = (size_t)(place->limit - place->base);
    size_t bytes = length < usable ? length : usable;
    return stack_open(place, bytes > STACK_AT_ONCE ? bytes : STACK_AT_ONCE);
}

acre_status
acre_stack_wake(const acre_stack *stack, const void *buffer, size_t length)
{
    stack_place place;
    acre_status status = acre_handle_get(stack, &place);
    if (status != ACRE_OK)
        return status;
    size_t most = (size_t)(place.content - place.base);
    size_t least = (size_t)(place.content - place.limit);
    if (length < least || length > most || length % sizeof(uintptr_t) != 0)
        return ACRE_BAD_SIZE;
    if (runs_here(&place))
        return ACRE_BAD_STATE;
    if (acre_port_stacks_grow())
        status = open_stack_again(&place, length);
    if (status != ACRE_OK)
        return status;
    copy_in(place.content - length, buffer, length);
    return ACRE_OK;
}
