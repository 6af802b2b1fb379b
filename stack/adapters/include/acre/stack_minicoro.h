// acre/stack_minicoro.h - coroutines of minicoro on stacks of a pool: its two allocation hooks.
//
// No header of minicoro's is included.
//
//     mco_desc desc = mco_desc_init(body, 56 * 1024);
//     acre_stack_pool_opts opts = {.stack_size = acre_minicoro_stack_size(desc.coro_size)};
//     ... acre_stack_pool_create(&opts, &pool) ...
//     desc.alloc_cb = acre_minicoro_alloc;
//     desc.dealloc_cb = acre_minicoro_dealloc;
//     desc.allocator_data = pool;
//     ... mco_create(&coroutine, &desc) ...
//
// minicoro puts its record and its storage (MCO_DEFAULT_STORAGE_SIZE) at the block's lowest bytes,
// below the stack.  So a coroutine takes two pages, and one that runs over writes into both before
// it comes to the guard, a page below at most in a pool of the size above.
//
// minicoro tells AddressSanitizer and ThreadSanitizer of its switches by itself; the hooks add the
// stack's bounds for Valgrind, and LeakSanitizer looks for pointers there.  C++ exceptions stay the
// thread's: do not yield inside a catch.
#ifndef ACRE_STACK_MINICORO_H_
#define ACRE_STACK_MINICORO_H_

#include <assert.h>

#include "acre/stack_pool.h"
#include "acre/stack_switch.h"

ACRE_EXTERN_C_BEGIN

// At the stack's top, above minicoro's block: a multiple of 64 bytes.
typedef union acre_minicoro_record_ {
    acre_stack_switch tools;
    char room[128];
} acre_minicoro_record_;

/// The stack_size of a pool whose stacks hold coroutines of `coro_size` bytes (mco_desc.coro_size);
/// SIZE_MAX, which acre_stack_pool_create refuses, when there is no such size.
static inline size_t
acre_minicoro_stack_size(size_t coro_size)
{
    // 15 for the block's alignment.
    const size_t more = sizeof(acre_minicoro_record_) + 15;
    return coro_size > ACRE_CAST_(size_t, -1) - more ? ACRE_CAST_(size_t, -1) : coro_size + more;
}

static inline acre_minicoro_record_ *
acre_minicoro_record_of_(const acre_stack *stack)
{
    // By way of void *: the top is aligned for it.
    void *record = ACRE_CAST_(char *, stack->base) + (stack->size - sizeof(acre_minicoro_record_));
    return ACRE_CAST_(acre_minicoro_record_ *, record);
}

/// mco_desc.alloc_cb; its allocator_data is the pool, which must outlive the coroutines.  The block
/// is aligned to 16 bytes, its contents are unspecified.
///
/// @return NULL when the pool refuses, or its stacks are smaller than
///         acre_minicoro_stack_size(size)
static inline void *
acre_minicoro_alloc(size_t size, void *pool)
{
    acre_stack stack;
    if (acre_stack_pool_take(ACRE_CAST_(acre_stack_pool *, pool), &stack) != ACRE_OK)
        return ACRE_NULL_;
    if (acre_minicoro_stack_size(size) > stack.size) {
        acre_status given = acre_stack_pool_give(ACRE_CAST_(acre_stack_pool *, pool), &stack);
        assert(given == ACRE_OK);  // it was taken a moment ago
        (void)given;
        return ACRE_NULL_;
    }
    acre_minicoro_record_ *record = acre_minicoro_record_of_(&stack);
    acre_stack usable = stack;
    usable.size -= sizeof *record;
    acre_stack_switch_open(&record->tools, &usable);
    // The block ends where the record begins, so that `keep` of the pool counts from its stack's
    // top.
    char *block = ACRE_RECAST_(char *, record) - size;
    return block - ACRE_RECAST_(uintptr_t, block) % 16;
}

/// mco_desc.dealloc_cb.
static inline void
acre_minicoro_dealloc(void *block, size_t size, void *pool)
{
    (void)size;
    acre_stack stack;
    acre_status status = acre_stack_at(block, &stack);
    if (status == ACRE_OK) {
        acre_stack_switch_close(&acre_minicoro_record_of_(&stack)->tools);
        status = acre_stack_pool_give(ACRE_CAST_(acre_stack_pool *, pool), &stack);
    }
    assert(status == ACRE_OK);  // else it was freed before, or is another pool's
    (void)status;
}

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_MINICORO_H_
