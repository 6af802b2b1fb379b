// A pool's lock, and its lists in the child of a fork.
//
// 1. The lock word is 0 while the lock is free.  It lies in memory that the child of a fork finds
//    zeroed, so a lock held by a thread that the child does not have is free there.
// 2. A thread that finds the lock taken waits in the system after a few tries: if it only let
//    others run, one of real-time priority would keep the holder from the processor.
// 3. Where the system can do so, the holder runs with the priority of who waits.  The word is then
//    the holder's thread number, and the system hands the lock over (mmap/port/thread.h).
// 4. Elsewhere the word is the number of the process, by which a child recognises a lock of its
//    parent's where memory cannot be zeroed, and takes it over.  (The word tells whether somebody
//    waits, as in the second mutex of U. Drepper, "Futexes Are Tricky", 2011.)
// 5. A record keeps to one of both kinds: threads that end may look at a pool that is gone.
// 6. Whatever a thread was changing when the process forked is rebuilt in the child from the slots'
//    states: a state changes with one store, and everything else follows from the states.
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

// Waiting costs a system call, and the lock is held for a moment only.
enum { LOCK_TRIES = 100 };

static void
lock_by_process(_Atomic uint32_t *lock, uint32_t process)
{
    uint32_t mine = process;
    for (unsigned tries = 0;; tries++) {
        uint32_t found = atomic_load_explicit(lock, memory_order_relaxed);
        if (found == 0 || (found & ~PORT_LOCK_AWAITED) != process) {
            if (atomic_compare_exchange_weak_explicit(lock, &found, mine, memory_order_acquire,
                                                      memory_order_relaxed))
                return;
            continue;
        }
        if (tries < LOCK_TRIES)
            continue;
        if ((found & PORT_LOCK_AWAITED) == 0 &&
            !atomic_compare_exchange_weak_explicit(lock, &found, found | PORT_LOCK_AWAITED,
                                                   memory_order_relaxed, memory_order_relaxed))
            continue;
        acre_port_wait(lock, process | PORT_LOCK_AWAITED);
        // Others may be waiting, too.
        mine = process | PORT_LOCK_AWAITED;
    }
}

static void
lock_by_thread(_Atomic uint32_t *lock, uint32_t thread)
{
    for (unsigned tries = 0;; tries++) {
        uint32_t found = atomic_load_explicit(lock, memory_order_relaxed);
        if (found == 0 && atomic_compare_exchange_weak_explicit(
                              lock, &found, thread, memory_order_acquire, memory_order_relaxed))
            return;
        if (tries < LOCK_TRIES)
            continue;
        if (acre_port_lock_wait(lock))
            return;
    }
}

static void
unlock_by_thread(_Atomic uint32_t *lock)
{
    uint32_t held = atomic_load_explicit(lock, memory_order_relaxed);
    while ((held & PORT_LOCK_AWAITED) == 0)
        if (atomic_compare_exchange_weak_explicit(lock, &held, 0, memory_order_release,
                                                  memory_order_relaxed))
            return;
    acre_port_lock_hand_over(lock);
}

acre_status
acre_pool_lock(acre_stack_pool *pool)
{
    uint32_t process;
    acre_status status = acre_process_number(&process);
    if (status != ACRE_OK)
        return status;
    if (pool->lends)
        lock_by_thread(pool->lock, acre_port_thread_number(process));
    else
        lock_by_process(pool->lock, process);
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
    if (pool->lends)
        unlock_by_thread(pool->lock);
    else if (atomic_exchange_explicit(pool->lock, 0, memory_order_release) & PORT_LOCK_AWAITED)
        acre_port_wake(pool->lock);
}

void
acre_pool_unlock_wait(acre_stack_pool *pool)
{
    uint32_t seen = atomic_load_explicit(&pool->changes, memory_order_relaxed);
    pool->waiting = 1;
    acre_pool_unlock(pool);
    acre_port_wait(&pool->changes, seen);
}

void
acre_pool_unlock_changed(acre_stack_pool *pool)
{
    uint32_t waiting = pool->waiting;
    pool->waiting = 0;
    if (waiting)
        atomic_fetch_add_explicit(&pool->changes, 1, memory_order_relaxed);
    acre_pool_unlock(pool);
    if (waiting)
        acre_port_wake(&pool->changes);
}

static void
sort_slots(acre_stack_pool *pool, uint32_t index, region *r)
{
    for (uint32_t slot = 0; slot < r->frontier; slot++) {
        _Atomic uint32_t *place = slot_state(r, slot);
        uint32_t state = atomic_load_explicit(place, memory_order_acquire);
        if ((state & SLOT_READY) == 0) {
            atomic_store_explicit(place, state & ~(uint32_t)1, memory_order_relaxed);
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
    pool->waiting = 0;
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
