// Arenas: one reservation, one cursor.
//
// 1. An arena reserves its addresses once.  Blocks lie one after the other from `base` on; the next
//    one starts at `cursor`, rounded up to its alignment.  Nothing else is recorded about a block.
// 2. core->committed is the end of the usable pages, core->ceiling the end of what may be handed
//    out (the user's limit, rounded down to 64 bytes).  `limit` is the lower of the two, so a
//    single inline compare checks both.  All three are multiples of 64: rounding a cursor below
//    `limit` up to an alignment of at most 64 stays at or below `limit`.
// 3. base <= cursor <= limit <= ceiling.  The memory ends at least 64 KiB below the end of the
//    address space, so adding a small constant to a cursor cannot wrap.  Sizes that are not small
//    are compared with what is left, never added first.
// 4. Fresh pages are zero.  `dirty` is the highest cursor that was ever given up, so [max(dirty,
//    cursor), limit) is zero.  Every downward move of the cursor raises it; giving pages back
//    lowers it to where they began.  An arena that wipes (ACRE_ARENA_WIPE) zeroes what it takes
//    back instead.
// 5. grow.c decides when to commit how much, space.c where arenas lie, and cache.c keeps
//    reservations for later arenas: with their `dirty`, their committed pages, and the core in
//    place.
// 6. The cold part (core) and the first byte start at a colour, a multiple of 64 that differs from
//    arena to arena.  At equal page offsets, the hot lines of many arenas would evict each other
//    from the same few cache sets (13 times slower with 16 arenas used in turn).
// 7. The core is the first thing in the reservation.  Memory that the child of a fork does not get
//    (DONT_FORK) or finds zeroed (WIPE_ON_FORK) cannot hold it, so such an arena keeps its core in
//    a page of its own.  With DONT_FORK that page is wiped in the child, which is how an arena
//    knows that its memory is not there.
#include <stdatomic.h>
#include <string.h>

#include "acre/page.h"
#include "arena/core.h"
#include "arena/roots.h"
#include "arena/watch.h"
#include "mmap/debug.h"

static const size_t DEFAULT_ARENA_KEEP = (size_t)16 << 20;
static const size_t TOP_OF_ADDRESSES = (size_t)64 << 10;  // never part of an arena
static const size_t COLOURS = (size_t)32 << 10;
// An odd number of lines: every line of COLOURS is used before one repeats.
static const size_t COLOUR_STRIDE = 17 * 64;

enum {
    KNOWN_FLAGS = ACRE_ARENA_NO_HUGE | ACRE_ARENA_HUGE | ACRE_ARENA_LAZY | ACRE_ARENA_LOCKED |
                  ACRE_ARENA_NO_DUMP | ACRE_ARENA_WIPE | ACRE_ARENA_WIPE_ON_FORK |
                  ACRE_ARENA_DONT_FORK | ACRE_ARENA_NO_CACHE,
    CORE_BESIDE = ACRE_ARENA_WIPE_ON_FORK | ACRE_ARENA_DONT_FORK,
    LEAST_MEMORY = 512
};

#define WORDS(on_64, on_32) (sizeof(void *) == 8 ? (on_64) : (on_32))
_Static_assert(sizeof(acre_arena) == 64, "one cache line");
_Static_assert(sizeof(acre_arena_mark) == WORDS(16, 8), "part of the binary interface");
_Static_assert(sizeof(acre_arena_opts) == WORDS(96, 68), "part of the binary interface");
_Static_assert(sizeof(acre_arena_stats) == WORDS(80, 64), "part of the binary interface");
// Even when rounded at both ends, it leaves a line to hand out.
_Static_assert(sizeof(acre_arena_core) + 4 * 64 <= LEAST_MEMORY, "LEAST_MEMORY is too small");

// ---- create and destroy -------------------------------------------------------------------------

