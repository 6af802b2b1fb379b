// Take and give.
//
// The fast path: a thread's own word leads to its magazine.  To take, count down and store an odd
// generation.  To give, do one compare-and-swap, read the line that shows whether a second page was
// used, and count up.
#include "mmap/process.h"
#include "stack/pool.h"
#include "stack/room.h"

#include "mmap/port/thread.h"
#include "mmap/port/trace.h"

// Frames leave bytes behind that AddressSanitizer forbids reading.
#if defined(__GNUC__) || defined(__clang__)
#define UNSANITIZED __attribute__((no_sanitize_address))
#define PREFETCH(address) __builtin_prefetch(address)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#define UNSANITIZED
#define PREFETCH(address) (void)(address)
#endif

static inline magazine *
own_magazine(const acre_stack_pool *pool)
{
    pool_thread *thread = acre_port_thread_get(PORT_THREAD_POOL);
    if (thread == NULL)
        return NULL;
    magazine *m = &thread->magazines[pool->index % POOL_MAGAZINES];
    if (m->token != atomic_load_explicit(pool->token, memory_order_relaxed))
        return NULL;
    if (pool->asks_for_process &&
        !acre_process_is(atomic_load_explicit(&pool->process, memory_order_relaxed)))
        return NULL;
    return m;
}

// ---- take ---------------------------------------------------------------------------------------

// The caller owns the slot: ready, of even generation, in no list.
static inline void
hand_out(const acre_stack_pool *pool, const pool_slot *slot, acre_stack *out)
{
    uint32_t generation = slot->generation + 1;
    atomic_store_explicit(slot->state, generation, memory_order_relaxed);

    char *limit = slot->start + pool->top - slot_colour(pool->colours, slot->number);
    out->base = slot->start + pool->guard;
    out->size = (size_t)(limit - (slot->start + pool->guard));
    out->header = pool->header != 0 ? limit : NULL;
    out->guard_kind = state_guard_kind(generation);
    out->generation = generation;
    out->private_[0] = slot->number;
    out->private_[1] = atomic_load_explicit(&pool->id, memory_order_relaxed);
}

static void
read_slot(const acre_stack_pool *pool, uint32_t id, pool_slot *out)
{
    const region *r = region_of(pool, id);
    out->start = slot_start(pool, r, slot_of(id));
    out->state = slot_state(r, slot_of(id));
    out->number = id;
    out->generation = atomic_load_explicit(out->state, memory_order_relaxed);
}

// Takes a free slot from the pool's lists, and moves others into the magazine, up to half of it.
// Under the lock.
static int
pop_slot(acre_stack_pool *pool, pool_thread *thread, uint32_t *id)
{
    magazine *m = acre_pool_attach(pool, thread);
    if (pool->free_count == 0) {
        // A deep slot is as good as any other: it is about to be used again.
        if (pool->deep_count == 0)
            return 0;
        *id = pool->deep[--pool->deep_count];
    } else {
        *id = pool->ids[--pool->free_count];
        size_t room = m != NULL && m->count == 0 ? m->capacity / 2 : 0;
        size_t count = room < pool->free_count ? room : pool->free_count;
        pool->free_count -= count;
        for (size_t i = 0; i < count; i++)
            read_slot(pool, pool->ids[pool->free_count + i], &m->slots[i]);
        if (m != NULL && m->count == 0)
            m->count = (uint32_t)count;
    }
    size_t out = pool->ready - pool->free_count - pool->deep_count;
    pool->peak = out > pool->peak ? out : pool->peak;
    return 1;
}

static ACRE_COLD acre_status
take_shared(acre_stack_pool *pool, acre_stack *out)
{
    room_touch_for_lists();
    pool_thread *thread = acre_pool_this_thread(pool);
    for (;;) {
        acre_status status = acre_pool_lock(pool);
        if (status != ACRE_OK)
            return status;
        uint32_t id;
        int found = pop_slot(pool, thread, &id);
        acre_pool_unlock(pool);
        if (found) {
            pool_slot slot;
            read_slot(pool, id, &slot);
            hand_out(pool, &slot, out);
            TRACE(pool_take_slow, pool, out->base, pool->tag);
            return ACRE_OK;
        }
        status = acre_pool_make(pool, 1);
        if (status != ACRE_OK)
            return status;
    }
}

acre_status
acre_stack_pool_take(acre_stack_pool *pool, acre_stack *out)
{
    magazine *m = own_magazine(pool);
    if (m == NULL || m->count == 0)
        return take_shared(pool, out);
    hand_out(pool, &m->slots[--m->count], out);
    return ACRE_OK;
}

