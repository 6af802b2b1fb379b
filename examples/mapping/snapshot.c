// Cookbook: a state that is restored in the time that its changes take.
#include <stdio.h>
#include <string.h>

#include "acre/image.h"

// quote begins
static int
change_and_reset(void)
{
    acre_image image;
    acre_mmap fill;
    if (acre_image_begin((size_t)1 << 20, &image, &fill) != ACRE_OK)
        return 0;
    memset(fill.base, 'a', fill.size);
    acre_mmap state = {0};  // a private copy that shares every page until it is written
    char changed = 0;
    acre_status status = acre_image_finish(&image, &fill);  // from here on nobody can change it
    if (status == ACRE_OK)
        status = acre_image_clone(&image, ACRE_READ_WRITE, NULL, &state);
    char *byte = state.base;
    if (status == ACRE_OK) {
        *byte = 'b';
        changed = *byte;
        status = acre_mmap_discard(&state, 0, state.size, ACRE_DISCARD_NOW);
    }
    if (status == ACRE_OK)
        printf("changed to %c, back to %c\n", changed, *byte);
    ACRE_IGNORE(acre_mmap_unmap(&fill));  // what is empty takes no harm
    ACRE_IGNORE(acre_mmap_unmap(&state));
    ACRE_IGNORE(acre_image_close(&image));
    return status == ACRE_OK;
}
// quote ends

int
main(void)
{
    return change_and_reset() ? 0 : 1;
}
