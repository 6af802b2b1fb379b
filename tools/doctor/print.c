// print.c - the report for people and for programs.
#include <inttypes.h>
#include <stdio.h>

#include "doctor.h"

static const struct {
    acre_capability what;
    const char *name;
    const char *needs;
} CAPABILITIES[] = {
    {ACRE_CAN_EXCLUDE_FROM_DUMPS, "exclude from dumps", "Linux, FreeBSD or Windows"},
    {ACRE_CAN_LOCK, "lock", "a memlock limit above 0"},
    {ACRE_CAN_LOCK_ON_FAULT, "lock on fault", "Linux 4.4"},
    {ACRE_CAN_GUARD_WITH_MARKERS, "guard with markers", "Linux 6.13: guards cost no area"},
    {ACRE_CAN_HUGE_PAGES, "huge pages", "hugetlbfs, or the privilege to lock on Windows"},
    {ACRE_CAN_TRANSPARENT_HUGE_PAGES, "transparent huge pages", "Linux, mode madvise or always"},
    {ACRE_CAN_FIX_ADDRESS, "fix the address", "-"},
    {ACRE_CAN_REPLACE, "replace", "-"},
    {ACRE_CAN_SEAL, "seal", "Linux 6.10, 64 bits"},
    {ACRE_CAN_SEAL_IMAGES, "seal images", "memfd_create"},
    {ACRE_CAN_WIPE_ON_FORK, "wipe on fork", "Linux 4.14, macOS or FreeBSD"},
    {ACRE_CAN_MOVE, "move", "Linux"},
    {ACRE_CAN_TWIN, "twin maps", "memfd_create that may be executed"},
    {ACRE_CAN_JIT, "write and execute", "no policy against it"},
    {ACRE_CAN_QUERY_IN_CONSTANT_TIME, "query areas in constant time",
     "Linux 6.11, macOS or Windows"},
    {ACRE_CAN_COUNT_RESIDENT_EXACTLY, "count resident exactly", "/proc/self/pagemap"},
    {ACRE_CAN_NAME, "name", "Linux 5.17 with CONFIG_ANON_VMA_NAME"},
    {ACRE_CAN_PLACE_ON_NODES, "place on nodes", "a kernel with NUMA"},
};
enum { CAPABILITIES_KNOWN = sizeof CAPABILITIES / sizeof CAPABILITIES[0] };

static const char *const STATES[] = {"ok", "note", "bites"};

void
doctor_print(const doctor_report *report)
{
    const acre_system *machine = &report->system;
    printf("acre %s; pages of %zu bytes, %" PRIu64 " bits of addresses, %" PRIu64
           " MiB of memory\n\n",
           acre_version(), acre_page_size(), machine->address_bits, machine->physical_memory >> 20);
    for (size_t i = 0; i < report->limit_count; i++) {
        const doctor_limit *limit = &report->limits[i];
        printf("%-6s %-23s %s\n", STATES[limit->state], limit->name, limit->text);
        if (limit->state == DOCTOR_OK)
            continue;
        printf("       %s\n", limit->why);
        if (limit->change[0] != 0)
            printf("       change it: %s\n", limit->change);
    }
    puts("\nwhat acre can do here");
    for (size_t i = 0; i < CAPABILITIES_KNOWN; i++) {
        if (acre_can(CAPABILITIES[i].what))
            printf("  yes  %s\n", CAPABILITIES[i].name);
        else
            printf("  no   %-30s needs: %s\n", CAPABILITIES[i].name, CAPABILITIES[i].needs);
    }
}

// All texts are this program's own, without anything to escape.
void
doctor_print_json(const doctor_report *report)
{
    const acre_system *machine = &report->system;
    printf("{\"version\":\"%s\",\"page_size\":%zu,\"physical_memory\":%" PRIu64
           ",\"areas\":%" PRIu64 ",\"limits\":[",
           acre_version(), acre_page_size(), machine->physical_memory, report->areas);
    for (size_t i = 0; i < report->limit_count; i++) {
        const doctor_limit *limit = &report->limits[i];
        printf("%s\n{\"name\":\"%s\",\"source\":\"%s\",\"state\":\"%s\",", i == 0 ? "" : ",",
               limit->name, limit->source, STATES[limit->state]);
        if (limit->is_unlimited)
            printf("\"unlimited\":1,");
        else
            printf("\"value\":%" PRIu64 ",", limit->value);
        printf("\"text\":\"%s\",\"why\":\"%s\",\"change\":\"%s\"}", limit->text, limit->why,
               limit->change);
    }
    printf("],\"capabilities\":[");
    for (size_t i = 0; i < CAPABILITIES_KNOWN; i++)
        printf("%s\n{\"name\":\"%s\",\"can\":%d}", i == 0 ? "" : ",", CAPABILITIES[i].name,
               acre_can(CAPABILITIES[i].what));
    printf("]}\n");
}
