// stack/place.h - the memory of one stack, single or a pool's.
#ifndef ACRE_STACK_PLACE_H_
#define ACRE_STACK_PLACE_H_

#include <stddef.h>

#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/stack.h"
#include "mmap/port/memory.h"

typedef struct stack_place {
    acre_mmap map;  // where it lies
    void *lowest;   // of the guard, [lowest, base)
    void *base;
    size_t size;    // usable bytes
    size_t length;  // those, the header, and what fills up the last page
} stack_place;

/// @return ACRE_OK; ACRE_STALE; ACRE_NOT_OURS
acre_status acre_stack_place_of(const acre_stack *stack, stack_place *out);

/// Where stacks grow: the top `bytes` of the usable ones and the header accessible to all.
static inline acre_status
stack_open(stack_place *place, size_t bytes)
{
    size_t page = acre_page_size();
    size_t above = place->length - place->size;
    size_t first = bytes < place->size ? (above + bytes + page - 1) & ~(page - 1) : place->length;
    return acre_port_commit_stack(&place->map, place->base, place->length,
                                  first < place->length ? first : place->length);
}

#endif  // ACRE_STACK_PLACE_H_
