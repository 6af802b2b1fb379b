// A thread's magazines.
//
// 1. A thread has one magazine for each pool, in a place that the pool's index determines.  While
//    another living pool occupies that place, the thread has no magazine and uses the pool's lists
//    each time.
// 2. A magazine belongs to its thread alone.  It is valid while its token equals the pool's.  A
//    pool that was destroyed, or created anew in the same record, has another token.  So has the
//    pool in the child of a fork, where the slots of all magazines return to the lists.
// 3. A thread that ends returns what its magazines hold; code that runs on the thread after that
//    has no magazine.  Where thread exit is not reported, no thread has one.
// 4. Slots in one thread's magazine are unavailable to others.  So magazines are granted their room
//    out of max_stacks / 16, and small pools have none.
// 5. The threads' blocks are recycled, except those of threads that a fork left behind.
#include "mmap/process.h"
#include "stack/lasting.h"
#include "stack/pool.h"

#include "mmap/port/thread.h"

enum { THREAD_CHUNK_SHIFT = 6, THREAD_CHUNKS = 1024 };

static _Atomic(void *) thread_chunks[THREAD_CHUNKS];
static _Atomic uint32_t thread_count;
static const lasting_table threads = {&thread_count,       thread_chunks,
                                      THREAD_CHUNKS,       THREAD_CHUNK_SHIFT,
                                      sizeof(pool_thread), offsetof(pool_thread, taken)};
static _Atomic uint32_t ends_are_told;

// Stands for every thread that has ended.
static pool_thread ended;

static int
is_valid(const magazine *m)
{
    return m->pool != NULL &&
           m->token == atomic_load_explicit(m->pool->token, memory_order_relaxed) &&
           acre_process_is(atomic_load_explicit(&m->pool->process, memory_order_relaxed));
}

static void
return_magazine(magazine *m)
{
    // A child that does not have the pool has nothing to give back.
    if (!is_valid(m) || acre_pool_lock(m->pool) != ACRE_OK)
        return;
    if (is_valid(m)) {
        acre_pool_flush(m->pool, m);
        m->pool->room += m->capacity;
    }
    acre_pool_unlock(m->pool);
}

static void *
empty_magazines(void *word)
{
    pool_thread *thread = word;
    if (thread == &ended)
        return thread;
    for (size_t i = 0; i < POOL_MAGAZINES; i++) {
        // Touching one that was never used would make its page present.
        if ((thread->used & 1u << i) == 0)
            continue;
        return_magazine(&thread->magazines[i]);
        thread->magazines[i] = (magazine){0};
    }
    thread->used = 0;
    acre_lasting_release(&threads, thread->index);
    return &ended;
}

void
acre_pool_thread_hook(void)
{
    if (acre_port_thread_hook(PORT_THREAD_POOL, empty_magazines) == ACRE_OK)
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
    uint32_t index;
    if (acre_lasting_take(&threads, 0, &index) != ACRE_OK)
        return NULL;
    thread = lasting_at(&threads, index);
    thread->index = index;
    if (acre_port_thread_set(PORT_THREAD_POOL, thread) == ACRE_OK)
        return thread;
    acre_lasting_release(&threads, index);
    return NULL;
}

magazine *
acre_pool_attach(acre_stack_pool *pool, pool_thread *thread)
{
    if (thread == NULL)
        return NULL;
    uint32_t place = pool->index % POOL_MAGAZINES;
    thread->used |= 1u << place;
    magazine *m = &thread->magazines[place];
    if (is_valid(m))
        return m->pool == pool ? m : NULL;

    // A few threads must not get all the room.
    size_t wanted = pool->shared_by_threads / 16;
    wanted = wanted < POOL_MAGAZINE ? wanted : POOL_MAGAZINE;
    if (wanted > pool->room)
        return NULL;
    pool->room -= wanted;
    m->pool = pool;
    m->token = atomic_load_explicit(pool->token, memory_order_relaxed);
    m->capacity = (uint32_t)wanted;
    m->count = 0;
    m->looks = 0;
    m->interval = 0;
    return m;
}

void
acre_pool_flush(acre_stack_pool *pool, magazine *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        pool->ids[pool->free_count++] = m->slots[i].number;
    m->count = 0;
}
