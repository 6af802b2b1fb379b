// Cookbook: a secret that is neither swapped out, nor dumped, nor inherited.
#include <stdio.h>
#include <string.h>

#include "acre/mmap.h"

// quote begins
static int
keep_a_secret(void)
{
    acre_mmap_opts opts = {.flags = ACRE_MAP_LOCKED | ACRE_MAP_NO_DUMP | ACRE_MAP_WIPE_ON_FORK};
    acre_mmap secret;
    acre_status status = acre_mmap_anon(4096, ACRE_READ_WRITE, &opts, &secret);
    if (status != ACRE_OK) {  // all three hold, or there is no map
        printf("no place for a secret: %s\n", acre_status_text(status));
        return 1;
    }
    memcpy(secret.base, "the key", 8);
    // … use it; then the page goes back to the system, which clears it before anyone else sees it.
    return acre_mmap_unmap(&secret) == ACRE_OK;
}
// quote ends

int
main(void)
{
    return keep_a_secret() ? 0 : 1;
}
