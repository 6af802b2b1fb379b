// stack/place.h - where one stack lies, single or a pool's, and the sizes common to both.
//
//   start   base                limit    content   end
//   | guard | usable, grows down | header | unused |
#ifndef ACRE_STACK_PLACE_H_
#define ACRE_STACK_PLACE_H_

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/stack.h"
#include "mmap/debug.h"
#include "mmap/port/memory.h"

enum {
    STACK_KNOWN_FLAGS = ACRE_STACK_NO_DUMP | ACRE_STACK_LOCKED | ACRE_STACK_DONT_FORK |
                        ACRE_STACK_PAGE_GUARDS | ACRE_STACK_NO_COLOUR,
    STACK_ALIGNMENT = 64,       // of the usable bytes' end, and of a header and its size
    STACK_AT_ONCE = 16 * 1024,  // accessible without growth, where stacks grow
// At least the step in which a function with a large frame touches the stack on its way down
// (-fstack-clash-protection); on Windows also room for an overflow handler.
#if defined(__aarch64__) || defined(_WIN32)
    STACK_DEFAULT_GUARD = 64 * 1024
#else
    STACK_DEFAULT_GUARD = 16 * 1024
#endif
};

// `unit` is a power of two.  Returns 0 when the result is too large.
static inline int
stack_round_up(size_t value, size_t unit, size_t *out)
{
    if (value > SIZE_MAX - (unit - 1))
        return 0;
    *out = (value + unit - 1) & ~(unit - 1);
    return 1;
}

// Returns 0 when the sum is too large.
static inline int
stack_add(size_t a, size_t b, size_t *out)
{
    *out = a + b;
    return *out >= a;
}

/// ACRE_BAD_OPTION when a flag is unknown, or one of the `count` reserved words is not zero.
static inline acre_status
stack_check_options(uint32_t flags, const uint32_t *reserved, size_t count)
{
    int valid = IS_VALID((flags & ~(uint32_t)STACK_KNOWN_FLAGS) == 0);
    for (size_t i = 0; i < count; i++)
        valid &= IS_VALID(reserved[i] == 0);
    return valid ? ACRE_OK : ACRE_BAD_OPTION;
}

/// Where a stack's memory lies; base and end are multiples of the page size.
typedef struct stack_place {
    acre_mmap map;  // a copy of the map that contains the stack
    char *start;    // of the guard, [start, base)
    char *base;
    char *limit;    // of the usable bytes, [base, limit)
    char *content;  // end of the header, [limit, content)
    char *end;
    int locked;
} stack_place;

/// The handle of a stack: what is known of it, and the two words by which its package finds it.
static inline acre_stack
stack_handle(const acre_stack_info *info, const uintptr_t key[2])
{
    return (acre_stack){
        .base = info->base,
        .size = info->size,
        .header = info->header,
        .guard_kind = info->guard_kind,
        .generation = info->generation,
        .private_ = {key[0], key[1]},
    };
}

/// Where stacks grow: makes the top `bytes` of the usable bytes and the header accessible to any
/// code, not only to the stack's own growth.
static inline acre_status
stack_open(stack_place *place, size_t bytes)
{
    size_t page = acre_page_size();
    size_t length = (size_t)(place->end - place->base);
    size_t usable = (size_t)(place->limit - place->base);
    size_t above = length - usable;
    size_t first = bytes < usable ? (above + bytes + page - 1) & ~(page - 1) : length;
    return acre_port_commit_stack(&place->map, place->base, length,
                                  first < length ? first : length);
}

/// A map that any thread may read while its owner changes it: a reader that loaded it during a
/// change then finds that the generation of the enclosing record has changed.
typedef struct shared_map {
    _Atomic uintptr_t words[sizeof(acre_mmap) / sizeof(uintptr_t)];
} shared_map;

_Static_assert(sizeof(shared_map) == sizeof(acre_mmap), "a map is whole words");

static inline void
shared_map_store(shared_map *place, const acre_mmap *map)
{
    uintptr_t words[sizeof(acre_mmap) / sizeof(uintptr_t)];
    memcpy(words, map, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        atomic_store_explicit(&place->words[i], words[i], memory_order_release);
}

static inline void
shared_map_load(const shared_map *place, acre_mmap *out)
{
    for (size_t i = 0; i < sizeof(acre_mmap) / sizeof(uintptr_t); i++) {
        uintptr_t word = atomic_load_explicit(&place->words[i], memory_order_acquire);
        memcpy((char *)out + i * sizeof word, &word, sizeof word);
    }
}

#endif  // ACRE_STACK_PLACE_H_