// ---- give ---------------------------------------------------------------------------------------

UNSANITIZED static inline int
is_written(const char *line)
{
    const uint64_t *words = (const uint64_t *)(const void *)line;
    uint64_t low = words[0] | words[1] | words[2] | words[3];
    uint64_t high = words[4] | words[5] | words[6] | words[7];
    return (low | high) != 0;
}
_Static_assert(POOL_LINE == 8 * sizeof(uint64_t), "all of a line");

// Returns whether a stack that needed a second page went deeper than its kept bytes.  The lowest
// line of each page shows whether the next page was needed.  The line of a page that was not needed
// is not read, since reading it would make the page present.
static ACRE_COLD int
was_deep(const acre_stack_pool *pool, char *start)
{
    size_t at = pool->mark;
    for (; is_written(start + at); at -= pool->page) {
        if (at == pool->kept)
            return 1;
    }
    acre_pool_clear_marks(pool, start, at + pool->page);
    return 0;
}

// Whether a stack has memory that its marks do not show: a frame that is larger than a page may
// leave a mark unwritten.  Looking costs a system call, so only one stack in POOL_LOOK is looked
// at, and more of them at first.
static ACRE_COLD int
look_for_depth(acre_stack_pool *pool, const char *start)
{
    if (!acre_pool_hides_depth(pool, start))
        return 0;
    // From now on, all stacks count as deep.
    atomic_store_explicit(&pool->returns, RETURNS_ALL, memory_order_relaxed);
    return 1;
}

// How many stacks are given until the next look, after `interval` of them.
static uint32_t
longer_interval(uint32_t interval)
{
    return interval < POOL_LOOK / 2 ? 2 * interval + 1 : POOL_LOOK - 1;
}

// Whether it is this stack's turn to be looked at.
static int
is_due(acre_stack_pool *pool, magazine *m)
{
    if (m != NULL) {
        if (m->looks != UINT32_MAX)  // counted down from 0
            return 0;
        m->interval = longer_interval(m->interval);
        m->looks = m->interval;
        return 1;
    }
    // Threads that count at once may miss one another's turn.
    uint32_t looks = atomic_load_explicit(&pool->looks, memory_order_relaxed);
    uint32_t next = looks - 1;
    if (looks == 0) {
        next = longer_interval(atomic_load_explicit(&pool->interval, memory_order_relaxed));
        atomic_store_explicit(&pool->interval, next, memory_order_relaxed);
    }
    atomic_store_explicit(&pool->looks, next, memory_order_relaxed);
    return looks == 0;
}

// After many measured stacks that were not deep, marks decide again.  Under the lock.
static void
note_measured(acre_stack_pool *pool, size_t depth)
{
    enum { SHALLOW = 64 };
    // An unknown depth may be any.
    int deep = depth == 0 || depth > pool->top - pool->kept;
    pool->shallow = deep ? 0 : pool->shallow + 1;
    if (pool->shallow < SHALLOW)
        return;
    pool->shallow = 0;
    atomic_store_explicit(&pool->returns, RETURNS_MARKED, memory_order_relaxed);
}

// Returns the memory of all slots in the list of deep ones, if the list is full.
static ACRE_COLD acre_status
return_deep(acre_stack_pool *pool)
{
    room_touch_for_calls();
    acre_status status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    size_t count = pool->deep_count;
    if (count < pool->deep_batch) {
        acre_pool_unlock(pool);
        return ACRE_OK;
    }
    uint32_t ids[POOL_DEEP];
    for (size_t i = 0; i < count; i++)
        ids[i] = pool->deep[i];
    pool->deep_count = 0;
    pool->pending += count;
    pool->unmeasured += (uint32_t)count;
    int measures = pool->unmeasured >= POOL_MEASURE;
    if (measures)
        pool->unmeasured = 0;
    acre_pool_unlock(pool);

    size_t depth = measures ? acre_pool_note_depth(pool, ids[0]) : 0;
    acre_pool_discard(pool, ids, count);
    status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        pool->ids[pool->free_count++] = ids[i];
    pool->pending -= count;
    if (measures)
        note_measured(pool, depth);
    acre_pool_unlock_changed(pool);
    return ACRE_OK;
}

// Adds the slot to the list of deep ones; the thread that fills the list returns the memory of all.
static ACRE_COLD acre_status
give_deep(acre_stack_pool *pool, magazine *m, uint32_t id)
{
    // Remove it from the magazine only once there is stack room for the rest.
    if (m != NULL) {
        room_touch_for_lists();
        m->count--;
    }
    acre_status status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    // The thread that filled the list may not have emptied it yet: a slot that does not fit keeps
    // its memory until it is given again.
    if (pool->deep_count < POOL_DEEP)
        pool->deep[pool->deep_count++] = id;
    else
        pool->ids[pool->free_count++] = id;
    int full = pool->deep_count >= pool->deep_batch;
    acre_pool_unlock(pool);
    return full ? return_deep(pool) : ACRE_OK;
}

