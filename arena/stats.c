// What an arena holds, and why it last refused.
#include <string.h>

#include "acre/page.h"
#include "arena/core.h"
#include "mmap/debug.h"
#include "mmap/report.h"

int
acre_arena_owns(const acre_arena *arena, const void *pointer)
{
    // An address below `base` wraps to a large difference.
    return (uintptr_t)pointer - arena->base < arena->cursor - arena->base;
}

acre_status
acre_arena_status(const acre_arena *arena)
{
    return arena->status;
}

// The system counts whole pages; the caller's memory may be only a part of them.
static size_t
resident_of_caller(const acre_arena_core *core)
{
    size_t page = acre_page_size();
    uintptr_t start = round_down(core->memory, page);
    size_t size = round_up(core->memory + core->memory_size, page) - start;
    size_t bytes = 0;
    acre_mmap map;
    if (acre_mmap_adopt((void *)start, size, 0, ACRE_READ_WRITE, 0, &map) != ACRE_OK ||
        acre_mmap_resident(&map, 0, size, &bytes) != ACRE_OK)
        return 0;
    return bytes < core->memory_size ? bytes : core->memory_size;
}

static void
read_memory(const acre_arena_core *core, acre_arena_stats *stats)
{
    if (core->memory != 0) {
        stats->committed = core->memory_size;
        stats->reserved = core->memory_size;
        stats->resident = resident_of_caller(core);
        return;
    }
    stats->committed = core->committed - (uintptr_t)core->map.base;
    stats->reserved = core->map.size;
    if (acre_mmap_resident(&core->map, 0, stats->committed, &stats->resident) != ACRE_OK)
        stats->resident = 0;
}

void
acre_arena_stats_read(const acre_arena *arena, acre_arena_stats *out)
{
    acre_arena_stats stats = {0};
    const acre_arena_core *core = core_of(arena);
    if (core != NULL) {
        uintptr_t peak = core->peak > arena->cursor ? core->peak : arena->cursor;
        stats.used = arena->cursor - arena->base;
        stats.peak = peak - arena->base;
        stats.commits = core->commits;
        memcpy(stats.name, core->name, sizeof stats.name);
        read_memory(core, &stats);
    }
    *out = stats;
}

void
acre_arena_totals_read(acre_arena_totals *out)
{
    acre_arena_totals totals = {0};
    size_t reservations = 0;
    acre_space_totals(&reservations, &totals.reserved, &totals.committed);
    acre_cache_count(&totals.cached, &totals.cached_committed);
    // The two counts are read one after the other, while other threads create and destroy.
    totals.arenas = reservations > totals.cached ? reservations - totals.cached : 0;
    *out = totals;
}

acre_status
acre_arena_report(const acre_arena *arena, acre_report_fn write, void *context)
{
    if (!IS_VALID(write != NULL))
        return ACRE_NULL_ARGUMENT;
    acre_arena_stats stats;
    acre_arena_stats_read(arena, &stats);
    report r = {.write = write, .context = context};
    report_address(&r, "{\"base\":", arena->base);
    report_string(&r, ",\"name\":", stats.name);
    report_number(&r, ",\"used\":", stats.used);
    report_number(&r, ",\"peak\":", stats.peak);
    report_number(&r, ",\"committed\":", stats.committed);
    report_number(&r, ",\"reserved\":", stats.reserved);
    report_number(&r, ",\"resident\":", stats.resident);
    report_number(&r, ",\"commits\":", stats.commits);
    return report_finish(&r, "}\n");
}

acre_status
acre_arena_totals_report(acre_report_fn write, void *context)
{
    if (!IS_VALID(write != NULL))
        return ACRE_NULL_ARGUMENT;
    acre_arena_totals totals;
    acre_arena_totals_read(&totals);
    report r = {.write = write, .context = context};
    report_number(&r, "{\"arenas\":", totals.arenas);
    report_number(&r, ",\"reserved\":", totals.reserved);
    report_number(&r, ",\"committed\":", totals.committed);
    report_number(&r, ",\"cached\":", totals.cached);
    report_number(&r, ",\"cached_committed\":", totals.cached_committed);
    return report_finish(&r, "}\n");
}
