// What the system counts of an arena that has a mebibyte in use.  With an argument it ends with a
// core file.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acre/arena.h"

static void
print_status(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmSize:", 7) == 0 || strncmp(line, "VmRSS:", 6) == 0 ||
            strncmp(line, "VmData:", 7) == 0)
            fputs(line, stdout);
    }
    if (file != NULL)
        fclose(file);
}

int
main(int count, char **arguments)
{
    (void)arguments;
    // quote begins
    acre_arena arena;
    if (acre_arena_create(NULL, &arena) != ACRE_OK)
        return 1;
    void *block = acre_arena_alloc(&arena, 1 << 20);
    if (block != NULL)
        memset(block, 1, 1 << 20);
    acre_arena_stats stats;
    acre_arena_stats_read(&arena, &stats);
    printf("reserved %zu MiB, resident %zu KiB, %s\n", stats.reserved >> 20, stats.resident >> 10,
           acre_status_name(acre_arena_status(&arena)));
    // quote ends
    print_status();
    fflush(stdout);
    if (count > 1)
        abort();
    return acre_arena_destroy(&arena) == ACRE_OK ? 0 : 1;
}
