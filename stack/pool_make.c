// Makes cold slots ready (memory, guards, locks), and adds regions for more slots.
//
// 1. Guards are markers, placed on many slots with one call.  What counts is the number of guards
//    that the call reports, not whether it succeeded: a slot is ready once its guard is counted;
//    others stay cold, whatever the state of their memory.  When there is too little memory for all
//    of them, half as many are tried, down to one.
// 2. Where there are no markers, only the memory above the guard is committed, and what stays
//    reserved is the guard.  That costs two areas per stack.  Such stacks may use half of the areas
//    that everything else leaves: a program without areas cannot even allocate.  Where the number
//    of areas cannot be read, or not now (reading opens files), only the system's own limit
//    applies.
// 3. If markers are refused although there were some (a sandbox was entered), the pool goes on with
//    protected pages; stacks that it has made keep theirs.
// 4. Under strict commit accounting, a slot is accounted for from this point on, not before.
#include "stack/pool.h"
#include "stack/room.h"

#include "acre/page.h"
#include "mmap/port/area.h"
#include "mmap/port/memory.h"
#include "mmap/port/trace.h"

// ---- areas --------------------------------------------------------------------------------------

// The number of this process's slots that are guarded by protection, and how many there may be
// before areas are counted again.
static _Atomic size_t page_guards;
static _Atomic size_t page_guards_allowed;

enum {
    COUNT_EVERY = 1024,
    AREAS_ASSUMED = 65530  // Linux's default limit
};

static void
allow_more(const acre_stack_pool *pool, size_t used)
{
    uint64_t areas;
    uint64_t allowed = (uint64_t)used + COUNT_EVERY;
    uint64_t most;
    if (atomic_load_explicit(&pool->had_markers, memory_order_relaxed)) {
        // Markers are refused now: perhaps by a sandbox, in which looking for the number of areas
        // could end the process.
        most = AREAS_ASSUMED / 4;
        allowed = most < allowed ? most : allowed;
    } else if (acre_port_area_count(&areas) == ACRE_OK) {
        // Half of the areas that would be left without these guards.
        uint64_t left = pool->area_limit > areas ? pool->area_limit - areas : 0;
        most = (left + 2 * (uint64_t)used) / 4;
        allowed = most < allowed ? most : allowed;
    }
    atomic_store_explicit(&page_guards_allowed, (size_t)allowed, memory_order_relaxed);
}

// Grants up to `count` slots a guard by protection, and counts them as guarded.
static acre_status
take_areas(const acre_stack_pool *pool, size_t count, size_t *granted)
{
    size_t used = atomic_load_explicit(&page_guards, memory_order_relaxed);
    do {
        *granted = count;
        if (pool->area_limit == 0 &&
            !atomic_load_explicit(&pool->had_markers, memory_order_relaxed))
            continue;
        size_t allowed = atomic_load_explicit(&page_guards_allowed, memory_order_relaxed);
        if (used + count > allowed) {
            allow_more(pool, used);
            allowed = atomic_load_explicit(&page_guards_allowed, memory_order_relaxed);
        }
        size_t left = allowed > used ? allowed - used : 0;
        if (left == 0)
            return ACRE_TOO_MANY_AREAS;
        *granted = count < left ? count : left;
    } while (!atomic_compare_exchange_weak_explicit(&page_guards, &used, used + *granted,
                                                    memory_order_relaxed, memory_order_relaxed));
    return ACRE_OK;
}

void
acre_pool_page_guards_removed(size_t count)
{
    atomic_fetch_sub_explicit(&page_guards, count, memory_order_relaxed);
}

// ---- memory and guards --------------------------------------------------------------------------

// Lists the range of `bytes` at `offset` in each of `count` neighbours, the lowest of which starts
// at `lowest`.
static void
list_ranges(const acre_stack_pool *pool, char *lowest, size_t count, size_t offset, size_t bytes,
            acre_range *out)
{
    for (size_t i = 0; i < count; i++) {
        // In the order of slot numbers.
        out[i].base = lowest + (count - 1 - i) * pool->stride + offset;
        out[i].length = bytes;
    }
}