static acre_status
check_arena_opts(const acre_arena_opts *opts)
{
    uint32_t flags = opts->flags;
    if (!IS_VALID((flags & ~(uint32_t)KNOWN_FLAGS) == 0) ||
        !IS_VALID((flags & CORE_BESIDE) != CORE_BESIDE))
        return ACRE_BAD_OPTION;
    if (!IS_VALID((flags & ACRE_ARENA_HUGE) == 0 || (flags & ACRE_ARENA_NO_HUGE) == 0))
        return ACRE_BAD_OPTION;
    for (size_t i = 0; i < sizeof opts->reserved / sizeof opts->reserved[0]; i++) {
        if (!IS_VALID(opts->reserved[i] == 0))
            return ACRE_BAD_OPTION;
    }
    return ACRE_OK;
}

static void
copy_name(char to[NAME_SIZE], const char *name)
{
    memset(to, 0, NAME_SIZE);
    for (size_t i = 0; name != NULL && i < NAME_SIZE - 1 && name[i] != '\0'; i++)
        to[i] = name[i];
}

static uint32_t
next_number(void)
{
    static atomic_uint arenas;
    return (uint32_t)atomic_fetch_add_explicit(&arenas, 1, memory_order_relaxed);
}

// Resets count up from here.  The starting values are spread out, so that marks of an earlier arena
// at this place stay stale.
static uint32_t
first_generation(uint32_t number)
{
    uint32_t generation = (number + 1) * 0x9e3779b1u;
    return generation != 0 ? generation : 1;
}

// The colour in bytes; small in a small reservation.
static size_t
colour_of(uint32_t number, size_t size)
{
    size_t range = size / 32 < COLOURS ? round_down(size / 32, 64) : COLOURS;
    return range != 0 ? (number % (COLOURS / 64)) * COLOUR_STRIDE % range : 0;
}

// Where usable memory ends when the memory itself ends at `end`.
static uintptr_t
usable_end(uintptr_t end)
{
    uintptr_t top = UINTPTR_MAX - TOP_OF_ADDRESSES + 1;
    return round_down(end < top ? end : top, ACRE_ARENA_LINE);
}

static uintptr_t
end_of_memory(const acre_arena_core *core)
{
    return usable_end(core->memory != 0 ? core->memory + core->memory_size
                                        : core_start(core) + core->map.size);
}

static uintptr_t
ceiling_of(uintptr_t base, uintptr_t end, size_t limit)
{
    limit = limit != 0 ? round_down(limit, ACRE_ARENA_LINE) : SIZE_MAX;
    return limit < end - base ? base + limit : end;
}

// Applies the options to an arena whose place is known.
static void
apply_opts(acre_arena_core *core, const acre_arena_opts *opts)
{
    core->keep = opts->keep != 0 ? opts->keep : DEFAULT_ARENA_KEEP;
    core->exhausted = opts->exhausted;
    core->context = opts->context;
    copy_name(core->name, opts->name);
    core->ceiling = ceiling_of(core->base, end_of_memory(core), opts->limit);
}

// Starts an arena with nothing used.
static void
begin_arena(acre_arena_core *core, uint32_t flags, uint32_t generation, uintptr_t dirty,
            acre_arena *out)
{
    core->floor = core->base;
    core->peak = core->base;
    atomic_store_explicit(&core->prefaulting, 0, memory_order_relaxed);
    grow_publish(core, core->base);
    if (core->memory == 0)
        core->root = root_begin(core_start(core), core->map.size);

    acre_arena arena = {0};
    arena.cursor = core->base;
    arena.dirty = dirty;
    arena.base = core->base;
    arena.core = core;
    arena.flags = flags;
    arena.generation = generation;
    core_set_limit(&arena, core);
    *out = arena;
}

// Copies `core` to `place`, where it stays.
static acre_arena_core *
place_core(const acre_arena_core *core, uintptr_t place)
{
    acre_arena_core *home = (acre_arena_core *)place;
    *home = *core;
    home->watched = watch_is_on() != 0;
    home->alive = CORE_ALIVE;
    return home;
}

