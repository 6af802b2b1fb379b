// Pools: options, layout, create, destroy.
//
//   start        base                                  limit                    start + stride
//   | guard      | usable, grows down                  | header     | colour    |
//
// A colour of 0 to 15 lines shifts limit and header downwards: tops at equal page offsets would
// share a few cache sets.  The stride is an odd number of pages: with an even one, tops would share
// a few TLB sets.
//
// A pool's record is recycled.  Its token and its lock lie in memory that the child of a fork finds
// zeroed.
#include "mmap/process.h"
#include "stack/lasting.h"
#include "stack/pool.h"
#include "stack/room.h"

#include "acre/page.h"
#include "mmap/port/thread.h"

#if defined(__has_include) && defined(__GNUC__) && !defined(NVALGRIND)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define STACKS_ARE_WATCHED() ((int)RUNNING_ON_VALGRIND)
#endif
#endif

// 1 under Valgrind, if this library was built with its headers.  Valgrind forbids touching what
// lies below the last stack pointer of a stack, and is not informed when a stack is no longer used.
#ifndef STACKS_ARE_WATCHED
#define STACKS_ARE_WATCHED() 0
#endif

_Static_assert(sizeof(acre_stack_pool_opts) == (sizeof(void *) == 8 ? 88 : 64),
               "programs rely on it");
_Static_assert(sizeof(acre_stack_pool_stats) == (sizeof(void *) == 8 ? 64 : 36),
               "programs rely on it");

static const size_t DEFAULT_SIZE = 64 * 1024;
static const size_t DEFAULT_STACK_KEEP = 16 * 1024;
static const size_t DEFAULT_MOST = (size_t)1 << 20;
// Bytes that deep stacks may keep until they are returned in a batch.
static const size_t MOST_DEEP = (size_t)4 << 20;
// The number of distinct slot numbers.
static const uint64_t MOST = (uint64_t)POOL_REGIONS * POOL_REGION_SLOTS;

enum { POOL_CHUNK_SHIFT = 7, POOL_CHUNK = 1 << POOL_CHUNK_SHIFT, POOL_CHUNKS = 512 };

// A chunk's tokens and locks lie in separate memory, which a child finds zeroed.
static _Atomic(void *) pool_chunks[POOL_CHUNKS];
static _Atomic(void *) pool_words[POOL_CHUNKS];
static _Atomic uint32_t pool_count;
static const lasting_table pools = {&pool_count,
                                    pool_chunks,
                                    POOL_CHUNKS,
                                    POOL_CHUNK_SHIFT,
                                    sizeof(acre_stack_pool),
                                    offsetof(acre_stack_pool, taken)};

// ---- options ------------------------------------------------------------------------------------

typedef struct pool_layout {
    size_t guard, header, stride;  // bytes
    size_t most;                   // stacks
    uint32_t colours;
} pool_layout;

static acre_status
lay_out_pool(const acre_stack_pool_opts *opts, pool_layout *out)
{
    size_t page = acre_page_size();
    size_t guard = opts->guard_size != 0 ? opts->guard_size : (size_t)STACK_DEFAULT_GUARD;
    size_t sum = opts->stack_size != 0 ? opts->stack_size : DEFAULT_SIZE;
    out->colours = opts->flags & ACRE_STACK_NO_COLOUR ? 0 : POOL_COLOURS - 1;
    if (!stack_round_up(guard, page, &out->guard) ||
        !stack_round_up(opts->header_size, STACK_ALIGNMENT, &out->header) ||
        !stack_add(sum, out->colours * (size_t)POOL_LINE, &sum) ||
        !stack_add(sum, out->header, &sum) || !stack_add(sum, out->guard, &sum) ||
        !stack_round_up(sum, page, &out->stride))
        return ACRE_BAD_SIZE;
    if (out->stride / page % 2 == 0 && !stack_add(out->stride, page, &out->stride))
        return ACRE_BAD_SIZE;

    // Checked as far as possible in advance.  The default number is only as many as there is room
    // for.
    size_t room = SIZE_MAX / 2 / out->stride;
    out->most = opts->max_stacks;
    if (out->most == 0)
        out->most = room < DEFAULT_MOST ? room : DEFAULT_MOST;
    return out->most > 0 && out->most <= room && out->most <= MOST ? ACRE_OK : ACRE_BAD_SIZE;
}

