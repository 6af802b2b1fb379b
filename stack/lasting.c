// Memory that is never unmapped, and tables of records in it.
#include "stack/lasting.h"

#include <stdatomic.h>

#include "acre/mmap.h"

static acre_status
map_with_flags(size_t size, uint32_t flags, acre_mmap *out)
{
    acre_mmap_opts opts = {.flags = flags};
    return acre_mmap_anon(size, ACRE_READ_WRITE, &opts, out);
}

acre_status
acre_lasting_map(size_t size, acre_mmap *out)
{
    // A huge page would make all of it resident.
    return map_with_flags(size, ACRE_MAP_NO_RESERVE | ACRE_MAP_NO_HUGE, out);
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
    acre_status status = map_with_flags(size, ACRE_MAP_WIPE_ON_FORK, &map);
    return status == ACRE_OK ? acre_lasting_publish(place, &map) : status;
}

// ---- tables -------------------------------------------------------------------------------------

acre_status
acre_lasting_add(const lasting_table *table, uint32_t *index)
{
    uint32_t next = lasting_count(table);
    do {
        uint32_t chunk = next >> table->shift;
        if (chunk >= table->chunk_count)
            return ACRE_FULL;
        // The chunk must exist before the record is counted: whoever reads the count may read every
        // record below it.
        acre_status status =
            acre_lasting_provide(&table->chunks[chunk], table->record_size << table->shift);
        if (status != ACRE_OK)
            return status;
    } while (!atomic_compare_exchange_weak_explicit(table->count, &next, next + 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    *index = next;
    return ACRE_OK;
}

static _Atomic uint32_t *
taken_word(const lasting_table *table, uint32_t index)
{
    char *record = lasting_at(table, index);
    return (_Atomic uint32_t *)(void *)(record + table->taken);
}

static int
try_record(const lasting_table *table, uint32_t index)
{
    _Atomic uint32_t *taken = taken_word(table, index);
    uint32_t none = 0;
    return atomic_load_explicit(taken, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(taken, &none, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

acre_status
acre_lasting_take(const lasting_table *table, uint32_t first, uint32_t *index)
{
    for (uint32_t i = first; i < lasting_count(table); i++) {
        if (try_record(table, i)) {
            *index = i;
            return ACRE_OK;
        }
    }
    uint32_t added;
    do {
        acre_status status = acre_lasting_add(table, &added);
        if (status != ACRE_OK)
            return status;
        // Another thread that saw it counted may have taken it already.
    } while (!try_record(table, added));
    *index = added;
    return ACRE_OK;
}

void
acre_lasting_release(const lasting_table *table, uint32_t index)
{
    atomic_store_explicit(taken_word(table, index), 0, memory_order_release);
}
