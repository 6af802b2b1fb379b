// Growth: when to commit how much, what to give back, and who may touch pages beforehand.
//
// 1. Each commit doubles what is committed, but adds at least 64 KiB and at most 8 MiB: commits are
//    few (their number is logarithmic, then one per 8 MiB).  When the system refuses such a step,
//    the arena asks for just the pages needed; when it refuses these too, the cache is emptied and
//    they are asked for once more.  A failed commit changes nothing: the next request may fit, or
//    may succeed.
// 2. A byte in a transparent huge page costs less than half of one in base pages, but a huge page
//    that was just begun is almost all unused.  So they begin at core->boundary (space.c),
//    where that is a small part of what is in use.  From there on, steps end at multiples of the
//    huge page size: a huge page forms only where all of it is accessible when it is first touched.
//    For the same reason only whole huge pages are given back.
// 3. Below the boundary no step ends at such a multiple: the accessible range ends inside the huge
//    page in which it is needed, and where base pages lie already, the kernel adds base pages.
//    From 512 KiB on, steps are an eighth of what is in use, and one call makes their pages
//    present, which costs less than a fault for each.
// 4. Another thread may populate memory that is committed but not used yet.  It reads only the
//    range that a commit has published, whose end is stored last, with release order.  Whoever
//    takes pages away stops that thread first.  The child of a fork recognises a thread that it did
//    not inherit by the process number that the thread stored.  That is never the system's process
//    id: a child in a new PID namespace may have the same id as its parent.
#include "acre/page.h"
#include "arena/core.h"
#include "arena/watch.h"
#include "mmap/port/memory.h"
#include "mmap/port/thread.h"
#include "mmap/port/trace.h"
#include "mmap/process.h"

static const size_t FIRST_STEP = (size_t)64 << 10;
static const size_t LAST_STEP = (size_t)8 << 20;
// The least size of a step whose pages are made present, and the part of what is in use that it is.
static const size_t LEAST_PRESENT = (size_t)64 << 10;
static const size_t PRESENT_SHARE = 8;

// Whether growth has to prevent that huge pages form.
static int
prevents_huge(const acre_arena_core *core)
{
    return core->huge != 0 && core->committed < core->boundary;
}

static size_t
next_step(const acre_arena_core *core)
{
    size_t used = core->committed - core_start(core);
    size_t step = used > FIRST_STEP ? used : FIRST_STEP;
    if (step > LAST_STEP)
        step = LAST_STEP;
    if (prevents_huge(core) && used >= PRESENT_SHARE * LEAST_PRESENT)
        step = used / PRESENT_SHARE;
    return round_up(step, core->map.page_size);
}

// The distance from `end` to the end of the huge page that it lies in; 0 below the boundary.
static size_t
rest_of_huge_page(const acre_arena_core *core, uintptr_t end)
{
    return end > core->boundary ? (0 - end) & (core->huge - 1) : 0;
}

// How many bytes to commit when `least` are needed and `most` are allowed.
static size_t
bytes_to_commit(const acre_arena_core *core, size_t least, size_t most)
{
    size_t step = next_step(core);
    if (step < least)
        step = least;
    uintptr_t need = core->committed + least;
    if (prevents_huge(core) && need < core->boundary) {
        uintptr_t last = round_down(need, core->huge) + core->huge - core->map.page_size;
        if (step > last - core->committed)
            step = last - core->committed;
    } else {
        step += rest_of_huge_page(core, core->committed + step);
    }
    return step < most ? step : most;
}

// Makes a step's pages present if it is a small part of what is in use.  It is only a wish.
static void
make_present(acre_arena_core *core, size_t step)
{
    size_t used = core->committed - core_start(core);
    int by_itself = (core->map.flags & (ACRE_MAP_LOCKED | ACRE_MAP_NO_RESERVE)) != 0;
    if (prevents_huge(core) && !by_itself && step >= LEAST_PRESENT &&
        step <= used / PRESENT_SHARE + core->map.page_size)
        (void)acre_port_populate(&core->map, (void *)core->committed, step);
}

