// README begins
#include <stdio.h>

#include "acre/area.h"

int
main(void)
{
    acre_mmap map;  // 64 GiB of addresses, and memory behind the first MiB
    if (acre_mmap_reserve((size_t)64 << 30, ACRE_READ_WRITE, NULL, &map) != ACRE_OK ||
        acre_mmap_commit(&map, 0, 1 << 20) != ACRE_OK)
        return 1;
    ((char *)map.base)[0] = 'a';

    acre_area area;  // what the system says is mapped there
    if (acre_area_at(map.base, &area) != ACRE_OK)
        return 1;
    size_t usable = area.end - area.start;
    printf("%zu KiB of %zu GiB are usable\n", usable >> 10, map.size >> 30);
    return acre_mmap_unmap(&map) == ACRE_OK ? 0 : 1;
}
// README ends
