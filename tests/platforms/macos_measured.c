// tests/platforms/macos_measured.c - measures on a Mac what was only read in macOS's sources.
//
// Prints a line for each number, with what acre would want.  Ends with 1 where that is missed: what
// is known then is in docs/platforms.md, under "Not seen".
//
//     clang -std=c11 -I. -Immap/include $(find mmap -name '*.c') tests/platforms/macos_measured.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "acre/area.h"
#include "acre/mmap.h"
#include "mmap/port/darwin/darwin.h"

static const size_t MIB = (size_t)1 << 20;
static int missed;

static void need(int met, const char *what)
{
    if (met)
        return;
    printf("not measured: %s\n", what);
    exit(2);
}

static void compare(const char *what, double found, double least, double most)
{
    int met = found >= least && found <= most;
    missed |= !met;
    printf("%-6s %s: %.1f, wanted %.1f to %.1f\n", met ? "met" : "MISSED", what, found, least,
           most);
}

// ---- memory that is given back ------------------------------------------------------------------

// Anonymous memory of the whole machine.  The process's own numbers do not count pages that it no
// longer maps and the kernel still keeps.
static double machine_mib(void)
{
    sleep(1);  // a program that asks more often gets old numbers
    vm_statistics64_data_t numbers;
    mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
    need(host_statistics64(mach_host_self(), HOST_VM_INFO64, (host_info64_t)&numbers, &count) ==
             KERN_SUCCESS,
         "host_statistics64");
    return (double)numbers.internal_page_count * (double)vm_kernel_page_size / (double)MIB;
}

enum { TOUCHED = 256 };  // MiB: much more than others use or free meanwhile

static acre_status decommit_all(acre_mmap *map)
{
    return acre_mmap_decommit(map, 0, map->size);
}

static acre_status decommit_all_but_one_mib(acre_mmap *map)
{
    return acre_mmap_decommit(map, 0, map->size - MIB);
}

static acre_status discard_half(acre_mmap *map)
{
    return acre_mmap_discard(map, 0, map->size / 2, ACRE_DISCARD_NOW);
}

static acre_status unmap_half(acre_mmap *map)
{
    acre_mmap tail;
    acre_status status = acre_mmap_split(map, map->size / 2, &tail);
    return status == ACRE_OK ? acre_mmap_unmap(&tail) : status;
}

static void measure_given_back(const char *what, acre_status (*give_back)(acre_mmap *map),
                               double wanted)
{
    acre_mmap map;
    need(acre_mmap_anon(TOUCHED * MIB, ACRE_READ_WRITE, NULL, &map) == ACRE_OK, what);
    memset(map.base, 1, map.size);
    double before = machine_mib();
    need(give_back(&map) == ACRE_OK, what);
    compare(what, before - machine_mib(), 0.9 * wanted, 1.1 * wanted);
    need(acre_mmap_unmap(&map) == ACRE_OK, what);
}

// A page with another access makes three areas of one memory object.
static void measure_lazy(void)
{
    const char *what = "MiB that a lazy discard of half a cut map marks as free";
    acre_mmap map;
    size_t half = 32 * MIB;
    need(acre_mmap_anon(2 * half, ACRE_READ_WRITE, NULL, &map) == ACRE_OK, what);
    memset(map.base, 1, map.size);
    need(acre_mmap_protect(&map, half, acre_page_size(), ACRE_READ) == ACRE_OK, what);
    need(acre_mmap_discard(&map, 0, half, ACRE_DISCARD_LAZY) == ACRE_OK, what);
    vm_region_submap_info_data_64_t info;
    mach_msg_type_number_t count = VM_REGION_SUBMAP_INFO_COUNT_64;
    mach_vm_address_t address = (uintptr_t)map.base;
    mach_vm_size_t size = 0;
    natural_t depth = 0;
    need(mach_vm_region_recurse(mach_task_self(), &address, &size, &depth,
                                (vm_region_recurse_info_t)&info, &count) == KERN_SUCCESS,
         what);
    compare(what, (double)info.pages_reusable * (double)acre_page_size() / (double)MIB, 30, 32);
    need(acre_mmap_unmap(&map) == ACRE_OK, what);
}

// ---- areas, code --------------------------------------------------------------------------------

static void measure_areas(void)
{
    const char *what = "areas of a reservation of 8 GiB";
    acre_mmap map;
    need(acre_mmap_reserve(8192 * MIB, ACRE_READ_WRITE, NULL, &map) == ACRE_OK, what);
    int count = 0;
    acre_area area;
    for (uintptr_t at = (uintptr_t)map.base; at < (uintptr_t)map.base + map.size; at = area.end) {
        need(acre_area_at((const void *)at, &area) == ACRE_OK, what);
        count++;
    }
    compare(what, count, 1, 2);
    need(acre_mmap_unmap(&map) == ACRE_OK, what);
}

static void measure_code(void)
{
    const char *what = "status of a second commit of memory for code";
    acre_mmap map;
    acre_mmap_opts opts = {.flags = ACRE_MAP_JIT};
    need(acre_mmap_reserve(MIB, ACRE_READ_WRITE_EXEC, &opts, &map) == ACRE_OK, what);
    need(acre_mmap_commit(&map, 0, map.size) == ACRE_OK, "a first commit of memory for code");
    compare(what, acre_mmap_commit(&map, 0, map.size), 0, 0);
    need(acre_mmap_unmap(&map) == ACRE_OK, what);
}

int main(void)
{
    measure_given_back("MiB given back by a decommit of 256 MiB", decommit_all, TOUCHED);
    measure_given_back("MiB given back by a decommit of 255 of 256 MiB", decommit_all_but_one_mib,
                       TOUCHED - 1);
    measure_given_back("MiB given back by a discard of half of 256 MiB", discard_half, TOUCHED / 2);
    measure_given_back("MiB given back by an unmap of half of 256 MiB", unmap_half, TOUCHED / 2);
    measure_lazy();
    measure_areas();
    measure_code();
    return missed;
}
