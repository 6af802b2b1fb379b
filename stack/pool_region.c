// Regions of pools, and lookup of their stacks by address or handle.
//
// Regions are few, since they double, so a lookup checks every region of every pool, with loads
// alone.  A region's record stays when the region is destroyed, and is reused for a later one.
#include "stack/lasting.h"
#include "stack/pool.h"

#include "acre/page.h"
#include "mmap/port/trace.h"
#include "mmap/process.h"

enum { REGION_CHUNK_SHIFT = 8, REGION_CHUNKS = 256 };

static _Atomic(void *) region_chunks[REGION_CHUNKS];
static _Atomic uint32_t region_record_count;
static const lasting_table region_records = {&region_record_count, region_chunks,
                                             REGION_CHUNKS,        REGION_CHUNK_SHIFT,
                                             sizeof(region),       offsetof(region, taken)};

static void
store_field(_Atomic uintptr_t *field, uintptr_t value)
{
    atomic_store_explicit(field, value, memory_order_release);
}

static uintptr_t
load_field(const _Atomic uintptr_t *field)
{
    return atomic_load_explicit(field, memory_order_acquire);
}

// ---- regions ------------------------------------------------------------------------------------

// Returns the address at which a region of `size` bytes would form one area with the pool's others;
// NULL when unknown.
static void *
find_neighbour(const acre_stack_pool *pool, size_t size)
{
    enum { PLENTY = 1 << 30 };
    uintptr_t lowest = 0;
    for (uint32_t i = 0; i < pool->region_count; i++) {
        const region *r = region_at(pool, i);
        uintptr_t start = r != NULL ? load_field(&r->start) : 0;
        if (start != 0 && (lowest == 0 || start < lowest))
            lowest = start;
    }
    if (lowest == 0) {
        // Avoid a hole between other maps, where no later region would fit.
        size_t all = pool->max_stacks < PLENTY / pool->stride ? pool->max_stacks * pool->stride
                                                              : (size_t)PLENTY;
        acre_mmap map;
        if (acre_mmap_reserve(all, ACRE_READ_WRITE, NULL, &map) != ACRE_OK)
            return NULL;
        lowest = (uintptr_t)map.base + map.size;
        if (acre_mmap_unmap(&map) != ACRE_OK)
            return NULL;  // at the area limit it cannot be cut out: it stays, empty
    }
    return lowest > size ? (void *)(lowest - size) : NULL;
}

static uint32_t
region_map_flags(uint32_t flags)
{
    uint32_t result = ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_NO_HUGE;
    if (flags & ACRE_STACK_NO_DUMP)
        result |= ACRE_MAP_NO_DUMP;
    if (flags & ACRE_STACK_DONT_FORK)
        result |= ACRE_MAP_DONT_FORK;
    return result;
}

acre_status
acre_region_check(uint32_t flags)
{
    acre_mmap map;
    acre_mmap_opts opts = {.flags = region_map_flags(flags)};
    acre_status status = acre_mmap_reserve(acre_page_size(), ACRE_READ_WRITE, &opts, &map);
    if (status == ACRE_OK)
        status = acre_mmap_unmap(&map);
    if (status == ACRE_OK && flags & ACRE_STACK_LOCKED && !acre_can(ACRE_CAN_LOCK))
        return -ENOTSUP;
    return status;
}

static acre_status
reserve_region(const acre_stack_pool *pool, size_t slots, acre_mmap *out)
{
    if (slots > SIZE_MAX / 2 / pool->stride)
        return -ENOMEM;
    size_t size = slots * pool->stride;
    acre_mmap_opts opts = {.flags = region_map_flags(pool->flags),
                           .address = find_neighbour(pool, size)};
    return acre_mmap_reserve(size, ACRE_READ_WRITE, &opts, out);
}

