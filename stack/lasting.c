// Memory that is never unmapped, and which process this is.
//
// The number of a process lies in a word that a child finds empty.  Where no memory is emptied in
// children the system's own number serves; that may come again, but not while a descendant lives
// that could mix them up.
#include "stack/lasting.h"

#include <stdatomic.h>

#include "acre/mmap.h"
#include "acre/page.h"
#include "mmap/port/memory.h"

static _Atomic(void *) process_word;
static _Atomic uint32_t process_count;

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

acre_status
acre_process_number(uint32_t *number)
{
    if (atomic_load_explicit(&process_word, memory_order_acquire) == NULL &&
        !acre_can(ACRE_CAN_WIPE_ON_FORK)) {
        *number = (uint32_t)acre_port_process_id();
        return ACRE_OK;
    }
    acre_status status = acre_lasting_provide_wiped(&process_word, sizeof(uint32_t));
    if (status != ACRE_OK)
        return status;

    _Atomic uint32_t *word = atomic_load_explicit(&process_word, memory_order_acquire);
    if (atomic_load_explicit(word, memory_order_relaxed) == 0) {
        uint32_t none = 0;
        uint32_t next = atomic_fetch_add_explicit(&process_count, 1, memory_order_relaxed) + 1;
        // Whichever thread wins: both count as this process.
        (void)atomic_compare_exchange_strong_explicit(word, &none, next, memory_order_relaxed,
                                                      memory_order_relaxed);
    }
    *number = atomic_load_explicit(word, memory_order_relaxed);
    return ACRE_OK;
}

int
acre_process_is(uint32_t number)
{
    _Atomic uint32_t *word = atomic_load_explicit(&process_word, memory_order_acquire);
    if (word == NULL)
        return number == (uint32_t)acre_port_process_id();
    return atomic_load_explicit(word, memory_order_relaxed) == number;
}