// Sets where the marks are, and how much of a stack is kept.
static void
set_marks(acre_stack_pool *pool, size_t keep)
{
    size_t page = acre_page_size();
    size_t lowest_top = pool->top - pool->colours * (size_t)POOL_LINE;
    pool->mark = (lowest_top - POOL_LINE) & ~(page - 1);
    pool->page = page;
    pool->kept = pool->guard;
    if (keep < lowest_top - pool->guard)
        pool->kept = (lowest_top - keep) & ~(page - 1);
    if (pool->kept > pool->mark)
        pool->kept = pool->mark;  // the top page
    int locked = (pool->flags & ACRE_STACK_LOCKED) != 0;
    // Valgrind forbids reading the marks.
    int returns = pool->kept > pool->guard && !locked && !STACKS_ARE_WATCHED();
    atomic_store_explicit(&pool->returns, returns ? RETURNS_MARKED : RETURNS_NOTHING,
                          memory_order_relaxed);
    size_t batch = returns ? MOST_DEEP / (pool->kept - pool->guard) : POOL_DEEP;
    batch = batch > 8 ? batch : 8;
    batch = batch > POOL_DISCARD ? batch / POOL_DISCARD * POOL_DISCARD : batch;
    pool->deep_batch = batch < POOL_DEEP ? batch : POOL_DEEP;

    size_t lowest = returns ? pool->kept : pool->mark;
    if (locked || lowest_top - pool->guard < STACK_AT_ONCE)
        lowest = pool->guard;
    else if (lowest > lowest_top - STACK_AT_ONCE)
        lowest = (lowest_top - STACK_AT_ONCE) & ~(page - 1);
    pool->at_once = pool->stride - lowest;
}

// ---- records ------------------------------------------------------------------------------------

// Gives a newly taken record its token and its lock.  Set only once: threads that used the pool
// before may be reading them.
static acre_status
provide_words(acre_stack_pool *pool, uint32_t index)
{
    // Each lock has a cache line of its own; tokens are read far more often than they change.
    enum { TOKENS = POOL_CHUNK * sizeof(uint32_t), LOCKS = POOL_CHUNK * POOL_LINE };
    if (pool->token != NULL)
        return ACRE_OK;
    _Atomic(void *) *place = &pool_words[index / POOL_CHUNK];
    acre_status status = acre_lasting_provide_wiped(place, TOKENS + LOCKS);
    if (status == -ENOTSUP)
        status = acre_lasting_provide(place, TOKENS + LOCKS);
    if (status != ACRE_OK)
        return status;
    char *words = atomic_load_explicit(place, memory_order_acquire);
    uint32_t in_chunk = index % POOL_CHUNK;
    pool->token = (_Atomic uint32_t *)(void *)words + in_chunk;
    pool->lock = (_Atomic uint32_t *)(void *)(words + TOKENS + in_chunk * (size_t)POOL_LINE);
    pool->lends = acre_can(ACRE_CAN_WIPE_ON_FORK) && acre_port_lends_priority();
    pool->index = index;
    return ACRE_OK;
}

// Reserves tables for `slots` slots.  Keeps the record's own tables unless they are too small or
// far too large.
static acre_status
reserve_tables(acre_stack_pool *pool, size_t slots)
{
    size_t page = acre_page_size();
    size_t size = (slots * sizeof(uint32_t) + page - 1) & ~(page - 1);
    if (pool->table_size != 0)
        return pool->table_size >= size && pool->table_size / 4 <= size ? ACRE_OK : ACRE_BAD_SIZE;
    acre_mmap_opts opts = {.flags = ACRE_MAP_NO_HUGE};
    acre_status status = acre_mmap_reserve(2 * size, ACRE_READ_WRITE, &opts, &pool->tables);
    if (status == ACRE_OK)
        pool->table_size = size;
    return status;
}

// Takes the lowest record whose tables fit: with low indexes, pools seldom share a place for
// magazines.
static acre_status
take_pool(size_t slots, acre_stack_pool **out)
{
    for (uint32_t first = 0;; first++) {
        acre_status status = acre_lasting_take(&pools, first, &first);
        if (status != ACRE_OK)
            return status == ACRE_FULL ? -ENOMEM : status;
        acre_stack_pool *pool = lasting_at(&pools, first);
        status = provide_words(pool, first);
        if (status == ACRE_OK)
            status = reserve_tables(pool, slots);
        if (status == ACRE_OK) {
            *out = pool;
            return ACRE_OK;
        }
        acre_lasting_release(&pools, first);
        if (status != ACRE_BAD_SIZE)
            return status;
    }
}

// Makes the slots in [first, end) cold, at generation 0.
static void
forget_states(acre_stack_pool *pool, size_t first, size_t end)
{
    _Atomic uint32_t *states = pool->tables.base;
    for (size_t i = first; i < end; i++)
        atomic_store_explicit(&states[i], 0, memory_order_relaxed);
}

// Makes all slots cold, and returns the tables' memory.
static void
clear_tables(acre_stack_pool *pool, size_t slots)
{
    size_t page = acre_page_size();
    size_t length = (slots * sizeof(uint32_t) + page - 1) & ~(page - 1);
    acre_range ranges[2] = {{pool->tables.base, length}, {pool->ids, length}};
    size_t done;
    if (acre_discard_many(ranges, 2, ACRE_DISCARD_NOW, &done) == ACRE_OK)
        return;
    _Atomic uint32_t *states = pool->tables.base;
    for (size_t i = 0; i < slots; i++)
        atomic_store_explicit(&states[i], 0, memory_order_relaxed);
}

// ---- create -------------------------------------------------------------------------------------

// Returns 0 when there is no limit or it cannot be read: no file may be opened, or the system shows
// none.
static uint64_t
read_area_limit(void)
{
    acre_system system;
    return acre_system_read(&system) == ACRE_OK ? system.area_limit : 0;
}