// Maps a page for the core of an arena whose memory is not inherited across fork.
static acre_status
map_core(uint32_t flags, acre_mmap *out)
{
    acre_mmap_opts opts = {0};
    opts.flags = (flags & ACRE_ARENA_DONT_FORK) != 0 ? ACRE_MAP_WIPE_ON_FORK : 0;
    opts.flags |= (flags & ACRE_ARENA_NO_DUMP) != 0 ? ACRE_MAP_NO_DUMP : 0;
    acre_status status = acre_mmap_anon(sizeof(acre_arena_core), ACRE_READ_WRITE, &opts, out);
    if (status != ACRE_OK && acre_cache_makes_way(status))
        status = acre_mmap_anon(sizeof(acre_arena_core), ACRE_READ_WRITE, &opts, out);
    if (status == ACRE_OK)
        watch_renew((uintptr_t)out->base, out->size);
    return status;
}

static acre_status
unmap_core(acre_arena_core *core)
{
    acre_mmap map;
    size_t page = acre_page_size();
    uint8_t root = core->own_root;
    acre_status status =
        acre_mmap_adopt(core, round_up(sizeof *core, page), 0, ACRE_READ_WRITE, 0, &map);
    if (status == ACRE_OK)
        status = acre_mmap_unmap(&map);
    if (status == ACRE_OK)
        root_end((uintptr_t)core, sizeof *core, root);
    return status;
}

// Commits the beginning of the reservation in `core` and lays the arena out in it.
static acre_status
lay_out_arena(const acre_arena_opts *opts, acre_arena_core *core, acre_arena *out)
{
    uint32_t number = next_number();
    uintptr_t start = core_start(core);
    uintptr_t place = start + colour_of(number, core->map.size);
    int beside = (opts->flags & CORE_BESIDE) != 0;
    core->base = beside ? place : round_up(place + sizeof *core, ACRE_ARENA_LINE);
    core->committed = start;
    apply_opts(core, opts);

    acre_status status = ACRE_OK;
    if (beside) {
        acre_mmap map;
        status = map_core(opts->flags, &map);
        if (status != ACRE_OK)
            return status;
        place = (uintptr_t)map.base;
    }
    // With a limit below 64 bytes there may be nothing to commit.
    if (core->base > start)
        status = acre_grow_commit(core, core->base, core->base);
    if (status != ACRE_OK) {
        acre_status undone = beside ? unmap_core((acre_arena_core *)place) : ACRE_OK;
        return undone == ACRE_OK ? status : undone;
    }
    acre_arena_core *home = place_core(core, place);
    if (beside)
        home->own_root = root_begin(place, sizeof *home);
    begin_arena(home, opts->flags, first_generation(number), core->base, out);
    return ACRE_OK;
}

static acre_status
create_anew(const acre_arena_opts *opts, int cacheable, acre_arena *out)
{
    acre_arena_core core = {0};
    core.wanted = opts->reserve;
    acre_status status = acre_space_reserve(opts, acre_cache_makes_way, &core);
    if (status != ACRE_OK)
        return status;
    core.cacheable = cacheable && (core.map.flags & ACRE_GOT_NAME) == 0;
    status = lay_out_arena(opts, &core, out);
    if (status != ACRE_OK) {
        acre_status undone = acre_space_release(&core.map, core.committed - core_start(&core));
        return undone == ACRE_OK ? status : undone;
    }
    return ACRE_OK;
}

