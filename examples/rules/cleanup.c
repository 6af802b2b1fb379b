// Handles that begin empty, and one way out.
#include <stdio.h>

#include "acre/arena.h"
#include "acre/mmap.h"

// quote begins
static acre_status
fill(size_t size)
{
    acre_mmap map = {0};
    acre_arena arena = {0};
    acre_status status = acre_mmap_anon(size, ACRE_READ_WRITE, NULL, &map);
    if (status != ACRE_OK)
        goto end;
    status = acre_arena_create(NULL, &arena);
    if (status != ACRE_OK)
        goto end;
    memset(map.base, 1, map.size);
end:
    ACRE_IGNORE(acre_arena_destroy(&arena));  // also of an arena that was never made
    ACRE_IGNORE(acre_mmap_unmap(&map));
    return status;
}
// quote ends

int
main(void)
{
    printf("%s, %s\n", acre_status_name(fill(100000)), acre_status_name(fill(0)));
    return 0;
}