// Guards a slot in a program that locks its memory (mlockall): the marker must be placed before the
// lock.
static acre_status
guard_locked(acre_mmap *map, const acre_range *guard, size_t stride)
{
    acre_status status = acre_port_unlock(map, guard->base, stride);
    if (status != ACRE_OK)
        return status;
    size_t done;
    status = acre_port_guard_many(guard, 1, &done);
    if (status == -EINVAL)
        return status;  // so the lock was not the cause
    acre_status locked = acre_port_lock_on_fault(map, guard->base, stride);
    return status != ACRE_OK ? status : locked;
}

// Locked neighbours are guarded one by one: a lock on the whole run would also lock the others.
static acre_status
guard_slots(const acre_stack_pool *pool, acre_mmap *map, char *lowest, size_t count,
            size_t *guarded)
{
    acre_range guards[POOL_MAKE];
    list_ranges(pool, lowest, count, 0, pool->guard, guards);
    for (*guarded = 0; *guarded < count;) {
        size_t done;
        acre_status status = acre_port_guard_many(guards + *guarded, count - *guarded, &done);
        *guarded += done;
        if (status == -EINVAL) {
            status = guard_locked(map, &guards[*guarded], pool->stride);
            *guarded += status == ACRE_OK;
        }
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// Locked pages stay resident, whether a fault or a call brought them in; the guard among them has
// no pages.
static acre_status
lock_slot_with_marker(const acre_stack_pool *pool, acre_mmap *map, char *start)
{
    char *base = start + pool->guard;
    size_t usable = pool->stride - pool->guard;
    acre_status status = acre_port_lock_on_fault(map, start, pool->stride);
    if (status == -ENOTSUP)
        return acre_port_lock(map, base, usable);
    if (status == ACRE_OK) {
        status = acre_port_populate(map, base, usable);
        if (status != ACRE_OK)
            (void)acre_port_unlock(map, start, pool->stride);
    }
    return status;
}

static acre_status
lock_slots(const acre_stack_pool *pool, acre_mmap *map, char *lowest, size_t count, size_t *done)
{
    if ((pool->flags & ACRE_STACK_LOCKED) == 0) {
        *done = count;
        return ACRE_OK;
    }
    for (*done = 0; *done < count; ++*done) {
        char *start = lowest + (count - 1 - *done) * pool->stride;
        acre_status status = lock_slot_with_marker(pool, map, start);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// Commits as many of the first neighbours as the system grants at once, halving *count after each
// refusal.
static acre_status
commit_slots(const acre_stack_pool *pool, acre_mmap *map, char *end, size_t *count)
{
    for (;; *count /= 2) {
        size_t length = *count * pool->stride;
        acre_status status = acre_port_commit(map, end - length, length, ACRE_READ_WRITE);
        if (status == ACRE_OK)
            return ACRE_OK;
        // Otherwise pages that became accessible would later be taken for accounted ones.
        (void)acre_port_decommit(map, end - length, length);
        if (status != -ENOMEM || *count == 1)
            return status;
    }
}

// A status of these functions alone: the system refuses markers altogether, as a sandbox does that
// was entered meanwhile.
enum { MARKERS_REFUSED = 1 };

static int
refuses_markers(acre_status status)
{
    return status != ACRE_OK && status != -ENOMEM && status != -EAGAIN &&
           status != ACRE_TOO_MANY_AREAS;
}

// Makes neighbouring slots ready; the first has the highest address.
static acre_status
make_with_markers(const acre_stack_pool *pool, acre_mmap *map, char *lowest, size_t count,
                  size_t *done)
{
    char *end = lowest + count * pool->stride;
    acre_status status = commit_slots(pool, map, end, &count);
    if (status != ACRE_OK)
        return status;
    lowest = end - count * pool->stride;
    size_t guarded;
    status = guard_slots(pool, map, lowest, count, &guarded);
    char *lowest_guarded = lowest + (count - guarded) * pool->stride;
    acre_status locked = lock_slots(pool, map, lowest_guarded, guarded, done);
    if (locked != ACRE_OK)
        return locked;
    return refuses_markers(status) ? MARKERS_REFUSED : status;
}

static acre_status
make_with_pages(const acre_stack_pool *pool, acre_mmap *map, char *lowest, size_t count,
                size_t *done)
{
    size_t granted;
    acre_status status = take_areas(pool, count, &granted);
    if (status != ACRE_OK)
        return status;
    // Where markers were tried, what shall be the guard may be accessible.
    if (atomic_load_explicit(&pool->had_markers, memory_order_relaxed))
        status = acre_port_decommit(map, lowest, count * pool->stride);
    for (*done = 0; status == ACRE_OK && *done < granted;) {
        char *start = lowest + (count - 1 - *done) * pool->stride;
        size_t usable = pool->stride - pool->guard;
        status = acre_port_commit_stack(map, start + pool->guard, usable, pool->at_once);
        if (status == ACRE_OK && pool->flags & ACRE_STACK_LOCKED)
            status = acre_port_lock(map, start + pool->guard, usable);
        if (status == ACRE_OK)
            ++*done;
        else
            (void)acre_port_decommit(map, start + pool->guard, usable);
    }
    acre_pool_page_guards_removed(granted - *done);
    return status;
}

// How many of the first slots are neighbours, each below the one before.
static size_t
run_length(const uint32_t *ids, size_t count)
{
    size_t length = 1;
    while (length < count && ids[length] == ids[0] + length &&
           ids[length] >> POOL_SLOT_BITS == ids[0] >> POOL_SLOT_BITS)
        length++;
    return length;
}

static acre_status
make_slots(const acre_stack_pool *pool, const uint32_t *ids, size_t count, uint32_t kind,
           size_t *done)
{
    while (*done < count) {
        size_t length = run_length(ids + *done, count - *done);
        const region *r = region_of(pool, ids[*done]);
        char *lowest = slot_start(pool, r, slot_of(ids[*done + length - 1]));
        // A copy: other threads use the handle at the same time, for other slots.
        acre_mmap map;
        shared_map_load(&r->map, &map);
        size_t made = 0;
        acre_status status = kind == ACRE_GUARD_MARKER
                                 ? make_with_markers(pool, &map, lowest, length, &made)
                                 : make_with_pages(pool, &map, lowest, length, &made);
        *done += made;
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

// Makes slots with guards of the pool's kind.  If markers are refused, the pool goes on with pages.
static acre_status
make_guarded(acre_stack_pool *pool, const uint32_t *ids, size_t count, uint32_t *kind, size_t *done)
{
    *kind = atomic_load_explicit(&pool->guard_kind, memory_order_relaxed);
    acre_status status = make_slots(pool, ids, count, *kind, done);
    if (status != MARKERS_REFUSED || *done > 0)
        return status;
    atomic_store_explicit(&pool->had_markers, 1, memory_order_relaxed);
    atomic_store_explicit(&pool->guard_kind, ACRE_GUARD_PAGES, memory_order_relaxed);
    *kind = ACRE_GUARD_PAGES;
    return make_slots(pool, ids, count, *kind, done);
}

// ---- lists --------------------------------------------------------------------------------------

// Hands cold slots to the caller.  Under the lock.
static size_t
claim_cold(acre_stack_pool *pool, uint32_t *ids, size_t wanted)
{
    size_t count = 0;
    for (; count < wanted && pool->cold_count > 0; count++)
        ids[count] = pool->ids[pool->slots - pool->cold_count--];
    for (uint32_t i = pool->region_count; count < wanted && i-- > 0;) {
        region *r = region_at(pool, i);
        while (r != NULL && count < wanted && r->frontier < r->slots)
            ids[count++] = slot_number(i, r->frontier++);
    }
    pool->pending += count;
    return count;
}

// Returns slots from claim_cold, of which the first `done` are ready with guards of `kind`.  Under
// the lock.
static void
return_claimed(acre_stack_pool *pool, const uint32_t *ids, size_t count, uint32_t kind, size_t done)
{
    // The list is last in, first out.
    for (size_t i = count; i-- > done;)
        pool->ids[pool->slots - ++pool->cold_count] = ids[i];
    for (size_t i = done; i-- > 0;) {
        _Atomic uint32_t *state = slot_state(region_of(pool, ids[i]), slot_of(ids[i]));
        uint32_t generation = atomic_load_explicit(state, memory_order_relaxed) & SLOT_GENERATION;
        uint32_t pages = kind == ACRE_GUARD_PAGES ? SLOT_PAGES : 0;
        atomic_store_explicit(state, generation | pages | SLOT_READY, memory_order_release);
        pool->ids[pool->free_count++] = ids[i];
    }
    pool->ready += done;
    pool->pending -= count;
}

// ---- regions ------------------------------------------------------------------------------------

static size_t
next_region(const acre_stack_pool *pool)
{
    size_t slots = pool->slots > 64 ? pool->slots : 64;
    size_t left = pool->max_stacks - pool->slots;
    slots = slots < left ? slots : left;
    return slots < POOL_REGION_SLOTS ? slots : POOL_REGION_SLOTS;
}

// Commits room for the states and numbers of `slots` slots.
static acre_status
commit_tables(acre_stack_pool *pool, size_t slots)
{
    size_t page = acre_page_size();
    size_t length = (slots * sizeof(uint32_t) + page - 1) & ~(page - 1);
    acre_status status = acre_mmap_commit(&pool->tables, 0, length);
    return status == ACRE_OK ? acre_mmap_commit(&pool->tables, pool->table_size, length) : status;
}

// Called without the lock, by the thread that set pool->growing.
static acre_status
make_region(acre_stack_pool *pool, size_t before, size_t slots, region **out)
{
    acre_status status = commit_tables(pool, before + slots);
    return status == ACRE_OK ? acre_region_create(pool, slots, out) : status;
}

// Under the lock.
static void
add_region(acre_stack_pool *pool, region *r)
{
    // Cold slots are at the end.
    for (size_t i = pool->cold_count; i-- > 0;)
        pool->ids[pool->slots - pool->cold_count + r->slots + i] =
            pool->ids[pool->slots - pool->cold_count + i];
    atomic_store_explicit(&pool->regions[pool->region_count], r, memory_order_release);
    pool->region_count++;
    pool->slots += r->slots;
}

// Called with the lock, which it releases.
static acre_status
add_slots(acre_stack_pool *pool)
{
    size_t before = pool->slots;
    size_t slots = next_region(pool);
    pool->growing = 1;
    acre_pool_unlock(pool);

    region *r = NULL;
    acre_status status = make_region(pool, before, slots, &r);
    acre_status locked = acre_pool_lock(pool);
    if (locked != ACRE_OK)
        return locked;
    pool->growing = 0;
    if (status == ACRE_OK)
        add_region(pool, r);
    acre_pool_unlock_changed(pool);
    return status;
}

acre_status
acre_pool_make(acre_stack_pool *pool, size_t enough)
{
    room_touch_for_calls();
    for (;;) {
        acre_status status = acre_pool_lock(pool);
        if (status != ACRE_OK)
            return status;
        if (pool->free_count + pool->deep_count >= enough) {
            acre_pool_unlock(pool);
            return ACRE_OK;
        }

        uint32_t ids[POOL_MAKE];
        size_t count = claim_cold(pool, ids, POOL_MAKE);
        if (count > 0) {
            acre_pool_unlock(pool);
            size_t done = 0;
            uint32_t kind;
            status = make_guarded(pool, ids, count, &kind, &done);
            TRACE(pool_make, pool, done, status);
            acre_status locked = acre_pool_lock(pool);
            if (locked != ACRE_OK)
                return locked;
            return_claimed(pool, ids, count, kind, done);
            acre_pool_unlock_changed(pool);
            if (done == 0)
                return status;
            continue;
        }
        if (!pool->growing && pool->slots < pool->max_stacks && pool->region_count < POOL_REGIONS) {
            status = add_slots(pool);
            if (status != ACRE_OK)
                return status;
            continue;
        }
        // Slots that other threads hold for a moment may become available.
        if (!pool->growing && pool->pending == 0) {
            // Small regions, of short addresses, may have used up the table.
            status = pool->slots < pool->max_stacks ? -ENOMEM : ACRE_FULL;
            acre_pool_unlock(pool);
            return status;
        }
        acre_pool_unlock_wait(pool);
    }
}
