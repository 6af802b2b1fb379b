#define _DEFAULT_SOURCE
#include "measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#endif

#include "acre/page.h"

#ifdef _WIN32
double
measure_now(void)
{
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    return (double)ticks.QuadPart / (double)frequency.QuadPart;
}

double
measure_cpu(void)
{
    return measure_now();
}
#else
static double
read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double
measure_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double
measure_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}
#endif

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double
measure_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

extern void *volatile measure_kept;
void *volatile measure_kept;

void
measure_keep(void *pointer)
{
    measure_kept = pointer;
}

#ifdef __linux__
// Reads the number behind `key` in a file, or its first one without a key.  0 if there is none.
static int
read_number(const char *path, const char *key, uint64_t *number)
{
    char line[256];
    int found = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    size_t length = key == NULL ? 0 : strlen(key);
    while (!found && fgets(line, sizeof line, file) != NULL)
        if (length == 0 || strncmp(line, key, length) == 0)
            found = sscanf(line + length, " %" SCNu64, number) == 1;
    fclose(file);
    return found;
}

// What one group leaves.  Pages of files that nobody used lately go first when it is at its limit.
static uint64_t
left_by_group(const char *folder, int version)
{
    static const char *const names[2][3] = {
        {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "},
        {"memory.max", "memory.current", "inactive_file "},
    };
    const char *const *name = names[version - 1];
    char path[1100];
    uint64_t limit, used, cached = 0;

    snprintf(path, sizeof path, "%s/%s", folder, name[0]);
    if (!read_number(path, NULL, &limit))
        return UINT64_MAX;  // "max", or no such group
    snprintf(path, sizeof path, "%s/%s", folder, name[1]);
    if (!read_number(path, NULL, &used))
        return UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    read_number(path, name[2], &cached);
    used -= cached < used ? cached : used;
    return used < limit ? limit - used : 0;
}

// What the groups of this process leave, those that they are in included.
static uint64_t
left_by_groups(void)
{
    uint64_t least = UINT64_MAX;
    char line[600];
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (file == NULL)
        return least;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = 0;
        int version = strncmp(line, "0::", 3) == 0 ? 2 : 1;
        char *path = strchr(line, '/');
        if (path == NULL || (version == 1 && strstr(line, ":memory:") == NULL))
            continue;
        for (;;) {
            char folder[700];
            snprintf(folder, sizeof folder, "/sys/fs/cgroup%s%s", version == 1 ? "/memory" : "",
                     path);
            uint64_t left = left_by_group(folder, version);
            least = left < least ? left : least;
            char *end = strrchr(path, '/');
            if (end == NULL)
                break;
            *end = 0;  // the group around it
        }
    }
    fclose(file);
    return least;
}
#endif

uint64_t
measure_available(const char **who)
{
    *who = "the machine";
#ifdef __linux__
    uint64_t free_kib;
    uint64_t groups = left_by_groups();
    if (read_number("/proc/meminfo", "MemAvailable:", &free_kib)) {
        if (groups >= free_kib * 1024)
            return free_kib * 1024;
        *who = "the control group";
        return groups;
    }
#endif
    acre_system machine;
    return acre_system_read(&machine) == ACRE_OK ? machine.physical_memory / 2 : 0;
}
