// One guarded stack: a mapping cut into guard, usable bytes and header, and an entry in the
// registry.
//
//   map->base         base                                   base + size = header        end of the
//   map | guard           | usable, grows down                   | header, a multiple of 64  |
//
// Bytes added by rounding up to pages belong to the usable bytes.
#include "acre/stack.h"

#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/stack_bounds.h"
#include "mmap/debug.h"
#include "mmap/port/memory.h"
#include "mmap/port/thread.h"
#include "stack/handle.h"
#include "stack/place.h"
#include "stack/pool.h"
#include "stack/registry.h"

_Static_assert(sizeof(acre_stack) == (sizeof(void *) == 8 ? 48 : 28), "programs rely on it");
_Static_assert(sizeof(acre_stack_opts) == (sizeof(void *) == 8 ? 64 : 52), "programs rely on it");
_Static_assert(sizeof(acre_stack_info) == (sizeof(void *) == 8 ? 56 : 36), "programs rely on it");

typedef struct stack_layout {
    size_t guard;  // all three in bytes
    size_t header;
    size_t total;
} stack_layout;

static acre_status
lay_out_stack(size_t size, const acre_stack_opts *opts, stack_layout *out)
{
    size_t page = acre_page_size();
    size_t guard = opts->guard_size != 0 ? opts->guard_size : STACK_DEFAULT_GUARD;
    size_t sum;
    if (!stack_round_up(guard, page, &out->guard) ||
        !stack_round_up(opts->header_size, STACK_ALIGNMENT, &out->header) ||
        !stack_add(out->guard, out->header, &sum) || !stack_add(sum, size, &sum) ||
        !stack_round_up(sum, page, &out->total))
        return ACRE_BAD_SIZE;

    // Stacks lie side by side: with an even number of pages, their tops would share a part of the
    // TLB's sets.
    if (out->total / page % 2 == 0 && !stack_add(out->total, page, &out->total))
        return ACRE_BAD_SIZE;
    return ACRE_OK;
}

// Unmaps `map` after a failure.  Returns `status`, the reason, or why unmapping failed.
static acre_status
unmap_after(acre_status status, acre_mmap *map)
{
    acre_status undone = acre_mmap_unmap(map);
    return undone == ACRE_OK ? status : undone;
}

// Where stacks grow: makes the first bytes and the header accessible.
static acre_status
open_stack_top(acre_mmap *map, const stack_layout *plan, uint32_t flags)
{
    char *start = map->base;
    stack_place place = {
        .map = *map,
        .base = start + plan->guard,
        .limit = start + plan->total - plan->header,
        .end = start + plan->total,
    };
    size_t usable = plan->total - plan->guard - plan->header;
    return stack_open(&place, flags & ACRE_STACK_LOCKED ? usable : STACK_AT_ONCE);
}

static acre_status
map_stack(const stack_layout *plan, uint32_t flags, acre_mmap *out)
{
    acre_mmap_opts opts = {.flags = ACRE_MAP_NO_RESERVE | ACRE_MAP_STACK | ACRE_MAP_NO_HUGE};
    if (flags & ACRE_STACK_NO_DUMP)
        opts.flags |= ACRE_MAP_NO_DUMP;
    if (flags & ACRE_STACK_DONT_FORK)
        opts.flags |= ACRE_MAP_DONT_FORK;
    acre_mmap map;
    acre_status status = acre_port_stacks_grow()
                             ? acre_mmap_reserve(plan->total, ACRE_READ_WRITE, &opts, &map)
                             : acre_mmap_anon(plan->total, ACRE_READ_WRITE, &opts, &map);
    if (status != ACRE_OK)
        return status;

    // Where stacks grow, the guard stays reserved.
    status = flags & ACRE_STACK_PAGE_GUARDS && !acre_port_stacks_grow()
                 ? acre_mmap_protect(&map, 0, plan->guard, ACRE_NONE)
                 : acre_mmap_guard(&map, 0, plan->guard);
    if (status == ACRE_OK && acre_port_stacks_grow())
        status = open_stack_top(&map, plan, flags);
    // Locked pages accept no markers, and a guard has no pages to lock: so lock last, and only what
    // lies above the guard.
    if (status == ACRE_OK && flags & ACRE_STACK_LOCKED)
        status = acre_mmap_lock(&map, plan->guard, plan->total - plan->guard);
    if (status != ACRE_OK)
        return unmap_after(status, &map);
    *out = map;
    return ACRE_OK;
}

static acre_stack_info
describe_map(const stack_layout *plan, const acre_mmap *map, uintptr_t tag)
{
    acre_stack_info info = {0};
    info.base = (char *)map->base + plan->guard;
    info.size = plan->total - plan->guard - plan->header;
    info.header = plan->header != 0 ? (char *)info.base + info.size : NULL;
    info.tag = tag;
    info.guard_kind = map->flags & ACRE_HAS_MARKER_GUARDS ? ACRE_GUARD_MARKER : ACRE_GUARD_PAGES;
    return info;
}

