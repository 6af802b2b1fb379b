// look.c - each limit: its value as the system has it, what that means, how it is changed.
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#ifndef _WIN32
#include <sys/resource.h>
#endif

#include "acre/area.h"
#include "doctor.h"

#ifdef __MINGW_PRINTF_FORMAT
#define DOCTOR_PRINTF_ __attribute__((format(__MINGW_PRINTF_FORMAT, 2, 3)))
#elif defined(__GNUC__) || defined(__clang__)
#define DOCTOR_PRINTF_ __attribute__((format(printf, 2, 3)))
#else
#define DOCTOR_PRINTF_
#endif

static const uint64_t MIB = (uint64_t)1 << 20;
static const uint64_t GIB = (uint64_t)1 << 30;

static void set_text(char out[DOCTOR_TEXT], const char *format, ...) DOCTOR_PRINTF_;

static void
set_text(char out[DOCTOR_TEXT], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out, DOCTOR_TEXT, format, arguments);
    va_end(arguments);
}

static doctor_limit *
add_limit(doctor_report *report, const char *name, const char *source, uint64_t value)
{
    doctor_limit *limit = &report->limits[report->limit_count++];
    *limit = (doctor_limit){.name = name, .source = source, .value = value};
    set_text(limit->text, "%" PRIu64, value);
    return limit;
}

static void
set_bytes(doctor_limit *limit)
{
    uint64_t value = limit->value;
    if (limit->is_unlimited)
        set_text(limit->text, "unlimited");
    else if (value >= 10 * GIB)
        set_text(limit->text, "%" PRIu64 " GiB", value / GIB);
    else if (value >= 10 * MIB)
        set_text(limit->text, "%" PRIu64 " MiB", value / MIB);
    else
        set_text(limit->text, "%" PRIu64 " KiB", value / 1024);
}

static void
judge(doctor_limit *limit, doctor_state state, const char *why, const char *change)
{
    limit->state = state;
    set_text(limit->why, "%s", why);
    set_text(limit->change, "%s", change);
}

// ---- everywhere ---------------------------------------------------------------------------------

static void
look_at_areas(doctor_report *report)
{
    if (report->system.area_limit == 0)
        return;
    doctor_limit *limit = add_limit(report, "areas", "vm.max_map_count", report->system.area_limit);
    set_text(limit->text, "%" PRIu64 ", %" PRIu64 " in use here", limit->value, report->areas);
    if (limit->value >= 1000000)
        judge(limit, DOCTOR_OK, "", "");
    else if (acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        judge(limit, DOCTOR_NOTE,
              "acre's guards take none; maps and guards of others end at about half as many",
              "sysctl -w vm.max_map_count=1048576");
    else
        judge(limit, DOCTOR_BITES, "each guarded stack takes up to two: about half as many stacks",
              "sysctl -w vm.max_map_count=1048576");
}

static void
look_at_locks(doctor_report *report)
{
    doctor_limit *limit = add_limit(report, "memlock", "RLIMIT_MEMLOCK", report->system.lock_limit);
    limit->is_unlimited = limit->value == UINT64_MAX;
    set_bytes(limit);
    if (limit->is_unlimited || limit->value >= GIB)
        judge(limit, DOCTOR_OK, "", "");
    else
        judge(limit, limit->value < MIB ? DOCTOR_BITES : DOCTOR_NOTE,
              "ACRE_MAP_LOCKED and acre_mmap_lock are refused beyond it, unless privileged",
              "ulimit -l unlimited (as root; a service: LimitMEMLOCK=infinity)");
}

static void
look_at_group(doctor_report *report)
{
    const acre_system *machine = &report->system;
    if (machine->memory_limit == 0 || machine->memory_limit >= machine->physical_memory)
        return;
    doctor_limit *limit = add_limit(report, "group-memory", "control group", machine->memory_limit);
    set_bytes(limit);
    judge(limit, DOCTOR_NOTE, "the system ends a process of this group when it needs more",
          "systemctl set-property UNIT MemoryMax=... (or the container's option)");
}

// ---- POSIX --------------------------------------------------------------------------------------

#ifndef _WIN32
#ifdef __GLIBC__
typedef __rlimit_resource_t doctor_resource;
#else
typedef int doctor_resource;
#endif

// NULL where the process may have as much as it wants: that is no limit to be shown.
static doctor_limit *
add_resource(doctor_report *report, const char *name, const char *source, doctor_resource resource)
{
    struct rlimit found;
    if (getrlimit(resource, &found) != 0)
        return NULL;
    doctor_limit *limit = add_limit(report, name, source, (uint64_t)found.rlim_cur);
    limit->is_unlimited = found.rlim_cur == RLIM_INFINITY;
    set_bytes(limit);
    return limit->is_unlimited ? NULL : limit;
}

static void
look_at_resources(doctor_report *report)
{
    doctor_limit *limit = add_resource(report, "address-space", "RLIMIT_AS", RLIMIT_AS);
    if (limit != NULL)
        judge(limit, DOCTOR_BITES,
              "reservations count: arenas get smaller ones than 64 GiB, pools fewer stacks",
              "ulimit -v unlimited");
    limit = add_resource(report, "data", "RLIMIT_DATA", RLIMIT_DATA);
    if (limit != NULL)
        judge(limit, DOCTOR_BITES, "private writable memory is refused beyond it",
              "ulimit -d unlimited");
    limit = add_resource(report, "file-size", "RLIMIT_FSIZE", RLIMIT_FSIZE);
    if (limit != NULL)
        judge(limit, DOCTOR_BITES, "images and twin maps count as files: larger ones are refused",
              "ulimit -f unlimited");
    limit = add_resource(report, "descriptors", "RLIMIT_NOFILE", RLIMIT_NOFILE);
    if (limit != NULL) {
        set_text(limit->text, "%" PRIu64, limit->value);
        if (limit->value < 256)
            judge(limit, DOCTOR_BITES, "an image and a view of areas hold one each",
                  "ulimit -n 65536");
    }
}
#endif

// ---- Linux --------------------------------------------------------------------------------------

#ifdef __linux__
// The number behind `key` in a file; `missing` if there is none.
static uint64_t
read_number(const char *path, const char *key, uint64_t missing)
{
    char line[256];
    uint64_t number = missing;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return missing;
    size_t length = strlen(key);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, length) == 0 && sscanf(line + length, " %" SCNu64, &number) == 1)
            break;
    fclose(file);
    return number;
}

