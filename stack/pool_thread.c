// A thread's magazines.
//
// 1. A thread has one magazine for each pool, at a place that the pool's index chooses; while that
//    is another living pool's, it has none and goes to the pool's lists each time.
// 2. A magazine is its thread's alone.  It is valid while its token is the pool's: a pool that was
//    destroyed, or made anew in its record, has another, and so has the pool in a fork's child,
//    where the slots of all magazines go back to the lists.
// 3. A thread that ends gives back what its magazines hold.  What runs on it after that has no
//    magazine.  Where a thread's end is not told, no thread has one.
// 4. Slots in magazines may keep others from finding any, so each is granted room out of
//    max_stacks / 16, and small pools have none.
// 5. The blocks that threads keep are recycled; those of threads that a fork left behind are not.
#include "mmap/process.h"
#include "stack/lasting.h"
#include "stack/pool.h"

#include "mmap/port/thread.h"

enum { CHUNK = 64, CHUNKS = 1024 };

static _Atomic(void *) chunks[CHUNKS];  // of pool_thread
static _Atomic uint32_t thread_count;   // that were ever needed at once
static _Atomic uint32_t ends_are_told;

// Of threads that have ended.
static pool_thread ended;

static pool_thread *
thread_at(uint32_t index)
{
    pool_thread *chunk = atomic_load_explicit(&chunks[index / CHUNK], memory_order_acquire);
    return &chunk[index % CHUNK];
}

static int
claim(pool_thread *thread)
{
    uint32_t none = 0;
    return atomic_compare_exchange_strong_explicit(&thread->taken, &none, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

// A block for the calling thread, or NULL.
static pool_thread *
find_block(void)
{
    uint32_t count = atomic_load_explicit(&thread_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        pool_thread *thread = thread_at(i);
        if (atomic_load_explicit(&thread->taken, memory_order_relaxed) == 0 && claim(thread))
            return thread;
    }
    // Others may be as far: whose claim fails tries the next one.
    for (uint32_t i = count; i < (uint32_t)CHUNK * CHUNKS; i++) {
        if (acre_lasting_provide(&chunks[i / CHUNK], CHUNK * sizeof(pool_thread)) != ACRE_OK)
            return NULL;
        uint32_t known = i;
        (void)atomic_compare_exchange_strong_explicit(&thread_count, &known, i + 1,
                                                      memory_order_acq_rel, memory_order_relaxed);
        if (claim(thread_at(i)))
            return thread_at(i);
    }
    return NULL;
}

static int
is_valid(const magazine *m)
{
    return m->pool != NULL &&
           m->token == atomic_load_explicit(m->pool->token, memory_order_relaxed) &&
           acre_process_is(atomic_load_explicit(&m->pool->process, memory_order_relaxed));
}

static void
give_back(magazine *m)
{
    // In a child that does not have the pool nothing is to be given back.
    if (!is_valid(m) || acre_pool_lock(m->pool) != ACRE_OK)
        return;
    if (is_valid(m)) {
        acre_pool_flush(m->pool, m);
        m->pool->room += m->capacity;
    }
    acre_pool_unlock(m->pool);
}

static void *
end_thread(void *word)
{
    pool_thread *thread = word;
    if (thread == &ended)
        return thread;
    for (size_t i = 0; i < POOL_MAGAZINES; i++) {
        give_back(&thread->magazines[i]);
        thread->magazines[i] = (magazine){0};
    }
    atomic_store_explicit(&thread->taken, 0, memory_order_release);
    return &ended;
}

void
acre_pool_thread_hook(void)
{
    if (acre_port_thread_hook(PORT_THREAD_POOL, end_thread) == ACRE_OK)
        atomic_store_explicit(&ends_are_told, 1, memory_order_release);
}

pool_thread *
acre_pool_this_thread(const acre_stack_pool *pool)
{
    if (pool->shared_by_threads == 0)
        return NULL;
    pool_thread *thread = acre_port_thread_get(PORT_THREAD_POOL);
    if (thread == &ended)
        return NULL;
    if (thread != NULL || !atomic_load_explicit(&ends_are_told, memory_order_acquire))
        return thread;
    thread = find_block();
    if (thread != NULL && acre_port_thread_set(PORT_THREAD_POOL, thread) != ACRE_OK) {
        atomic_store_explicit(&thread->taken, 0, memory_order_release);
        return NULL;
    }
    return thread;
}

magazine *
acre_pool_attach(acre_stack_pool *pool, pool_thread *thread)
{
    if (thread == NULL)
        return NULL;
    magazine *m = &thread->magazines[pool->index % POOL_MAGAZINES];
    if (is_valid(m))
        return m->pool == pool ? m : NULL;

    // A few threads must not have all the room.
    size_t wanted = pool->shared_by_threads / 16;
    wanted = wanted < POOL_MAGAZINE ? wanted : POOL_MAGAZINE;
    if (wanted > pool->room)
        return NULL;
    pool->room -= wanted;
    m->pool = pool;
    m->token = atomic_load_explicit(pool->token, memory_order_relaxed);
    m->capacity = (uint32_t)wanted;
    m->count = 0;
    return m;
}

void
acre_pool_flush(acre_stack_pool *pool, magazine *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        pool->ids[pool->free_count++] = m->slots[i].number;
    m->count = 0;
}
