// Returns the memory of free stacks on request.
//
// Trimming takes free slots out of the lists and marks them, then looks for runs of marked
// neighbours.  A run that spans whole page tables is reserved anew, which returns these, too; its
// slots are then cold.  Slots of shorter runs have their bytes discarded and stay ready.  Locked
// memory cannot be discarded, so there a run of any length is reserved anew.
#include "stack/pool.h"
#include "stack/room.h"

#include "acre/page.h"
#include "mmap/port/memory.h"

// ---- trim ---------------------------------------------------------------------------------------

static int
is_trimmed(const region *r, uint32_t slot)
{
    uint32_t state = atomic_load_explicit(slot_state(r, slot), memory_order_relaxed);
    return (state & SLOT_READY) == 0 && state % 2 != 0;
}

static void
mark_slot(const acre_stack_pool *pool, uint32_t id)
{
    _Atomic uint32_t *place = slot_state(region_of(pool, id), slot_of(id));
    uint32_t state = atomic_load_explicit(place, memory_order_relaxed);
    atomic_store_explicit(place, (state & ~SLOT_READY) | 1, memory_order_relaxed);
}

// Marks all free slots but the `keep` that were given last; the marked ones belong to the caller.
// Under the lock.
static size_t
mark_free_slots(acre_stack_pool *pool, size_t keep)
{
    size_t deep = pool->deep_count;
    size_t all = pool->free_count + deep;
    size_t count = all > keep ? all - keep : 0;
    size_t of_deep = count < deep ? count : deep;
    for (size_t i = 0; i < of_deep; i++)
        mark_slot(pool, pool->deep[--pool->deep_count]);
    size_t of_free = count - of_deep;
    for (size_t i = 0; i < of_free; i++)
        mark_slot(pool, pool->ids[i]);
    for (size_t i = of_free; i < pool->free_count; i++)
        pool->ids[i - of_free] = pool->ids[i];
    pool->free_count -= of_free;
    pool->ready -= count;
    pool->pending += count;
    return count;
}

// Returns slots [first, first + count) of a region to the lists, cold or ready.  Under the lock.
static void
unmark_run(acre_stack_pool *pool, uint32_t index, uint32_t first, uint32_t count, int ready)
{
    const region *r = region_at(pool, index);
    // The lists are last in, first out: the lowest number is taken first.
    for (uint32_t slot = first + count; slot-- > first;) {
        _Atomic uint32_t *place = slot_state(r, slot);
        uint32_t state = atomic_load_explicit(place, memory_order_relaxed);
        state &= ~(uint32_t)1;
        atomic_store_explicit(place, ready ? state | SLOT_READY : state, memory_order_relaxed);
        if (ready)
            pool->ids[pool->free_count++] = slot_number(index, slot);
        else
            pool->ids[pool->slots - ++pool->cold_count] = slot_number(index, slot);
    }
    pool->ready += ready ? count : 0;
    pool->pending -= count;
}

static acre_status
discard_run(const acre_stack_pool *pool, const region *r, uint32_t first, uint32_t count)
{
    for (uint32_t slot = first; slot < first + count; slot++) {
        char *start = slot_start(pool, r, slot);
        acre_range range = {start + pool->guard, pool->stride - pool->guard};
        size_t done;
        acre_status status = acre_port_discards_at_once()
                                 ? acre_port_discard_many(&range, 1, ACRE_DISCARD_NOW, &done)
                                 : acre_pool_shrink(pool, r, start, 0);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

static size_t
count_page_guards(const region *r, uint32_t first, uint32_t count)
{
    size_t guards = 0;
    for (uint32_t slot = first; slot < first + count; slot++) {
        uint32_t state = atomic_load_explicit(slot_state(r, slot), memory_order_relaxed);
        guards += (state & SLOT_PAGES) != 0;
    }
    return guards;
}

// Returns the memory of a run of marked slots, and sets *cold if the slots are then cold.  Without
// the lock.
static acre_status
return_run(acre_stack_pool *pool, uint32_t index, uint32_t first, uint32_t count, int *cold)
{
    const region *r = region_at(pool, index);
    for (uint32_t slot = first; slot < first + count; slot++) {
        if (slot % POOL_MEASURE == 0)
            acre_pool_note_depth(pool, slot_number(index, slot));
    }

    // A page table fills one page, with a pointer for each page it maps.  Twice the length it
    // covers contains a whole one.
    size_t page = acre_page_size();
    size_t table = page * (page / sizeof(uint64_t));
    size_t length = count * pool->stride;
    int locked = (pool->flags & ACRE_STACK_LOCKED) != 0;
    acre_status status = ACRE_OK;
    if (locked || length >= 2 * table || count == r->slots) {
        acre_mmap map;
        shared_map_load(&r->map, &map);
        status = acre_port_decommit(&map, slot_start(pool, r, first + count - 1), length);
        *cold = status == ACRE_OK;
        if (*cold)
            acre_pool_page_guards_removed(count_page_guards(r, first, count));
    }
    return *cold || locked ? status : discard_run(pool, r, first, count);
}

static acre_status
return_region(acre_stack_pool *pool, uint32_t index, size_t *left)
{
    const region *r = region_at(pool, index);
    acre_status result = ACRE_OK;
    // Only this thread marks slots, so the frontier need not be checked.
    for (uint32_t slot = 0; r != NULL && *left > 0 && slot < r->slots; slot++) {
        uint32_t first = slot;
        while (slot < r->slots && is_trimmed(r, slot))
            slot++;
        if (slot == first)
            continue;
        int cold = 0;
        acre_status status = return_run(pool, index, first, slot - first, &cold);
        acre_status locked = acre_pool_lock(pool);
        if (locked != ACRE_OK)
            return locked;
        unmark_run(pool, index, first, slot - first, !cold);
        acre_pool_unlock_changed(pool);
        *left -= slot - first;
        result = result != ACRE_OK ? result : status;
    }
    return result;
}

// Begins as soon as no other thread trims.
static acre_status
begin_trim(acre_stack_pool *pool, size_t keep, size_t *count, uint32_t *regions)
{
    acre_status status = acre_stack_pool_flush(pool);
    if (status != ACRE_OK)
        return status;
    for (;;) {
        status = acre_pool_lock(pool);
        if (status != ACRE_OK)
            return status;
        if (!pool->trimming)
            break;
        acre_pool_unlock_wait(pool);
    }
    pool->trimming = 1;
    *count = mark_free_slots(pool, keep);
    *regions = pool->region_count;
    acre_pool_unlock(pool);
    return ACRE_OK;
}

acre_status
acre_stack_pool_trim(acre_stack_pool *pool, size_t keep)
{
    room_touch_for_calls();
    size_t left;
    uint32_t regions;
    acre_status result = begin_trim(pool, keep, &left, &regions);
    if (result != ACRE_OK)
        return result;
    for (uint32_t i = 0; i < regions; i++) {
        acre_status status = return_region(pool, i, &left);
        result = result != ACRE_OK ? result : status;
    }
    acre_status locked = acre_pool_lock(pool);
    if (locked != ACRE_OK)
        return locked;
    pool->trimming = 0;
    acre_pool_unlock_changed(pool);
    return result;
}

acre_status
acre_stack_pool_prewarm(acre_stack_pool *pool, size_t count)
{
    if (count > pool->max_stacks)
        return ACRE_FULL;
    acre_status status = acre_stack_pool_flush(pool);
    return status == ACRE_OK && count > 0 ? acre_pool_make(pool, count) : status;
}