static ACRE_COLD acre_status
give_shared(acre_stack_pool *pool, uint32_t id)
{
    acre_status status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    pool->ids[pool->free_count++] = id;
    acre_pool_unlock(pool);
    return ACRE_OK;
}

// What give does beyond the fast path: the stack used more than a page, it is its turn to be looked
// at, or there is no magazine.
static ACRE_COLD acre_status
give_aside(acre_stack_pool *pool, magazine *m, uint32_t id, char *start)
{
    uint32_t returns = atomic_load_explicit(&pool->returns, memory_order_relaxed);
    int deep = returns == RETURNS_ALL;
    if (returns == RETURNS_MARKED) {
        deep = is_written(start + pool->mark) && was_deep(pool, start);
        if (is_due(pool, m))
            deep |= look_for_depth(pool, start);
    }
    if (deep)
        return give_deep(pool, m, id);
    return m != NULL ? ACRE_OK : give_shared(pool, id);
}

// The thread that makes the state even has given the stack, to `m` (which has room) or, if NULL, to
// the pool's lists.
ALWAYS_INLINE acre_status
give_stack_to(acre_stack_pool *pool, magazine *m, const acre_stack *stack, _Atomic uint32_t *state,
              char *start)
{
    uint32_t id = (uint32_t)stack->private_[0];
    uint32_t taken = stack->generation;
    uint32_t next = ((taken + 1) & SLOT_GENERATION) | (taken & SLOT_PAGES) | SLOT_READY;
    if (!atomic_compare_exchange_strong_explicit(state, &taken, next, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return ACRE_STALE;
    if (m == NULL)
        return give_aside(pool, m, id, start);
    m->slots[m->count++] = (pool_slot){start, state, id, next};
    uint32_t returns = atomic_load_explicit(&pool->returns, memory_order_relaxed);
    if (returns != RETURNS_NOTHING &&
        (returns == RETURNS_ALL || m->looks-- == 0 || is_written(start + pool->mark)))
        return give_aside(pool, m, id, start);
    return ACRE_OK;
}

static ACRE_COLD acre_status
give_slowly(acre_stack_pool *pool, const acre_stack *stack, _Atomic uint32_t *state, char *start)
{
    room_touch_for_lists();
    pool_thread *thread = acre_pool_this_thread(pool);
    acre_status status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    magazine *m = acre_pool_attach(pool, thread);
    if (m != NULL && m->count == m->capacity) {
        // Keep the newest: their memory is the warmest.
        uint32_t count = m->capacity - m->capacity / 2;
        for (uint32_t i = 0; i < count; i++)
            pool->ids[pool->free_count++] = m->slots[i].number;
        for (uint32_t i = count; i < m->count; i++)
            m->slots[i - count] = m->slots[i];
        m->count -= count;
    }
    acre_pool_unlock(pool);
    return give_stack_to(pool, m, stack, state, start);
}

acre_status
acre_stack_pool_give(acre_stack_pool *pool, const acre_stack *stack)
{
    if (stack->private_[1] != atomic_load_explicit(&pool->id, memory_order_relaxed))
        return stack->base == NULL ? ACRE_EMPTY_HANDLE : ACRE_NOT_OURS;
    uint32_t id = (uint32_t)stack->private_[0];
    uint32_t slot = slot_of(id);
    const region *r = region_of(pool, id);
    if (r == NULL || slot >= r->slots)
        return ACRE_NOT_OURS;
    char *start = slot_start(pool, r, slot);
    if (stack->base != start + pool->guard)
        return ACRE_NOT_OURS;
    if (stack->generation % 2 == 0)
        return ACRE_STALE;

    // The line arrives while the exchange is under way.
    PREFETCH(start + pool->mark);
    magazine *m = own_magazine(pool);
    if (m == NULL || m->count == m->capacity)
        return give_slowly(pool, stack, slot_state(r, slot), start);
    return give_stack_to(pool, m, stack, slot_state(r, slot), start);
}

acre_status
acre_stack_pool_flush(acre_stack_pool *pool)
{
    room_touch_for_lists();
    acre_status status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    magazine *m = own_magazine(pool);
    if (m != NULL)
        acre_pool_flush(pool, m);
    acre_pool_unlock(pool);
    return ACRE_OK;
}
