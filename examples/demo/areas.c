// areas.c - what is mapped at an address, in a process that has some ten thousands of areas.
//
// By hand /proc/self/maps is read and parsed up to the line that holds the address.  acre asks the
// kernel for that one area, where the kernel can be asked (Linux 6.11 and later).
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "acre/area.h"
#include "acre/page.h"
#include "demo.h"
#include "measure.h"

enum { MANY = 30000, FEW = 2000, BY_HAND = 15, ROUNDS = 9, QUERIES = 1000 };

#ifndef __linux__
void
areas_run(int small, demo_line *line)
{
    (void)small;
    demo_skip(line, "there is no /proc/self/maps to compare with");
}
#else

typedef struct range {
    uintptr_t start;
    uintptr_t end;
} range;

static int
find_by_hand(uintptr_t address, range *found)
{
    FILE *file = fopen("/proc/self/maps", "r");
    if (file == NULL)
        return 0;
    char text[4600];
    int here = 0;
    while (!here && fgets(text, sizeof text, file) != NULL) {
        char *dash;
        found->start = (uintptr_t)strtoull(text, &dash, 16);
        found->end = (uintptr_t)strtoull(dash + 1, NULL, 16);
        here = found->start <= address && address < found->end;
    }
    fclose(file);
    return here;
}

// A page somewhere in the map, another each time.
static uintptr_t
some_address(const acre_mmap *map, uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    size_t pages = map->size / map->page_size;
    return (uintptr_t)map->base + (size_t)(*seed >> 33) % pages * map->page_size;
}

// Seconds for one query, in blocks: a single one is near the clock's own cost.
static double
time_queries(acre_areas *view, const acre_mmap *map, uint64_t *seed, acre_status *status)
{
    acre_area area;
    double begin = measure_cpu();
    for (int i = 0; i < QUERIES && *status == ACRE_OK; i++)
        *status = acre_areas_query(view, some_address(map, seed), &area);
    return (measure_cpu() - begin) / (double)QUERIES;
}

static void
compare_ways(const acre_mmap *map, acre_areas *view, demo_line *line)
{
    double by_hand[BY_HAND], by_acre[ROUNDS];
    uint64_t seed = 1, alike = 0, areas = 0;
    acre_status status = acre_area_count(&areas);
    for (size_t i = 0; i < BY_HAND && status == ACRE_OK; i++) {
        uintptr_t address = some_address(map, &seed);
        range found;
        acre_area area;
        double begin = measure_cpu();
        int here = find_by_hand(address, &found);
        by_hand[i] = measure_cpu() - begin;
        status = acre_areas_query(view, address, &area);
        alike += here && status == ACRE_OK && area.start == found.start && area.end == found.end;
    }
    // Where each query reads the text, too, a thousand of them would take minutes.
    int rounds = acre_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME) ? ROUNDS : 0;
    for (int round = 0; round < rounds && status == ACRE_OK; round++)
        by_acre[round] = time_queries(view, map, &seed, &status);
    if (!demo_went_well(line, "acre_areas_query", status))
        return;
    if (rounds == 0) {
        double begin = measure_cpu();
        acre_area area;
        status = acre_areas_query(view, some_address(map, &seed), &area);
        by_acre[0] = measure_cpu() - begin;
        rounds = 1;
        demo_note(line, "this kernel cannot be asked for one area: acre reads the text, too");
    }
    line->hand.value = measure_median(by_hand, BY_HAND);
    line->acre.value = measure_median(by_acre, (size_t)rounds);
    demo_number(line, "areas", areas);
    demo_number(line, "compared", BY_HAND);
    demo_number(line, "alike", alike);
    demo_number(line, "constant_time", (uint64_t)acre_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME));
    if (alike != BY_HAND)
        demo_fail(line, "%" PRIu64 " of %d answers are alike", alike, BY_HAND);
    demo_note(line, "%" PRIu64 " areas; medians of %d by hand, %d of acre's; all answers alike",
              areas, BY_HAND, rounds == 1 ? 1 : ROUNDS * QUERIES);
}

// Every second page may only be read: each is an area of its own.
static acre_status
make_areas(size_t count, acre_mmap *map)
{
    size_t page = acre_page_size();
    acre_mmap_opts opts = {.flags = ACRE_MAP_NO_RESERVE};
    acre_status status = acre_mmap_anon(count * page, ACRE_READ_WRITE, &opts, map);
    for (size_t i = 1; i < count && status == ACRE_OK; i += 2)
        status = acre_mmap_protect(map, i * page, page, ACRE_READ);
    return status;
}

void
areas_run(int small, demo_line *line)
{
    size_t count = small ? FEW : MANY;
    acre_system machine;
    line->unit = DEMO_SECONDS;
    line->hand.how = "/proc/self/maps";
    line->acre.how = "acre_areas_query";
    if (acre_system_read(&machine) == ACRE_OK && machine.area_limit != 0 &&
        machine.area_limit / 2 < count) {
        demo_note(line, "not %zu areas: this process may have %" PRIu64, count, machine.area_limit);
        count = (size_t)machine.area_limit / 2;
    }
    acre_areas view;
    acre_mmap map = {0};
    acre_status status = acre_areas_open(0, &view);
    if (!demo_went_well(line, "acre_areas_open", status))
        return;
    if (demo_went_well(line, "acre_mmap_protect", make_areas(count, &map)))
        compare_ways(&map, &view, line);
    acre_areas_close(&view);
    ACRE_IGNORE(acre_mmap_unmap(&map));
}

#endif  // __linux__