acre_status
acre_grow_commit(acre_arena_core *core, uintptr_t cursor, uintptr_t need)
{
    // The ceiling lies inside the reservation, which is whole pages: rounding never leaves it.
    size_t page = core->map.page_size;
    size_t least = round_up(need, page) - core->committed;
    size_t most = round_up(core->ceiling, page) - core->committed;
    size_t step = bytes_to_commit(core, least, most);
    size_t offset = core->committed - core_start(core);
    acre_status status = acre_mmap_commit(&core->map, offset, step);
    if (status != ACRE_OK && step > least) {
        step = least;
        status = acre_mmap_commit(&core->map, offset, step);
    }
    if (status != ACRE_OK && acre_cache_makes_way(status))
        status = acre_mmap_commit(&core->map, offset, step);
    if (status != ACRE_OK)
        return status;
    watch_renew(core->committed, step);
    make_present(core, step);
    core->committed += step;
    core->commits++;
    TRACE(arena_grow, core, step, core->committed - core_start(core));
    acre_space_count_commit(step, 0);
    grow_publish(core, cursor);
    return ACRE_OK;
}

uintptr_t
acre_grow_end_of_kept(const acre_arena_core *core, uintptr_t cursor, size_t keep)
{
    if (!grow_has_surplus(core, keep))
        return core->committed;
    uintptr_t wanted = core->base + keep;
    uintptr_t end = round_up(wanted > cursor ? wanted : cursor, core->map.page_size);
    end += rest_of_huge_page(core, end);
    return end < core->committed ? end : core->committed;
}

acre_status
acre_grow_give_back(acre_arena_core *core, uintptr_t cursor, size_t keep)
{
    uintptr_t end = acre_grow_end_of_kept(core, cursor, keep);
    size_t surplus = core->committed - end;
    if (surplus == 0)
        return ACRE_OK;

    acre_grow_stop_prefault(core);
    acre_status status = acre_mmap_decommit(&core->map, end - core_start(core), surplus);
    if (status == ACRE_OK) {
        if (core->watched)
            watch_forget(end, surplus);
        core->committed = end;
        acre_space_count_commit(0, surplus);
        grow_publish(core, cursor);
    }
    atomic_store_explicit(&core->prefaulting, 0, memory_order_release);
    return status;
}

// ---- prefault -----------------------------------------------------------------------------------

void
acre_grow_stop_prefault(acre_arena_core *core)
{
    uint32_t process = 0;
    while (!atomic_compare_exchange_weak_explicit(&core->prefaulting, &process, GROW_STOPPED,
                                                  memory_order_acquire, memory_order_relaxed)) {
        if (process == 0 || !acre_process_is(process))
            continue;  // the parent's thread does not exist here: replace its number
        acre_port_wait(&core->prefaulting, process);
        process = 0;
    }
}

static acre_status
populate_range(uintptr_t start, uintptr_t end)
{
    size_t page = acre_page_size();
    start = round_down(start, page);
    acre_mmap map;
    acre_status status =
        acre_mmap_adopt((void *)start, round_up(end, page) - start, 0, ACRE_READ_WRITE, 0, &map);
    return status == ACRE_OK ? acre_mmap_populate(&map, 0, map.size) : status;
}

acre_status
acre_arena_prefault(const acre_arena *arena, size_t bytes)
{
    acre_arena_core *core = core_of(arena);
    if (core == NULL)
        return status_without_core(arena);
    uint32_t process;
    acre_status status = acre_process_number(&process);
    if (status != ACRE_OK)
        return status;
    uint32_t found = 0;
    while (!atomic_compare_exchange_weak_explicit(&core->prefaulting, &found, process,
                                                  memory_order_acquire, memory_order_relaxed)) {
        if (found == process || found == GROW_STOPPED)
            return ACRE_BUSY;
    }
    uintptr_t end = atomic_load_explicit(&core->unused_end, memory_order_acquire);
    uintptr_t start = atomic_load_explicit(&core->unused, memory_order_relaxed);
    if (start < end && bytes != 0)
        status = populate_range(start, end - start > bytes ? start + bytes : end);
    atomic_store_explicit(&core->prefaulting, 0, memory_order_release);
    acre_port_wake(&core->prefaulting);
    return status;
}
