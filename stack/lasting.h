// stack/lasting.h - memory that is never unmapped: tables of records that grow and are recycled.
//
// Signal handlers may read such memory at any time, and ending threads may still use it.  Any
// thread may make these calls at any time; they hold no lock, so none can be left behind at a fork.
#ifndef ACRE_STACK_LASTING_H_
#define ACRE_STACK_LASTING_H_

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "acre/mmap.h"
#include "acre/status.h"

/// Maps `size` zeroed bytes of base pages; most of them may never be touched.
acre_status acre_lasting_map(size_t size, acre_mmap *out);
/// Makes `*place` point to the map for good, or unmaps it when another thread was first.
acre_status acre_lasting_publish(_Atomic(void *) *place, acre_mmap *map);
/// Makes `*place` point to `size` zeroed bytes, unless it points somewhere already.  Several
/// threads may call this for the same place at once.
acre_status acre_lasting_provide(_Atomic(void *) *place, size_t size);
/// The same with memory that is zeroed in the child of a fork; -ENOTSUP where the system has none.
acre_status acre_lasting_provide_wiped(_Atomic(void *) *place, size_t size);

/// A growing table of records, zeroed at first, which stay where they are.  The struct itself never
/// changes.
///
///     static _Atomic(void *) chunks[512];
///     static _Atomic uint32_t count;
///     static const lasting_table things = {&count, chunks, 512, 7, sizeof(thing),
///                                          offsetof(thing, taken)};
typedef struct lasting_table {
    _Atomic uint32_t *count;  // the most records ever needed at once
    _Atomic(void *) *chunks;  // each 1 << shift records, mapped when its first record is needed
    uint32_t chunk_count;
    uint32_t shift;
    size_t record_size;
    size_t taken;  // offset of a record's _Atomic uint32_t: 1 while it is taken
} lasting_table;

/// Record `index`, which is below the table's count.
static inline void *
lasting_at(const lasting_table *table, uint32_t index)
{
    char *chunk = atomic_load_explicit(&table->chunks[index >> table->shift], memory_order_acquire);
    return chunk + (index & (((uint32_t)1 << table->shift) - 1)) * table->record_size;
}

static inline uint32_t
lasting_count(const lasting_table *table)
{
    return atomic_load_explicit(table->count, memory_order_acquire);
}

/// Adds a record, which no other call of this function gets.
///
/// @return ACRE_OK; ACRE_FULL; or why mapping a chunk failed
acre_status acre_lasting_add(const lasting_table *table, uint32_t *index);
/// Takes the lowest free record from `first` on, or adds one when all are taken.
///
/// @return as acre_lasting_add
acre_status acre_lasting_take(const lasting_table *table, uint32_t first, uint32_t *index);
/// Frees the record.  Its contents stay: whoever takes it next finds them.
void acre_lasting_release(const lasting_table *table, uint32_t index);

#endif  // ACRE_STACK_LASTING_H_