static acre_status
set_up_pool(acre_stack_pool *pool, const acre_stack_pool_opts *opts, const pool_layout *plan)
{
    uint32_t process;
    acre_status status = acre_process_number(&process);
    if (status != ACRE_OK)
        return status;
    pool->stride = plan->stride;
    pool->guard = plan->guard;
    pool->header = plan->header;
    pool->top = plan->stride - plan->header;
    pool->colours = plan->colours;
    pool->max_stacks = plan->most;
    pool->flags = opts->flags;
    pool->tag = opts->tag;
    set_marks(pool, opts->keep != 0 ? opts->keep : DEFAULT_STACK_KEEP);
    int pages = opts->flags & ACRE_STACK_PAGE_GUARDS || !acre_can(ACRE_CAN_GUARD_WITH_MARKERS);
    atomic_store_explicit(&pool->guard_kind, pages ? ACRE_GUARD_PAGES : ACRE_GUARD_MARKER,
                          memory_order_relaxed);
    atomic_store_explicit(&pool->had_markers, 0, memory_order_relaxed);
    pool->area_limit = pages ? read_area_limit() : 0;
    atomic_store_explicit(&pool->looks, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->interval, 0, memory_order_relaxed);
    pool->unmeasured = POOL_MEASURE;
    pool->shallow = 0;
    pool->asks_for_process = !acre_can(ACRE_CAN_WIPE_ON_FORK);
    pool->shared_by_threads = pool->max_stacks >= 1024 ? pool->max_stacks / 16 : 0;
    pool->ids = (uint32_t *)((uintptr_t)pool->tables.base + pool->table_size);
    pool->region_count = 0;
    atomic_store_explicit(&pool->deepest, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->process, process, memory_order_relaxed);
    return ACRE_OK;
}

acre_status
acre_stack_pool_create(const acre_stack_pool_opts *opts, acre_stack_pool **out)
{
    static const acre_stack_pool_opts defaults = {0};
    if (opts == NULL)
        opts = &defaults;
    pool_layout plan;
    acre_status status = lay_out_pool(opts, &plan);
    if (status == ACRE_OK)
        status = stack_check_options(opts->flags, opts->reserved,
                                     sizeof(opts->reserved) / sizeof(opts->reserved[0]));
    if (status == ACRE_OK && opts->flags != 0)
        status = acre_region_check(opts->flags);
    acre_stack_pool *pool = NULL;
    if (status == ACRE_OK)
        status = take_pool(plan.most, &pool);
    if (status != ACRE_OK)
        return status;
    status = set_up_pool(pool, opts, &plan);
    if (status != ACRE_OK) {
        acre_lasting_release(&pools, pool->index);
        return status;
    }

    acre_pool_thread_hook();
    acre_pool_rebuild(pool);
    atomic_store_explicit(&pool->id, acre_pool_fresh_token(), memory_order_release);
    *out = pool;
    return ACRE_OK;
}

// ---- destroy ------------------------------------------------------------------------------------

static int
has_stacks_out(const acre_stack_pool *pool)
{
    for (uint32_t i = 0; i < pool->region_count; i++) {
        const region *r = region_at(pool, i);
        if (r != NULL && acre_region_count_ready(r, 1) != 0)
            return 1;
    }
    return 0;
}

static acre_status
unmap_regions(acre_stack_pool *pool)
{
    for (uint32_t i = pool->region_count; i-- > 0;) {
        region *r = region_at(pool, i);
        if (r == NULL)
            continue;
        size_t guards = acre_region_count_ready(r, SLOT_PAGES);
        acre_status status = acre_region_destroy(r);
        if (status != ACRE_OK)
            return status;
        acre_pool_page_guards_removed(guards);
        atomic_store_explicit(&pool->regions[i], NULL, memory_order_release);
        pool->region_count = i;
    }
    return ACRE_OK;
}

acre_status
acre_stack_pool_destroy(acre_stack_pool *pool)
{
    if (pool == NULL)
        return ACRE_OK;
    room_touch_for_calls();
    acre_status status = acre_pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    if (has_stacks_out(pool)) {
        acre_pool_unlock(pool);
        return ACRE_BUSY;
    }
    // Invalidates all magazines, so that an ending thread does not touch the pool.
    atomic_store_explicit(pool->token, 0, memory_order_relaxed);
    acre_pool_unlock(pool);

    size_t slots = pool->slots;
    status = unmap_regions(pool);
    if (status != ACRE_OK) {
        // What remains is still a pool.
        acre_status locked = acre_pool_lock(pool);
        if (locked != ACRE_OK)
            return locked;
        acre_pool_rebuild(pool);
        forget_states(pool, pool->slots, slots);
        acre_pool_unlock(pool);
        return status;
    }
    atomic_store_explicit(&pool->id, 0, memory_order_relaxed);
    if (slots > 0)
        clear_tables(pool, slots);
    acre_lasting_release(&pools, pool->index);
    return ACRE_OK;
}