acre_status
acre_arena_create(const acre_arena_opts *opts, acre_arena *out)
{
    static const acre_arena_opts DEFAULTS;
    if (!IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    if (opts == NULL)
        opts = &DEFAULTS;
    acre_status status = check_arena_opts(opts);
    if (status != ACRE_OK)
        return status;
    size_t least = acre_space_least(opts);
    if (least == 0)
        return ACRE_BAD_OPTION;
    // Where the system shows names, pages are named when they are mapped.
    int cacheable = opts->flags == 0 && opts->node_plus_one == 0;
    acre_arena_core *core = NULL;
    if (cacheable && (opts->name == NULL || !acre_can(ACRE_CAN_NAME)))
        core = acre_cache_take(opts->reserve, least);
    if (core == NULL)
        return create_anew(opts, cacheable, out);
    apply_opts(core, opts);
    core->commits = 0;
    begin_arena(core, 0, core->generation, core->dirty, out);
    return ACRE_OK;
}

acre_status
acre_arena_over(void *memory, size_t size, acre_arena *out)
{
    uintptr_t start = (uintptr_t)memory;
    if (size < LEAST_MEMORY || size > UINTPTR_MAX - start)
        return ACRE_BAD_SIZE;
    if (!IS_VALID(memory != NULL) || !IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    // The top of the address space is not used, and what remains may be too small.
    uintptr_t end = usable_end(start + size);
    if (start > end || end - start < LEAST_MEMORY - ACRE_ARENA_LINE)
        return ACRE_BAD_SIZE;

    acre_arena_core core = {0};
    core.ceiling = end;
    core.committed = end;
    core.boundary = UINTPTR_MAX;
    core.memory = start;
    core.memory_size = size;
    core.keep = SIZE_MAX;
    uintptr_t place = round_up(start, ACRE_ARENA_ALIGN);
    core.base = round_up(place + sizeof core, ACRE_ARENA_LINE);
    // The contents of the caller's memory are unknown.
    begin_arena(place_core(&core, place), 0, first_generation(next_number()), end, out);
    return ACRE_OK;
}

static acre_status
note_failure(acre_arena *arena, acre_status why)
{
    arena->status = why;
    return why;
}

static uint32_t
next_generation(uint32_t generation)
{
    return generation != UINT32_MAX ? generation + 1 : 1;
}

// Returns whether the cache took the reservation; if not, the arena is unchanged.
static int
leave_to_cache(const acre_arena *arena, acre_arena_core *core)
{
    // Claim a slot before giving pages back: without one the arena is unmapped instead, and if the
    // system refuses that, nothing of the arena may be missing.
    uintptr_t end = acre_grow_end_of_kept(core, core->base, core->keep);
    cache_slot *slot = acre_cache_claim(end - core_start(core));
    if (slot == NULL)
        return 0;
    if (acre_grow_give_back(core, core->base, core->keep) != ACRE_OK) {
        acre_cache_abandon(slot);
        return 0;
    }
    uintptr_t cursor = arena->cursor < core->committed ? arena->cursor : core->committed;
    if (core->watched && cursor > core->base)
        watch_close(core->base, cursor - core->base);
    uintptr_t dirty = arena->cursor > arena->dirty ? arena->cursor : arena->dirty;
    core->dirty = dirty < core->committed ? dirty : core->committed;
    core->generation = next_generation(arena->generation);
    root_end(core_start(core), core->map.size, core->root);
    acre_cache_fill(slot, core);
    return 1;
}

// Releases what the core describes, then the core.
static acre_status
release_arena(acre_arena *arena, acre_arena_core *core)
{
    if (core->memory != 0) {
        if (core->watched)
            watch_forget(core->base, core->committed - core->base);
        return ACRE_OK;
    }
    size_t committed = core->committed - core_start(core);
    acre_mmap map = core->map;
    acre_mmap released = map;
    uint8_t root = core->root;  // the core may lie in the range being released
    acre_status status = acre_space_release(&released, committed);
    if (status != ACRE_OK)
        return status;
    root_end((uintptr_t)map.base, map.size, root);
    if ((arena->flags & CORE_BESIDE) == 0)
        return ACRE_OK;
    core->map = released;
    core->root = ROOT_NONE;
    // If unmapping the core's page fails, the page describes an arena that can do nothing, and
    // destroy may be called again.
    core->ceiling = core->committed = core->base = 0;
    arena->cursor = arena->limit = arena->dirty = arena->base = 0;
    return unmap_core(core);
}

acre_status
acre_arena_destroy(acre_arena *arena)
{
    static const acre_arena EMPTY;
    acre_status status = ACRE_OK;
    acre_arena_core *core = core_of(arena);
    if (core != NULL) {
        if (arena->deferred != NULL)
            acre_core_run_deferred(arena, 0);
        if (atomic_load_explicit(&core->prefaulting, memory_order_relaxed) != 0)
            acre_grow_stop_prefault(core);
        if ((arena->flags & ACRE_ARENA_WIPE) != 0)
            acre_core_wipe(core, arena->base, arena->cursor);
        if (!core->cacheable || !leave_to_cache(arena, core))
            status = release_arena(arena, core);
    } else if (arena->core != NULL) {
        // Clears what a checker noted about blocks that this child does not have.
        watch_forget(arena->base, arena->dirty - arena->base);
        status = unmap_core(arena->core);
    }
    if (status != ACRE_OK) {
        if (core != NULL)
            atomic_store_explicit(&core->prefaulting, 0, memory_order_relaxed);
        return note_failure(arena, status);
    }
    *arena = EMPTY;
    return ACRE_OK;
}

// ---- change -------------------------------------------------------------------------------------

void *
acre_arena_alloc_slow(acre_arena *arena, size_t size, size_t alignment)
{
    uintptr_t block = 0;
    acre_status status = acre_core_make_room(arena, size, alignment, &block);
    // As on the inline path: allocating 0 bytes from an empty arena is not a failure.
    if (status == ACRE_EMPTY_HANDLE && size == 0)
        return NULL;
    if (status != ACRE_OK)
        return acre_core_refuse(arena, size, status);
    return acre_core_hand_out(arena, block, 0, size);
}

acre_status
acre_arena_ensure(acre_arena *arena, size_t bytes)
{
    uintptr_t block = 0;
    acre_status status = acre_core_make_room(arena, bytes, 1, &block);
    return status == ACRE_OK ? ACRE_OK : note_failure(arena, status);
}

acre_status
acre_arena_limit_set(acre_arena *arena, size_t limit)
{
    acre_arena_core *core = core_of(arena);
    if (core == NULL)
        return note_failure(arena, status_without_core(arena));
    uintptr_t ceiling = ceiling_of(core->base, end_of_memory(core), limit);
    if (ceiling < arena->cursor)
        return note_failure(arena, ACRE_FULL);
    core->ceiling = ceiling;
    core_set_limit(arena, core);
    return ACRE_OK;
}

static acre_status
give_back_surplus(acre_arena *arena, acre_arena_core *core, size_t keep)
{
    acre_status status = acre_grow_give_back(core, arena->cursor, keep);
    if (status != ACRE_OK)
        return status;
    if (arena->dirty > core->committed)
        arena->dirty = core->committed;
    core_set_limit(arena, core);
    return ACRE_OK;
}

acre_status
acre_arena_trim(acre_arena *arena, size_t keep)
{
    acre_arena_core *core = core_of(arena);
    acre_status status =
        core != NULL ? give_back_surplus(arena, core, keep) : status_without_core(arena);
    return status == ACRE_OK ? ACRE_OK : note_failure(arena, status);
}

void
acre_arena_reset(acre_arena *arena)
{
    acre_arena_core *core = acre_core_or_note(arena);
    if (core == NULL)
        return;
    if (arena->deferred != NULL)
        acre_core_run_deferred(arena, 0);
    acre_core_take_back(arena, core, arena->base);
    core->floor = arena->base;
    arena->generation = next_generation(arena->generation);
    if (!grow_has_surplus(core, core->keep))
        return;

    // Memory that the system refuses to take stays committed; a later reset or trim gives it back.
    acre_status status = give_back_surplus(arena, core, core->keep);
    if (status != ACRE_OK)
        arena->status = status;
}
