// Pools: options, layout, destroying.
//
//   start        base                                  limit                    start + stride
//   | guard      | usable, grows down                  | header     | colour    |
//
// A colour of 0 to 15 lines shifts limit and header downwards: tops at equal offsets in their pages
// would share a few sets of the caches.  The stride is an odd number of pages: at an even one tops
// would share a few sets of the TLB.
//
// A pool's record is recycled, and its token lies in memory that a fork's child finds empty.
#include "stack/lasting.h"
#include "stack/pool.h"
#include "stack/sizes.h"

#include "acre/page.h"
#include "mmap/port.h"

_Static_assert(sizeof(acre_stack_pool_opts) == (sizeof(void *) == 8 ? 88 : 64),
               "programs rely on it");
_Static_assert(sizeof(acre_stack_pool_stats) == (sizeof(void *) == 8 ? 64 : 36),
               "programs rely on it");

static const size_t DEFAULT_SIZE = 64 * 1024;
static const size_t DEFAULT_KEEP = 16 * 1024;
static const size_t DEFAULT_MOST = (size_t)1 << 20;
// Slots' numbers.
static const uint64_t MOST = (uint64_t)POOL_REGIONS * POOL_REGION_SLOTS;

enum { CHUNK = 128, CHUNKS = 512 };

// A chunk's tokens lie in memory of their own.
static _Atomic(void *) chunks[CHUNKS];  // of acre_stack_pool
static _Atomic(void *) tokens[CHUNKS];  // of _Atomic uint32_t
static _Atomic uint32_t pool_count;

static acre_stack_pool *
pool_at(uint32_t index)
{
    acre_stack_pool *chunk = atomic_load_explicit(&chunks[index / CHUNK], memory_order_acquire);
    return &chunk[index % CHUNK];
}

// ---- options ------------------------------------------------------------------------------------

static acre_status
check_options(const acre_stack_pool_opts *opts)
{
    uint32_t wrong = opts->flags & ~(uint32_t)STACK_KNOWN_FLAGS;
    for (size_t i = 0; i < sizeof(opts->reserved) / sizeof(opts->reserved[0]); i++)
        wrong |= opts->reserved[i];
    return wrong == 0 ? ACRE_OK : ACRE_BAD_OPTION;
}

// Where the marks are, and what stays.
static void
set_marks(acre_stack_pool *pool, size_t keep)
{
    size_t page = acre_page_size();
    size_t lowest_top = pool->top - (POOL_COLOURS - 1) * (size_t)POOL_LINE;
    pool->mark = (lowest_top - POOL_LINE) & ~(page - 1);
    pool->kept = pool->guard;
    if (keep < lowest_top - pool->guard)
        pool->kept = (lowest_top - keep) & ~(page - 1);
    if (pool->kept > pool->mark)
        pool->kept = pool->mark;  // the top page
    pool->returns_deep = pool->kept > pool->guard && (pool->flags & ACRE_STACK_LOCKED) == 0;
}

static acre_status
lay_out(acre_stack_pool *pool, const acre_stack_pool_opts *opts)
{
    size_t page = acre_page_size();
    size_t guard = opts->guard_size != 0 ? opts->guard_size : (size_t)STACK_DEFAULT_GUARD;
    size_t sum = opts->stack_size != 0 ? opts->stack_size : DEFAULT_SIZE;
    if (!stack_round_up(guard, page, &pool->guard) ||
        !stack_round_up(opts->header_size, STACK_ALIGNMENT, &pool->header) ||
        !stack_add(sum, (POOL_COLOURS - 1) * (size_t)POOL_LINE, &sum) ||
        !stack_add(sum, pool->header, &sum) || !stack_add(sum, pool->guard, &sum) ||
        !stack_round_up(sum, page, &pool->stride))
        return ACRE_BAD_SIZE;
    if (pool->stride / page % 2 == 0 && !stack_add(pool->stride, page, &pool->stride))
        return ACRE_BAD_SIZE;
    if (pool->stride > SIZE_MAX / 2)
        return ACRE_BAD_SIZE;
    pool->top = pool->stride - pool->header;

    pool->max_stacks = opts->max_stacks != 0 ? opts->max_stacks : DEFAULT_MOST;
    // All of them, as far as can be told beforehand.
    if (opts->max_stacks != 0 && opts->max_stacks > SIZE_MAX / 2 / pool->stride)
        return ACRE_BAD_SIZE;
    if (pool->max_stacks > MOST)
        return ACRE_BAD_SIZE;
    return ACRE_OK;
}

// ---- records ------------------------------------------------------------------------------------

// An index beyond those in use; the lowest, so that threads' magazines do not get into one another's
// way.
static acre_status
provide_record(uint32_t index)
{
    acre_status status = lasting_provide(&chunks[index / CHUNK], CHUNK * sizeof(acre_stack_pool));
    if (status != ACRE_OK)
        return status;
    _Atomic(void *) *place = &tokens[index / CHUNK];
    status = lasting_provide_wiped(place, CHUNK * sizeof(uint32_t));
    return status == -ENOTSUP ? lasting_provide(place, CHUNK * sizeof(uint32_t)) : status;
}

