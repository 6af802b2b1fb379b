// Memory that is never unmapped.
#include "stack/lasting.h"

#include <stdatomic.h>

#include "acre/mmap.h"

static acre_status
map_with(size_t size, uint32_t flags, acre_mmap *out)
{
    acre_mmap_opts opts = {.flags = flags};
    return acre_mmap_anon(size, ACRE_READ_WRITE, &opts, out);
}

acre_status
acre_lasting_map(size_t size, acre_mmap *out)
{
    // A huge page would make all of it resident.
    return map_with(size, ACRE_MAP_NO_RESERVE | ACRE_MAP_NO_HUGE, out);
}

acre_status
acre_lasting_publish(_Atomic(void *) *place, acre_mmap *map)
{
    void *none = NULL;
    if (atomic_compare_exchange_strong_explicit(place, &none, map->base, memory_order_acq_rel,
                                                memory_order_acquire))
        return ACRE_OK;
    return acre_mmap_unmap(map);
}

acre_status
acre_lasting_provide(_Atomic(void *) *place, size_t size)
{
    if (atomic_load_explicit(place, memory_order_acquire) != NULL)
        return ACRE_OK;
    acre_mmap map;
    acre_status status = acre_lasting_map(size, &map);
    return status == ACRE_OK ? acre_lasting_publish(place, &map) : status;
}

acre_status
acre_lasting_provide_wiped(_Atomic(void *) *place, size_t size)
{
    if (atomic_load_explicit(place, memory_order_acquire) != NULL)
        return ACRE_OK;
    acre_mmap map;
    acre_status status = map_with(size, ACRE_MAP_WIPE_ON_FORK, &map);
    return status == ACRE_OK ? acre_lasting_publish(place, &map) : status;
}
