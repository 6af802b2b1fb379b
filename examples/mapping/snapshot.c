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
    if (acre_image_finish(&image, &fill) != ACRE_OK)  // from here on nobody can change it
        return 0;

    acre_mmap state;  // a private copy that shares every page until it is written
    if (acre_image_clone(&image, ACRE_READ_WRITE, NULL, &state) != ACRE_OK)
        return 0;
    char *byte = state.base;
    *byte = 'b';
    char changed = *byte;
    if (acre_mmap_discard(&state, 0, state.size, ACRE_DISCARD_NOW) != ACRE_OK)
        return 0;
    printf("changed to %c, back to %c\n", changed, *byte);
    return acre_mmap_unmap(&state) == ACRE_OK && acre_image_close(&image) == ACRE_OK;
}
// quote ends

int
main(void)
{
    return change_and_reset() ? 0 : 1;
}
