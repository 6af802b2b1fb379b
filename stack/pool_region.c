// Regions of pools, and which of their stacks an address lies in.
//
// Regions are few, since they double: whoever asks looks at each of all pools, by loads alone.  A
// region's record, and the states of its slots, stay when the region goes, and serve the next that
// they are large enough for.
#include "stack/lasting.h"
#include "stack/pool.h"

#include "acre/page.h"
#include "mmap/port.h"

enum { CHUNK = 256, CHUNKS = 256 };

static _Atomic(void *) chunks[CHUNKS];  // of region
static _Atomic uint32_t record_count;

static region *
record_at(uint32_t index)
{
    region *chunk = atomic_load_explicit(&chunks[index / CHUNK], memory_order_acquire);
    return &chunk[index % CHUNK];
}

static void
set(_Atomic uintptr_t *field, uintptr_t value)
{
    atomic_store_explicit(field, value, memory_order_release);
}

static uintptr_t
get(const _Atomic uintptr_t *field)
{
    return atomic_load_explicit(field, memory_order_acquire);
}

// ---- records ------------------------------------------------------------------------------------

static int
claim(region *r)
{
    uint32_t none = 0;
    return atomic_load_explicit(&r->taken, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(&r->taken, &none, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static void
release(region *r)
{
    atomic_store_explicit(&r->taken, 0, memory_order_release);
}

// A record that has no use, whose states are enough for `slots`, but not for far more.
static region *
find_record(size_t slots)
{
    uint32_t count = atomic_load_explicit(&record_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        region *r = record_at(i);
        if (!claim(r))
            continue;
        uintptr_t capacity = get(&r->capacity);
        size_t least = acre_page_size() / sizeof(uint32_t);
        if (capacity == 0 || (capacity >= slots && (capacity <= least || capacity / 4 <= slots)))
            return r;
        release(r);
    }
    return NULL;
}

static acre_status
take_record(size_t slots, region **out)
{
    region *r = find_record(slots);
    if (r == NULL) {
        uint32_t index = atomic_load_explicit(&record_count, memory_order_relaxed);
        do {
            if (index >= (uint32_t)CHUNK * CHUNKS)
                return -ENOMEM;
            acre_status status = lasting_provide(&chunks[index / CHUNK], CHUNK * sizeof(region));
            if (status != ACRE_OK)
                return status;
        } while (!atomic_compare_exchange_weak_explicit(
            &record_count, &index, index + 1, memory_order_acq_rel, memory_order_relaxed));
        r = record_at(index);
        if (!claim(r))
            return take_record(slots, out);  // somebody who looks for one was faster
    }
    if (get(&r->capacity) == 0) {
        size_t size;
        size_t page = acre_page_size();
        size = (slots * sizeof(uint32_t) + page - 1) & ~(page - 1);
        acre_status status = lasting_provide(&r->states, size);
        if (status != ACRE_OK) {
            release(r);
            return status;
        }
        set(&r->capacity, size / sizeof(uint32_t));
    }
    *out = r;
    return ACRE_OK;
}

// All its slots are cold again, at generation 0.
static void
clear_states(region *r)
{
    acre_range range = {
        .base = atomic_load_explicit(&r->states, memory_order_relaxed),
        .length = get(&r->capacity) * sizeof(uint32_t),
    };
    size_t done = 0;
    if (port_discard_many(&range, 1, ACRE_DISCARD_NOW, &done) == ACRE_OK)
        return;
    for (uint32_t slot = 0; slot < r->frontier; slot++)
        atomic_store_explicit(slot_state(r, slot), 0, memory_order_relaxed);
}

// ---- regions ------------------------------------------------------------------------------------

static acre_status
reserve(const acre_stack_pool *pool, size_t slots, acre_mmap *out)
{
    uint32_t flags = ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_NO_HUGE;
    if (pool->flags & ACRE_STACK_NO_DUMP)
        flags |= ACRE_MAP_NO_DUMP;
    if (pool->flags & ACRE_STACK_DONT_FORK)
        flags |= ACRE_MAP_DONT_FORK;
    acre_mmap_opts opts = {.flags = flags};
    if (slots > SIZE_MAX / 2 / pool->stride)
        return -ENOMEM;
    return acre_mmap_reserve(slots * pool->stride, ACRE_READ_WRITE, &opts, out);
}

acre_status
region_create(acre_stack_pool *pool, size_t slots, region **out)
{
    acre_mmap map;
    acre_status status;
    // Fewer where addresses are short.
    while ((status = reserve(pool, slots, &map)) == -ENOMEM && slots > 1)
        slots /= 2;
    if (status != ACRE_OK)
        return status;
    region *r;
    status = take_record(slots, &r);
    if (status != ACRE_OK) {
        acre_status undone = acre_mmap_unmap(&map);
        return undone == ACRE_OK ? status : undone;
    }

    r->map = map;
    r->slots = (uint32_t)slots;
    r->frontier = 0;
    set(&r->start, (uintptr_t)map.base);
    set(&r->end, (uintptr_t)map.base + slots * pool->stride);
    set(&r->stride, pool->stride);
    set(&r->guard, pool->guard);
    set(&r->top, pool->top);
    set(&r->header, pool->header);
    set(&r->pool, (uintptr_t)pool);
    set(&r->tag, pool->tag);
    uint32_t process = pool->flags & ACRE_STACK_DONT_FORK ? pool->process : 0;
    atomic_store_explicit(&r->guard_kind, pool->guard_kind, memory_order_release);
    atomic_store_explicit(&r->process, process, memory_order_release);
    atomic_fetch_add_explicit(&r->use, 1, memory_order_release);
    *out = r;
    return ACRE_OK;
}

acre_status
region_destroy(region *r)
{
    // Before the addresses are free for others: whoever asks about them then must not hear of these
    // stacks.
    atomic_fetch_add_explicit(&r->use, 1, memory_order_acq_rel);
    acre_status status = acre_mmap_unmap(&r->map);
    if (status != ACRE_OK) {
        atomic_fetch_add_explicit(&r->use, 1, memory_order_release);
        return status;
    }
    clear_states(r);
    release(r);
    return ACRE_OK;
}

// ---- addresses ----------------------------------------------------------------------------------

static int
read_slot(region *r, uintptr_t address, acre_stack_info *out)
{
    uintptr_t stride = get(&r->stride);
    uintptr_t end = get(&r->end);
    // Read while the region was made for another pool: the use will tell.
    if (stride == 0 || address >= end)
        return 0;
    uintptr_t slot = (end - 1 - address) / stride;
    if (slot >= get(&r->capacity))
        return 0;
    uintptr_t start = end - (slot + 1) * stride;
    uintptr_t base = start + get(&r->guard);
    uintptr_t limit = start + get(&r->top) - slot_colour((uint32_t)slot);
    uint32_t state = atomic_load_explicit(slot_state(r, (uint32_t)slot), memory_order_acquire);
    acre_stack_info info = {
        .base = (void *)base,
        .size = limit - base,
        .header = get(&r->header) != 0 ? (void *)limit : NULL,
        .pool = (const void *)get(&r->pool),
        .tag = get(&r->tag),
        .where = ACRE_STACK_FREE,
        .generation = state & ~(uint32_t)SLOT_TRIMMED,
        .guard_kind = atomic_load_explicit(&r->guard_kind, memory_order_acquire),
    };
    if (state & SLOT_READY && address < base)
        info.where = ACRE_STACK_GUARD;
    else if (state & SLOT_READY && state % 2 != 0)
        info.where = ACRE_STACK_USABLE;
    *out = info;
    return 1;
}

acre_status
pool_find(uintptr_t address, acre_stack_info *out)
{
    uint32_t count = atomic_load_explicit(&record_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        region *r = record_at(i);
        uint32_t use = atomic_load_explicit(&r->use, memory_order_acquire);
        if (use % 2 == 0 || address < get(&r->start) || address >= get(&r->end))
            continue;
        acre_stack_info info;
        uint32_t process = atomic_load_explicit(&r->process, memory_order_acquire);
        int found = read_slot(r, address, &info);
        if (!found || atomic_load_explicit(&r->use, memory_order_relaxed) != use)
            continue;
        if (process != 0 && !process_is(process))
            continue;
        *out = info;
        return ACRE_OK;
    }
    return ACRE_NOT_OURS;
}

acre_status
pool_get(const acre_stack *stack, acre_stack_info *out)
{
    acre_stack_info info;
    acre_status status = pool_find((uintptr_t)stack->base, &info);
    if (status != ACRE_OK)
        return status;
    const acre_stack_pool *pool = info.pool;
    if (info.base != stack->base ||
        atomic_load_explicit(&pool->id, memory_order_acquire) != stack->private_[1])
        return ACRE_NOT_OURS;
    if (stack->generation % 2 == 0 || info.generation != stack->generation)
        return ACRE_STALE;
    *out = info;
    return ACRE_OK;
}