acre_status
acre_region_create(acre_stack_pool *pool, size_t slots, region **out)
{
    acre_mmap map;
    acre_status status;
    // Try fewer slots where addresses are scarce.
    while ((status = reserve_region(pool, slots, &map)) == -ENOMEM && slots > 1)
        slots /= 2;
    if (status != ACRE_OK)
        return status;
    uint32_t index;
    status = acre_lasting_take(&region_records, 0, &index);
    if (status != ACRE_OK) {
        acre_status undone = acre_mmap_unmap(&map);
        if (undone != ACRE_OK)
            return undone;
        return status == ACRE_FULL ? -ENOMEM : status;
    }

    region *r = lasting_at(&region_records, index);
    r->record = index;
    shared_map_store(&r->map, &map);
    r->slots = (uint32_t)slots;
    atomic_store_explicit(&r->frontier, 0, memory_order_relaxed);
    store_field(&r->start, (uintptr_t)map.base);
    store_field(&r->end, (uintptr_t)map.base + slots * pool->stride);
    store_field(&r->stride, pool->stride);
    store_field(&r->guard, pool->guard);
    store_field(&r->top, pool->top);
    store_field(&r->header, pool->header);
    store_field(&r->pool, (uintptr_t)pool);
    uint32_t id = atomic_load_explicit(&pool->id, memory_order_relaxed);
    atomic_store_explicit(&r->pool_id, id, memory_order_release);
    atomic_store_explicit(&r->index, pool->region_count, memory_order_release);
    store_field(&r->tag, pool->tag);
    store_field(&r->states, (uintptr_t)pool->tables.base + pool->slots * sizeof(uint32_t));
    uint32_t process = pool->flags & ACRE_STACK_DONT_FORK ? pool->process : 0;
    atomic_store_explicit(&r->colours, pool->colours, memory_order_release);
    atomic_store_explicit(&r->process, process, memory_order_release);
    atomic_store_explicit(&r->locked, pool->flags & ACRE_STACK_LOCKED, memory_order_release);
    atomic_fetch_add_explicit(&r->use, 1, memory_order_release);
    *out = r;
    TRACE(pool_region, pool, map.base, slots);
    return ACRE_OK;
}

acre_status
acre_region_destroy(region *r)
{
    // Before the addresses become free for others: a lookup of them must not return these stacks
    // then.
    atomic_fetch_add_explicit(&r->use, 1, memory_order_acq_rel);
    acre_mmap map;
    shared_map_load(&r->map, &map);
    acre_status status = acre_mmap_unmap(&map);
    if (status != ACRE_OK) {
        shared_map_store(&r->map, &map);
        atomic_fetch_add_explicit(&r->use, 1, memory_order_release);
        return status;
    }
    acre_lasting_release(&region_records, r->record);
    return ACRE_OK;
}

// ---- what is asked of records -------------------------------------------------------------------

// A copy of a region's record, from one use of it.
typedef struct region_view {
    uintptr_t start, end;  // addresses
    uintptr_t stride, guard, top, header;
    const _Atomic uint32_t *states;
    uint32_t colours;
    uint32_t use;
} region_view;

static int
is_same_use(const region *r, uint32_t use)
{
    return atomic_load_explicit(&r->use, memory_order_relaxed) == use;
}

// Returns 0 when this process has no such region, or the region was destroyed meanwhile.
static inline int
read_region(const region *r, uint32_t use, region_view *out)
{
    out->use = use;
    out->start = load_field(&r->start);
    out->end = load_field(&r->end);
    out->stride = load_field(&r->stride);
    out->guard = load_field(&r->guard);
    out->top = load_field(&r->top);
    out->header = load_field(&r->header);
    out->colours = atomic_load_explicit(&r->colours, memory_order_acquire);
    out->states = (const _Atomic uint32_t *)load_field(&r->states);
    uint32_t process = atomic_load_explicit(&r->process, memory_order_acquire);
    // Unchanged, so all fields are of one use, and these slots and states exist.
    return is_same_use(r, use) && (process == 0 || acre_process_is(process));
}

// Describes the stack in a slot whose state word is `state`.
static acre_stack_info
describe_slot(const region *r, const region_view *view, uint32_t slot, uint32_t state)
{
    uintptr_t base = view->end - (slot + (uintptr_t)1) * view->stride + view->guard;
    uintptr_t limit = base - view->guard + view->top - slot_colour(view->colours, slot);
    return (acre_stack_info){
        .base = (void *)base,
        .size = limit - base,
        .header = view->header != 0 ? (void *)limit : NULL,
        .pool = (const void *)load_field(&r->pool),
        .tag = load_field(&r->tag),
        .where = slot_is_out(state) ? ACRE_STACK_USABLE : ACRE_STACK_FREE,
        .generation = state & SLOT_READY ? state : state & ~(uint32_t)1,
        .guard_kind = state_guard_kind(state),
    };
}

// ---- addresses ----------------------------------------------------------------------------------

