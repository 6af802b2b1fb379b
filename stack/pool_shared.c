// A pool's lock, and its lists in the child of a fork.
//
// The lock word is the number of the process that holds it.  A child of a fork thus recognises a
// lock that was held by a thread it does not have, and takes it over.  Whatever that thread was
// changing is rebuilt from the slots' states: a state changes with one store, and everything else
// follows from the states.
#include "mmap/process.h"
#include "stack/pool.h"

#include "mmap/port/thread.h"

uint32_t
acre_pool_fresh_token(void)
{
    static _Atomic uint32_t count;
    uint32_t token;
    do
        token = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1;
    while (token == 0);
    return token;
}

static void
acquire_lock(acre_stack_pool *pool, uint32_t process)
{
    for (;;) {
        uint32_t holder = 0;
        if (atomic_compare_exchange_weak_explicit(&pool->lock, &holder, process,
                                                  memory_order_acquire, memory_order_relaxed))
            return;
        if (holder != 0 && holder != process &&
            atomic_compare_exchange_strong_explicit(&pool->lock, &holder, process,
                                                    memory_order_acquire, memory_order_relaxed))
            return;
        acre_port_yield();
    }
}

acre_status
acre_pool_lock(acre_stack_pool *pool)
{
    uint32_t process;
    acre_status status = acre_process_number(&process);
    if (status != ACRE_OK)
        return status;
    acquire_lock(pool, process);
    if (atomic_load_explicit(&pool->process, memory_order_relaxed) == process)
        return ACRE_OK;
    if (pool->flags & ACRE_STACK_DONT_FORK) {
        acre_pool_unlock(pool);
        return ACRE_BAD_STATE;
    }
    atomic_store_explicit(&pool->process, process, memory_order_relaxed);
    acre_pool_rebuild(pool);
    return ACRE_OK;
}

void
acre_pool_unlock(acre_stack_pool *pool)
{
    atomic_store_explicit(&pool->lock, 0, memory_order_release);
}

static void
sort_slots(acre_stack_pool *pool, uint32_t index, region *r)
{
    for (uint32_t slot = 0; slot < r->frontier; slot++) {
        _Atomic uint32_t *place = slot_state(r, slot);
        uint32_t state = atomic_load_explicit(place, memory_order_acquire);
        if ((state & SLOT_READY) == 0) {
            atomic_store_explicit(place, state & ~(uint32_t)SLOT_TRIMMED, memory_order_relaxed);
            pool->ids[pool->slots - ++pool->cold_count] = slot_number(index, slot);
            continue;
        }
        pool->ready++;
        if (state % 2 == 0)
            pool->ids[pool->free_count++] = slot_number(index, slot);
    }
}

void
acre_pool_rebuild(acre_stack_pool *pool)
{
    pool->growing = 0;
    pool->trimming = 0;
    pool->slots = 0;
    pool->free_count = 0;
    pool->cold_count = 0;
    pool->deep_count = 0;
    pool->pending = 0;
    pool->ready = 0;
    pool->room = pool->shared_by_threads;
    // A region may have been added, but not counted.
    while (pool->region_count < POOL_REGIONS && region_at(pool, pool->region_count) != NULL)
        pool->region_count++;
    for (uint32_t i = 0; i < pool->region_count; i++) {
        const region *r = region_at(pool, i);
        pool->slots += r != NULL ? r->slots : 0;
    }
    for (uint32_t i = 0; i < pool->region_count; i++) {
        region *r = region_at(pool, i);
        if (r != NULL)
            sort_slots(pool, i, r);
    }
    pool->peak = pool->ready - pool->free_count;
    atomic_store_explicit(pool->token, acre_pool_fresh_token(), memory_order_relaxed);
}
