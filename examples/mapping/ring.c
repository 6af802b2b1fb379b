// Cookbook: a ring buffer whose contents never wrap.
#include <stdio.h>
#include <string.h>

#include "acre/mmap.h"

// quote begins
static int
write_across_the_end(void)
{
    acre_mmap ring;  // one lap, visible twice, back to back
    if (acre_mmap_ring(64 * 1024, NULL, &ring) != ACRE_OK)
        return 0;
    size_t lap = ring.size / 2;

    // A record that begins three bytes before the end is written in one piece …
    char *record = (char *)ring.base + lap - 3;
    memcpy(record, "across", 7);
    // … and read in one piece, though its second half lies at the beginning of the lap.
    printf("%s, of which \"%s\" lies at the beginning\n", record, (char *)ring.base);
    return acre_mmap_unmap(&ring) == ACRE_OK;
}
// quote ends

int
main(void)
{
    return write_across_the_end() ? 0 : 1;
}
