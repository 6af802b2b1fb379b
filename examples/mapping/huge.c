// Cookbook: huge pages, explicit ones where there are any, transparent ones else.
#include <stdio.h>

#include "acre/mmap.h"
#include "acre/page.h"

// quote begins
static int
map_with_large_pages(size_t size, acre_mmap *out)
{
    acre_mmap_opts opts = {.flags = ACRE_MAP_HUGE};
    if (acre_mmap_anon(size, ACRE_READ_WRITE, &opts, out) == ACRE_OK)
        return 1;  // out->page_size tells which; ranges are multiples of it
    // The pool is empty (-ENOMEM), or there is none (-ENOTSUP): a wish instead of a demand.
    opts.flags = ACRE_MAP_HUGE_TRANSPARENT;
    return acre_mmap_anon(size, ACRE_READ_WRITE, &opts, out) == ACRE_OK;
}
// quote ends

int
main(void)
{
    acre_mmap map;
    if (!map_with_large_pages((size_t)4 << 20, &map))
        return 1;
    ((char *)map.base)[map.size - 1] = 1;
    int granted = (map.flags & (ACRE_MAP_HUGE | ACRE_MAP_HUGE_TRANSPARENT)) != 0;
    printf("%d MiB, %s\n", (int)(map.size >> 20),
           granted || !acre_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES) ? "as asked" : "on base pages");
    return acre_mmap_unmap(&map) == ACRE_OK ? 0 : 1;
}