acre_status
acre_stack_create(size_t size, const acre_stack_opts *opts, acre_stack *out)
{
    static const acre_stack_opts defaults = {0};
    if (!IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    if (opts == NULL)
        opts = &defaults;
    if (size == 0)
        return ACRE_BAD_SIZE;
    stack_layout plan;
    acre_status status = lay_out_stack(size, opts, &plan);
    if (status == ACRE_OK)
        status = stack_check_options(opts->flags, opts->reserved,
                                     sizeof(opts->reserved) / sizeof(opts->reserved[0]));
    if (status != ACRE_OK)
        return status;

    acre_mmap map;
    status = map_stack(&plan, opts->flags, &map);
    if (status != ACRE_OK)
        return status;
    acre_stack_info info = describe_map(&plan, &map, opts->tag);
    status = acre_registry_add(&map, &info, (opts->flags & ACRE_STACK_LOCKED) != 0, out);
    return status == ACRE_OK ? status : unmap_after(status, &map);
}

// Returns the memory of a stack that could not be unmapped.
static void
empty_stack(const acre_stack *stack)
{
    stack_place place;
    if (acre_handle_get(stack, &place) != ACRE_OK || place.locked || acre_port_stacks_grow())
        return;
    (void)acre_port_discard(&place.map, place.base, (size_t)(place.end - place.base),
                            ACRE_DISCARD_NOW);
}

acre_status
acre_stack_destroy(acre_stack *stack)
{
    if (!IS_VALID(stack != NULL))
        return ACRE_NULL_ARGUMENT;
    if (stack->base == NULL)
        return ACRE_OK;
    acre_status status = acre_registry_remove(stack);
    if (status == ACRE_TOO_MANY_AREAS)
        empty_stack(stack);
    if (status != ACRE_OK)
        return status;

    *stack = (acre_stack){0};
    return ACRE_OK;
}

acre_status
acre_stack_commit(const acre_stack *stack, size_t bytes)
{
    stack_place place;
    acre_status status = acre_handle_get(stack, &place);
    if (status != ACRE_OK)
        return status;
    if (bytes > (size_t)(place.limit - place.base))
        return ACRE_BAD_SIZE;
    return acre_port_stacks_grow() ? stack_open(&place, bytes) : ACRE_OK;
}

static acre_stack_bounds
bounds_for_program(const port_bounds *bounds)
{
    return (acre_stack_bounds){
        .top = bounds->top,
        .limit = bounds->limit,
        .lowest = bounds->lowest,
        .guaranteed = bounds->guaranteed,
        .handlers = bounds->handlers,
    };
}

static port_bounds
bounds_for_system(const acre_stack_bounds *bounds)
{
    return (port_bounds){
        .top = bounds->top,
        .limit = bounds->limit,
        .lowest = bounds->lowest,
        .guaranteed = bounds->guaranteed,
        .handlers = bounds->handlers,
    };
}

acre_status
acre_stack_bounds_of(const acre_stack *stack, acre_stack_bounds *out)
{
    stack_place place;
    port_bounds bounds;
    acre_status status = acre_handle_get(stack, &place);
    if (status == ACRE_OK)
        status = acre_port_stack_bounds(place.start, place.base, place.limit, &bounds);
    if (status == ACRE_OK)
        *out = bounds_for_program(&bounds);
    return status;
}

void
acre_stack_bounds_exchange(const acre_stack_bounds *to, acre_stack_bounds *from)
{
    port_bounds next = bounds_for_system(to);
    port_bounds before;
    if (acre_port_stack_exchange(&next, &before))
        *from = bounds_for_program(&before);
}

void
acre_stack_bounds_begin(acre_stack_last_handler *room)
{
    acre_port_stack_begin(room->words);
}

acre_status
acre_stack_used(const acre_stack *stack, size_t *bytes)
{
    stack_place place;
    acre_status status = acre_handle_get(stack, &place);
    if (status != ACRE_OK)
        return status;
    // All of it is present, however little was touched.
    if (place.locked)
        return -ENOTSUP;

    // The top may lie inside a page that it shares with the header.
    size_t page = acre_page_size();
    size_t usable = (size_t)(place.limit - place.base);
    const void *lowest;
    status = acre_port_lowest_touched(place.base, (usable + page - 1) & ~(page - 1), &lowest);
    if (status != ACRE_OK)
        return status;
    const char *first = lowest;
    *bytes = first < place.limit ? (size_t)(place.limit - first) : 0;
    return ACRE_OK;
}

static acre_status
find_stack(const void *address, acre_stack_info *out, uintptr_t key[2])
{
    acre_status status = acre_registry_find((uintptr_t)address, out, key);
    return status == ACRE_OK ? status : acre_pool_find((uintptr_t)address, out, key);
}

acre_status
acre_stack_find(const void *address, acre_stack_info *out)
{
    uintptr_t key[2];
    return find_stack(address, out, key);
}

acre_status
acre_stack_at(const void *address, acre_stack *out)
{
    acre_stack_info info;
    uintptr_t key[2];
    acre_status status = find_stack(address, &info, key);
    if (status != ACRE_OK)
        return status;
    if (info.generation % 2 == 0)
        return ACRE_STALE;
    *out = stack_handle(&info, key);
    return ACRE_OK;
}

acre_status
acre_stack_header_size(const acre_stack *stack, size_t *bytes)
{
    stack_place place;
    acre_status status = acre_handle_get(stack, &place);
    if (status == ACRE_OK)
        *bytes = (size_t)(place.content - place.limit);
    return status;
}
