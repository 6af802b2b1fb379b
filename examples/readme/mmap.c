#include <stdio.h>

#include "acre/area.h"

int
main(void)
{
    // README begins
    acre_mmap map;  // 64 GiB of addresses, and memory behind the first MiB
    if (acre_mmap_reserve((size_t)64 << 30, ACRE_READ_WRITE, NULL, &map) != ACRE_OK)
        return 1;
    acre_area area;  // what the system says is mapped there
    if (acre_mmap_commit(&map, 0, 1 << 20) == ACRE_OK && acre_area_at(map.base, &area) == ACRE_OK)
        printf("%zu KiB are usable\n", (size_t)(area.end - area.start) >> 10);
    ACRE_IGNORE(acre_mmap_unmap(&map));  // a status that you drop on purpose
    // README ends
    return 0;
}