// Returns 0 when `address` is not in the region, or the region was destroyed meanwhile.
static int
find_in_region(const region *r, uintptr_t address, acre_stack_info *out, uintptr_t key[2])
{
    uint32_t use = atomic_load_explicit(&r->use, memory_order_acquire);
    region_view view;
    if (use % 2 == 0 || address < load_field(&r->start) || address >= load_field(&r->end) ||
        !read_region(r, use, &view) || address < view.start || address >= view.end)
        return 0;
    uint32_t slot = (uint32_t)((view.end - 1 - address) / view.stride);
    uint32_t state = atomic_load_explicit(&view.states[slot], memory_order_acquire);
    *out = describe_slot(r, &view, slot, state);
    if (state & SLOT_READY && address < (uintptr_t)out->base)
        out->where = ACRE_STACK_GUARD;
    uint32_t index = atomic_load_explicit(&r->index, memory_order_acquire);
    key[0] = slot_number(index, slot);
    key[1] = atomic_load_explicit(&r->pool_id, memory_order_acquire);
    return is_same_use(r, use);
}

acre_status
acre_pool_find(uintptr_t address, acre_stack_info *out, uintptr_t key[2])
{
    uint32_t count = lasting_count(&region_records);
    for (uint32_t i = 0; i < count; i++) {
        acre_stack_info info;
        if (find_in_region(lasting_at(&region_records, i), address, &info, key)) {
            *out = info;
            return ACRE_OK;
        }
    }
    return ACRE_NOT_OURS;
}

// Visits the stacks of one region that are out.
static acre_status
visit_region(const region *r, acre_stack_visit_fn visit, void *context)
{
    uint32_t use = atomic_load_explicit(&r->use, memory_order_acquire);
    region_view view;
    if (use % 2 == 0 || !read_region(r, use, &view))
        return ACRE_OK;
    // By now the frontier may be another pool's: these states are as many as the region's slots.
    uint32_t frontier = atomic_load_explicit(&r->frontier, memory_order_acquire);
    uintptr_t slots = (view.end - view.start) / view.stride;
    for (uint32_t slot = 0; slot < frontier && slot < slots; slot++) {
        uint32_t state = atomic_load_explicit(&view.states[slot], memory_order_acquire);
        if (!slot_is_out(state))
            continue;
        acre_stack_info info = describe_slot(r, &view, slot, state);
        if (!is_same_use(r, use))
            break;
        acre_status status = visit(&info, context);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

acre_status
acre_pool_each(acre_stack_visit_fn visit, void *context)
{
    acre_status status = ACRE_OK;
    uint32_t count = lasting_count(&region_records);
    for (uint32_t i = 0; status == ACRE_OK && i < count; i++)
        status = visit_region(lasting_at(&region_records, i), visit, context);
    return status;
}

// ---- handles ------------------------------------------------------------------------------------

// Reads the handle's stack from a region that matched the handle when its use was `use`.
static acre_status
get_in_region(const region *r, uint32_t use, const acre_stack *stack, stack_place *out)
{
    region_view view;
    if (!read_region(r, use, &view))
        return ACRE_NOT_OURS;
    uintptr_t slot = slot_of((uint32_t)stack->private_[0]);
    if (slot >= (view.end - view.start) / view.stride)
        return ACRE_NOT_OURS;
    char *start = (char *)(view.end - (slot + 1) * view.stride);
    shared_map_load(&r->map, &out->map);
    out->start = start;
    out->base = start + view.guard;
    out->limit = start + view.top - slot_colour(view.colours, (uint32_t)slot);
    out->content = out->limit + view.header;
    out->end = start + view.stride;
    out->locked = atomic_load_explicit(&r->locked, memory_order_acquire) != 0;
    uint32_t state = atomic_load_explicit(&view.states[slot], memory_order_acquire);
    if (!is_same_use(r, use) || out->base != stack->base)
        return ACRE_NOT_OURS;
    return slot_is_out(state) && state == stack->generation ? ACRE_OK : ACRE_STALE;
}

acre_status
acre_region_get(const acre_stack *stack, stack_place *out)
{
    // Each use of a pool's record has a number of its own, and each of its regions an index.
    uint32_t index = (uint32_t)stack->private_[0] >> POOL_SLOT_BITS;
    uint32_t count = lasting_count(&region_records);
    for (uint32_t i = 0; i < count; i++) {
        const region *r = lasting_at(&region_records, i);
        uint32_t use = atomic_load_explicit(&r->use, memory_order_acquire);
        if (use % 2 != 0 && atomic_load_explicit(&r->index, memory_order_acquire) == index &&
            atomic_load_explicit(&r->pool_id, memory_order_acquire) == stack->private_[1])
            return get_in_region(r, use, stack, out);
    }
    return ACRE_NOT_OURS;
}
