// What a pool has, and how deep its stacks have been.
#include "stack/pool.h"
#include "stack/room.h"

#include "acre/area.h"
#include "acre/page.h"
#include "mmap/port/memory.h"

// ---- states -------------------------------------------------------------------------------------

static uint32_t
frontier_of(const region *r)
{
    return atomic_load_explicit(&r->frontier, memory_order_relaxed);
}

size_t
acre_region_count_ready(const region *r, uint32_t wanted)
{
    size_t count = 0;
    wanted |= SLOT_READY;
    for (uint32_t slot = 0; slot < frontier_of(r); slot++) {
        uint32_t state = atomic_load_explicit(slot_state(r, slot), memory_order_acquire);
        count += (state & wanted) == wanted;
    }
    return count;
}

// ---- areas --------------------------------------------------------------------------------------

// Whether an area that begins below a region is already counted for another of the pool's regions.
static int
begins_in_another(const acre_stack_pool *pool, uint32_t count, const region *r, uintptr_t start)
{
    for (uint32_t i = 0; i < count; i++) {
        const region *other = region_at(pool, i);
        if (other != NULL && other != r && other->end > start && other->start < r->start)
            return 1;
    }
    return 0;
}

static acre_status
count_in_region(acre_areas *view, const acre_stack_pool *pool, uint32_t count, const region *r,
                size_t *areas)
{
    uintptr_t start = r->start;
    uintptr_t end = r->end;
    acre_status status = acre_areas_seek(view, start);
    acre_area area;
    while (status == ACRE_OK && (status = acre_areas_next(view, &area)) == 1) {
        status = ACRE_OK;
        if (area.start >= end)
            break;
        if (area.end > start &&
            (area.start >= start || !begins_in_another(pool, count, r, area.start)))
            ++*areas;
    }
    return status;
}

static acre_status
count_pool_areas(const acre_stack_pool *pool, uint32_t count, size_t *areas)
{
    acre_areas view;
    acre_status status = acre_areas_open(0, &view);
    if (status != ACRE_OK)
        return status;
    for (uint32_t i = 0; status == ACRE_OK && i < count; i++) {
        const region *r = region_at(pool, i);
        if (r != NULL)
            status = count_in_region(&view, pool, count, r, areas);
    }
    acre_areas_close(&view);
    return status;
}

// ---- depths -------------------------------------------------------------------------------------

// All of a locked stack is present, however little was used.
static int
depths_are_told(const acre_stack_pool *pool)
{
    return (pool->flags & ACRE_STACK_LOCKED) == 0;
}

// Raises *deepest to the depth of the region's deepest stack.
static acre_status
find_deepest(const acre_stack_pool *pool, const region *r, size_t *deepest)
{
    enum { BATCH = 64 };
    acre_range ranges[BATCH];
    const void *lowest[BATCH];
    uint32_t batch;
    for (uint32_t first = 0; first < frontier_of(r); first += batch) {
        uint32_t left = frontier_of(r) - first;
        batch = left < BATCH ? left : BATCH;
        for (uint32_t i = 0; i < batch; i++) {
            ranges[i].base = slot_start(pool, r, first + batch - 1 - i) + pool->guard;
            ranges[i].length = pool->stride - pool->guard;
        }
        acre_status status = acre_port_lowest_touched_many(ranges, batch, lowest);
        if (status != ACRE_OK)
            return status;
        for (uint32_t i = 0; i < batch; i++) {
            uint32_t slot = first + batch - 1 - i;
            const char *limit =
                slot_start(pool, r, slot) + pool->top - slot_colour(pool->colours, slot);
            const char *depth = lowest[i];
            if (depth < limit && (size_t)(limit - depth) > *deepest)
                *deepest = (size_t)(limit - depth);
        }
    }
    return ACRE_OK;
}

size_t
acre_pool_note_depth(acre_stack_pool *pool, uint32_t id)
{
    if (!depths_are_told(pool))
        return 0;
    const region *r = region_of(pool, id);
    char *start = slot_start(pool, r, slot_of(id));
    const char *limit = start + pool->top - slot_colour(pool->colours, id);
    const void *lowest;
    if (acre_port_lowest_touched(start + pool->guard, pool->stride - pool->guard, &lowest) !=
        ACRE_OK)
        return 0;  // unknown; acre_stack_pool_suggest then returns the error
    if ((const char *)lowest >= limit)
        return 0;
    size_t depth = (size_t)(limit - (const char *)lowest);
    size_t known = atomic_load_explicit(&pool->deepest, memory_order_relaxed);
    while (depth > known &&
           !atomic_compare_exchange_weak_explicit(&pool->deepest, &known, depth,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
    return depth;
}

static acre_status
find_deepest_of_all(const acre_stack_pool *pool, uint32_t regions, size_t *deepest)
{
    acre_status status = depths_are_told(pool) ? ACRE_OK : -ENOTSUP;
    for (uint32_t i = 0; status == ACRE_OK && i < regions; i++) {
        const region *r = region_at(pool, i);
        if (r != NULL)
            status = find_deepest(pool, r, deepest);
    }
    return status;
}

acre_status
acre_stack_pool_suggest(acre_stack_pool *pool, size_t *stack_size)
{
    room_touch_for_lists();
    acre_status status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    uint32_t regions = pool->region_count;
    acre_pool_unlock(pool);
    size_t deepest = atomic_load_explicit(&pool->deepest, memory_order_relaxed);
    status = find_deepest_of_all(pool, regions, &deepest);
    if (status != ACRE_OK)
        return status;
    size_t wanted = deepest + deepest / 2;
    *stack_size = deepest != 0 ? (wanted + pool->page - 1) & ~(pool->page - 1)
                               : pool->top - pool->guard - pool->colours * (size_t)POOL_LINE;
    return ACRE_OK;
}

// ---- statistics ---------------------------------------------------------------------------------

acre_status
acre_stack_pool_stats_read(acre_stack_pool *pool, acre_stack_pool_stats *out)
{
    room_touch_for_lists();
    acre_stack_pool_stats stats = {
        .guard_kind = atomic_load_explicit(&pool->guard_kind, memory_order_relaxed)};
    acre_status status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    uint32_t regions = pool->region_count;
    size_t ready = pool->ready;
    for (uint32_t i = 0; i < regions; i++) {
        const region *r = region_at(pool, i);
        stats.out += r != NULL ? acre_region_count_ready(r, 1) : 0;
    }
    stats.peak = pool->peak > stats.out ? pool->peak : stats.out;
    acre_pool_unlock(pool);
    stats.free = ready > stats.out ? ready - stats.out : 0;
    stats.cold = pool->max_stacks - stats.out - stats.free;

    for (uint32_t i = 0; status == ACRE_OK && i < regions; i++) {
        const region *r = region_at(pool, i);
        if (r == NULL)
            continue;
        size_t bytes = 0;
        status = acre_port_resident((void *)r->start, region_size(r), &bytes);
        stats.resident += bytes;
    }
    if (status == ACRE_OK && depths_are_told(pool))
        status = find_deepest_of_all(pool, regions, &stats.deepest);
    if (status == ACRE_OK)
        status = count_pool_areas(pool, regions, &stats.areas);
    if (status == ACRE_OK)
        *out = stats;
    return status;
}