static void
look_at_overcommit(doctor_report *report)
{
    const acre_system *machine = &report->system;
    doctor_limit *limit =
        add_limit(report, "overcommit", "vm.overcommit_memory", machine->overcommit_mode);
    if (machine->overcommit_mode == 2) {
        set_text(limit->text, "2, %" PRIu64 " MiB of %" PRIu64 " MiB committed",
                 machine->committed / MIB, machine->commit_limit / MIB);
        judge(limit, DOCTOR_NOTE, "commits are refused at the limit: a refusal instead of a kill",
              "sysctl -w vm.overcommit_memory=0 (or a higher vm.overcommit_ratio)");
    } else if (machine->overcommit_mode == 1) {
        judge(limit, DOCTOR_NOTE, "no commit is ever refused: who touches too much is killed",
              "sysctl -w vm.overcommit_memory=0");
    }
}

static void
look_at_huge_pages(doctor_report *report)
{
    static const char *const modes[] = {"never", "madvise", "always"};
    const acre_system *machine = &report->system;
    doctor_limit *limit =
        add_limit(report, "transparent-huge-pages", "/sys/kernel/mm/transparent_hugepage/enabled",
                  machine->transparent_huge_mode);
    set_text(limit->text, "%s",
             machine->transparent_huge_mode < 3 ? modes[machine->transparent_huge_mode] : "?");
    if (machine->transparent_huge_mode == 0)
        judge(limit, DOCTOR_BITES, "large arenas and ACRE_MAP_HUGE_TRANSPARENT get small pages",
              "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
    else if (machine->transparent_huge_mode == 2)
        judge(limit, DOCTOR_NOTE,
              "memory that acre does not exclude may be resident in whole huge pages",
              "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");

    limit = add_limit(report, "huge-pages", "HugePages_Free", machine->explicit_huge_free);
    set_text(limit->text, "%" PRIu64 " free", limit->value);
    if (limit->value == 0)
        judge(limit, DOCTOR_NOTE, "ACRE_MAP_HUGE is refused: the pool is empty",
              "sysctl -w vm.nr_hugepages=64");
}

static void
look_at_filters(doctor_report *report)
{
    uint64_t mode = read_number("/proc/self/status", "Seccomp:", 0);
    doctor_limit *limit = add_limit(report, "seccomp", "/proc/self/status", mode);
    set_text(limit->text, "%s", mode == 0 ? "none" : mode == 1 ? "strict" : "a filter");
    if (mode != 0)
        judge(limit, DOCTOR_NOTE,
              "newer system calls may be refused; acre goes other ways, shown as missing below",
              "the container's option (docker run --security-opt seccomp=unconfined)");

    mode = read_number("/proc/sys/vm/memfd_noexec", "", 0);
    if (mode == 2) {
        limit = add_limit(report, "executable-memfds", "vm.memfd_noexec", mode);
        judge(limit, DOCTOR_BITES, "twin maps (acre_mmap_twin) are refused",
              "sysctl -w vm.memfd_noexec=0");
    }
}
#endif

void
doctor_look(doctor_report *out)
{
    *out = (doctor_report){0};
    if (acre_system_read(&out->system) != ACRE_OK)
        out->system = (acre_system){0};
    if (acre_area_count(&out->areas) != ACRE_OK) {
        out->areas = 0;
        doctor_limit *limit = add_limit(out, "list-of-areas", "acre_area_count", 0);
        set_text(limit->text, "cannot be read");
        judge(limit, DOCTOR_BITES, "what is mapped where cannot be asked (no /proc?)",
              "mount -t proc proc /proc");
    }
    look_at_areas(out);
    look_at_locks(out);
    look_at_group(out);
#ifndef _WIN32
    look_at_resources(out);
#endif
#ifdef __linux__
    look_at_overcommit(out);
    look_at_huge_pages(out);
    look_at_filters(out);
#endif
}

int
doctor_bites(const doctor_report *report)
{
    for (size_t i = 0; i < report->limit_count; i++)
        if (report->limits[i].state == DOCTOR_BITES)
            return 1;
    return 0;
}