static acre_status
take_record(acre_stack_pool **out)
{
    for (uint32_t i = 0; i < (uint32_t)CHUNK * CHUNKS; i++) {
        if (i >= atomic_load_explicit(&pool_count, memory_order_acquire)) {
            acre_status status = provide_record(i);
            if (status != ACRE_OK)
                return status;
            uint32_t known = i;
            (void)atomic_compare_exchange_strong_explicit(
                &pool_count, &known, i + 1, memory_order_acq_rel, memory_order_relaxed);
        }
        acre_stack_pool *pool = pool_at(i);
        uint32_t none = 0;
        if (atomic_load_explicit(&pool->taken, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong_explicit(&pool->taken, &none, 1, memory_order_acquire,
                                                    memory_order_relaxed)) {
            _Atomic uint32_t *token =
                atomic_load_explicit(&tokens[i / CHUNK], memory_order_acquire);
            pool->token = &token[i % CHUNK];
            pool->index = i;
            *out = pool;
            return ACRE_OK;
        }
    }
    return -ENOMEM;
}

static void
release_record(acre_stack_pool *pool)
{
    atomic_store_explicit(&pool->taken, 0, memory_order_release);
}

// ---- create -------------------------------------------------------------------------------------

static acre_status
set_up(acre_stack_pool *pool, const acre_stack_pool_opts *opts)
{
    acre_status status = lay_out(pool, opts);
    if (status != ACRE_OK)
        return status;
    acre_system system;
    status = acre_system_read(&system);
    if (status != ACRE_OK)
        return status;
    uint32_t process;
    status = process_number(&process);
    if (status != ACRE_OK)
        return status;
    size_t page = acre_page_size();
    size_t ids = (pool->max_stacks * sizeof(uint32_t) + page - 1) & ~(page - 1);
    status = acre_mmap_reserve(ids, ACRE_READ_WRITE, NULL, &pool->ids_map);
    if (status != ACRE_OK)
        return status;

    pool->flags = opts->flags;
    pool->tag = opts->tag;
    set_marks(pool, opts->keep != 0 ? opts->keep : DEFAULT_KEEP);
    pool->guard_kind = acre_can(ACRE_CAN_GUARD_WITH_MARKERS) ? ACRE_GUARD_MARKER : ACRE_GUARD_PAGES;
    pool->area_limit = system.area_limit;
    pool->asks_for_process = !acre_can(ACRE_CAN_WIPE_ON_FORK);
    pool->shared_by_threads = pool->max_stacks >= 1024 ? pool->max_stacks / 16 : 0;
    pool->ids = pool->ids_map.base;
    pool->region_count = 0;
    atomic_store_explicit(&pool->process, process, memory_order_relaxed);
    return ACRE_OK;
}

acre_status
acre_stack_pool_create(const acre_stack_pool_opts *opts, acre_stack_pool **out)
{
    static const acre_stack_pool_opts defaults = {0};
    if (opts == NULL)
        opts = &defaults;
    acre_stack_pool trial = {0};
    acre_status status = lay_out(&trial, opts);
    if (status == ACRE_OK)
        status = check_options(opts);
    acre_stack_pool *pool;
    if (status == ACRE_OK)
        status = take_record(&pool);
    if (status != ACRE_OK)
        return status;
    status = set_up(pool, opts);
    if (status != ACRE_OK) {
        release_record(pool);
        return status;
    }

    pool_thread_hook();
    pool_rebuild(pool);
    atomic_store_explicit(&pool->id, pool_fresh_token(), memory_order_release);
    *out = pool;
    return ACRE_OK;
}

// ---- destroy ------------------------------------------------------------------------------------

static int
has_stacks_out(const acre_stack_pool *pool)
{
    for (uint32_t i = 0; i < pool->region_count; i++) {
        const region *r = region_at(pool, i);
        if (r != NULL && region_count_ready(r, 1) != 0)
            return 1;
    }
    return 0;
}

static acre_status
unmap(acre_stack_pool *pool)
{
    for (uint32_t i = pool->region_count; i-- > 0;) {
        region *r = region_at(pool, i);
        if (r == NULL)
            continue;
        size_t guards = region_count_ready(r, 0);
        acre_status status = region_destroy(r);
        if (status != ACRE_OK)
            return status;
        pool_guards_removed(pool, guards);
        atomic_store_explicit(&pool->regions[i], NULL, memory_order_release);
        pool->region_count = i;
    }
    return acre_mmap_unmap(&pool->ids_map);
}

acre_status
acre_stack_pool_destroy(acre_stack_pool *pool)
{
    acre_status status = pool_lock(pool);
    if (status != ACRE_OK)
        return status;
    if (has_stacks_out(pool)) {
        pool_unlock(pool);
        return ACRE_BUSY;
    }
    // No magazine is valid from here on, so that a thread that ends does not come near.
    atomic_store_explicit(pool->token, 0, memory_order_relaxed);
    pool_unlock(pool);

    status = unmap(pool);
    if (status != ACRE_OK) {
        // Of all that is left of it it is a pool still.
        acre_status locked = pool_lock(pool);
        if (locked != ACRE_OK)
            return locked;
        pool_rebuild(pool);
        pool_unlock(pool);
        return status;
    }
    atomic_store_explicit(&pool->id, 0, memory_order_relaxed);
    release_record(pool);
    return ACRE_OK;
}
