// Images and clones: not in this version, once the arguments have been found right.
#include "acre/image.h"

#include "mmap/check.h"

acre_status
acre_image_begin(size_t size, acre_image *out, acre_mmap *fill)
{
    (void)out;
    (void)fill;
    return round_up(size, port_page_size()) == 0 ? ACRE_BAD_SIZE : -ENOTSUP;
}

acre_status
acre_image_finish(acre_image *image, acre_mmap *fill)
{
    (void)fill;
    return image->size == 0 ? ACRE_BAD_STATE : -ENOTSUP;
}

acre_status
acre_image_clone(const acre_image *image, uint32_t access, const acre_mmap_opts *opts, acre_mmap *out)
{
    (void)out;
    if (image->size == 0)
        return ACRE_BAD_STATE;
    acre_status status = check_access(access, opts != NULL ? opts->flags : 0);
    return status == ACRE_OK ? -ENOTSUP : status;
}

acre_status
acre_image_close(acre_image *image)
{
    return image->size == 0 ? ACRE_OK : -ENOTSUP;
}
