// Returns the memory of deep stacks: what lies below the kept bytes, with one call for many stacks.
#include "stack/pool.h"

#include "mmap/port/memory.h"

// Frames leave bytes behind that AddressSanitizer forbids touching.
#if defined(__GNUC__) || defined(__clang__)
#define UNSANITIZED __attribute__((no_sanitize_address))
#else
#define UNSANITIZED
#endif

UNSANITIZED void
acre_pool_clear_marks(const acre_stack_pool *pool, char *start, size_t first)
{
    for (size_t at = first; at <= pool->mark; at += pool->page) {
        uint64_t *words = (uint64_t *)(void *)(start + at);
        for (size_t i = 0; i < POOL_LINE / sizeof *words; i++)
            words[i] = 0;
    }
}

acre_status
acre_pool_shrink(const acre_stack_pool *pool, const region *r, char *start, size_t keep)
{
    acre_mmap map;
    shared_map_load(&r->map, &map);
    char *base = start + pool->guard;
    size_t length = pool->stride - pool->guard;
    acre_status status = acre_port_shrink_stack(&map, base, length, keep);
    if (status == ACRE_OK && acre_port_stacks_grow() && keep < pool->at_once)
        status = acre_port_commit_stack(&map, base, length, pool->at_once);
    return status;
}

int
acre_pool_hides_depth(const acre_stack_pool *pool, const char *start)
{
    int any;
    return acre_port_any_present(start + pool->guard, pool->kept - pool->guard, &any) == ACRE_OK &&
           any;
}

static void
shrink_each(const acre_stack_pool *pool, const uint32_t *ids, size_t count)
{
    // When a call fails, some memory was not returned: its marks stay, so the next attempt includes
    // it.
    for (size_t i = 0; i < count; i++) {
        const region *r = region_of(pool, ids[i]);
        char *start = slot_start(pool, r, slot_of(ids[i]));
        if (acre_pool_shrink(pool, r, start, pool->stride - pool->kept) == ACRE_OK)
            acre_pool_clear_marks(pool, start, pool->kept);
    }
}

// As shrink_each, with few calls.
static void
discard_many(const acre_stack_pool *pool, const uint32_t *ids, size_t count)
{
    acre_range ranges[POOL_DISCARD];
    while (count > 0) {
        size_t batch = count < POOL_DISCARD ? count : POOL_DISCARD;
        for (size_t i = 0; i < batch; i++) {
            ranges[i].base =
                slot_start(pool, region_of(pool, ids[i]), slot_of(ids[i])) + pool->guard;
            ranges[i].length = pool->kept - pool->guard;
        }
        size_t done;
        acre_status status = acre_port_discard_many(ranges, batch, ACRE_DISCARD_NOW, &done);
        for (size_t i = 0; i < done && i < batch; i++)
            acre_pool_clear_marks(pool, (char *)ranges[i].base - pool->guard, pool->kept);
        if (status != ACRE_OK)
            return;
        ids += batch;
        count -= batch;
    }
}

void
acre_pool_discard(const acre_stack_pool *pool, const uint32_t *ids, size_t count)
{
    if (acre_port_discards_at_once())
        discard_many(pool, ids, count);
    else
        shrink_each(pool, ids, count);
}
