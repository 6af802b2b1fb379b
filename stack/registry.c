// Which single stack an address lies in: a radix table from pages to records.
//
// 1. A record describes one stack completely.  Its generation is odd while the stack lives.  The
//    thread that makes it even owns the record until it is odd again, so a stack is removed only
//    once.
// 2. The table's entry for a page is the index of a record, but only a hint: the record's own
//    bounds decide.  Only acre_stack_find uses the table.  A handle names its record itself, since
//    another stack may lie at its address (in a child that did not get the handle's).  So an entry
//    is written when a stack is added and never cleared; an outdated one leads to a record that is
//    free, or lies elsewhere.
// 3. A reader loads the entry, the generation, the fields, and the generation again.  Fields are
//    stored with release order and loaded with acquire order, so a reader that saw a field of the
//    next stack also sees a new generation.  Readers never retry: when the generation has changed,
//    the stack in question is gone.
// 4. Tables and records are mapped when first needed, published by one compare-and-swap (the loser
//    unmaps its own), and kept for the life of the process: a signal handler may be reading them.
// 5. Free records form a stack of indices.  Its head carries a tag that increases with every
//    change, so that a head that was removed and came back meanwhile (ABA) is noticed.
// 6. There is no lock, so a fork cannot leave one held.
#include "stack/registry.h"

#include <stdatomic.h>
#include <stddef.h>

#include "acre/page.h"
#include "mmap/port/memory.h"
#include "mmap/process.h"
#include "stack/lasting.h"

// A handle's first private word is the index of its record.

enum {
    LEAF_SHIFT = 18,  // a leaf: 1 MiB of entries for 1 GiB of 4 KiB pages
    LEAF_ENTRIES = 1 << LEAF_SHIFT,
    RECORD_CHUNK_SHIFT = 12,
    RECORD_CHUNKS = 1 << 12,
    IS_LOCKED = 1 << 8,
    // Where the system does not report it.
    COMMON_ADDRESS_BITS = sizeof(void *) == 8 ? 48 : 32
};

typedef struct record {
    _Atomic uintptr_t start;  // [start, end): the guard, the usable bytes, the header
    _Atomic uintptr_t end;
    _Atomic uintptr_t base;
    _Atomic uintptr_t size;
    _Atomic uintptr_t header;
    _Atomic uintptr_t tag;
    _Atomic uint32_t guard;    // acre_guard_kind, perhaps with IS_LOCKED
    _Atomic uint32_t process;  // the only process that has the stack; 0 = children, too
    _Atomic uint32_t generation;
    _Atomic uint32_t next_free;  // an index
    shared_map map;
} record;

// A lookup by address touches one cache line.
_Static_assert(sizeof(void *) != 8 || offsetof(record, map) == 64, "a record fills two lines");
_Static_assert(sizeof(void *) != 8 || sizeof(record) == 128, "a record fills two lines");

typedef struct leaf {
    _Atomic uint32_t entry[LEAF_ENTRIES];
} leaf;

typedef struct top {
    size_t count;
    uint32_t page_shift;
    _Atomic(void *) leaf[];
} top;

static _Atomic(void *) table;  // a top
static _Atomic(void *) record_chunks[RECORD_CHUNKS];
// Record 0 is never used.  The generation shows whether a record is in use.
static _Atomic uint32_t record_count = 1;
static const lasting_table records = {&record_count,      record_chunks,  RECORD_CHUNKS,
                                      RECORD_CHUNK_SHIFT, sizeof(record), 0};
static _Atomic uint64_t free_records;  // a tag in the high half, an index in the low one

// ---- entries ------------------------------------------------------------------------------------

static uint32_t
page_shift(void)
{
    uint32_t shift = 0;
    while ((size_t)1 << shift < acre_page_size())
        shift++;
    return shift;
}

static acre_status
provide_table(void)
{
    if (atomic_load_explicit(&table, memory_order_acquire) != NULL)
        return ACRE_OK;

    uint32_t bits = (uint32_t)acre_port_address_bits();
    if (bits == 0)
        bits = COMMON_ADDRESS_BITS;
    uint32_t shift = page_shift();
    size_t count = bits > shift + LEAF_SHIFT ? (size_t)1 << (bits - shift - LEAF_SHIFT) : 1;

    acre_mmap map;
    acre_status status = acre_lasting_map(sizeof(top) + count * sizeof(_Atomic(void *)), &map);
    if (status != ACRE_OK)
        return status;
    top *fresh = map.base;
    fresh->count = count;
    fresh->page_shift = shift;
    return acre_lasting_publish(&table, &map);
}

// Maps leaves for every page of [start, end), so that set_entries cannot fail.
static acre_status
provide_leaves(uintptr_t start, uintptr_t end)
{
    acre_status status = provide_table();
    if (status != ACRE_OK)
        return status;

    top *t = atomic_load_explicit(&table, memory_order_acquire);
    uintptr_t first = start >> t->page_shift >> LEAF_SHIFT;
    uintptr_t last = (end - 1) >> t->page_shift >> LEAF_SHIFT;
    if (last >= t->count)
        return -ENOMEM;
    for (uintptr_t i = first; i <= last; i++) {
        status = acre_lasting_provide(&t->leaf[i], sizeof(leaf));
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}

static void
set_entries(uintptr_t start, uintptr_t end, uint32_t index)
{
    top *t = atomic_load_explicit(&table, memory_order_acquire);
    for (uintptr_t page = start >> t->page_shift; page <= (end - 1) >> t->page_shift; page++) {
        leaf *l = atomic_load_explicit(&t->leaf[page >> LEAF_SHIFT], memory_order_acquire);
        atomic_store_explicit(&l->entry[page % LEAF_ENTRIES], index, memory_order_release);
    }
}

// Returns the index of a record; 0 when no stack ever lay there.
static uint32_t
entry_at(uintptr_t address)
{
    top *t = atomic_load_explicit(&table, memory_order_acquire);
    if (t == NULL)
        return 0;
    uintptr_t page = address >> t->page_shift;
    if (page >> LEAF_SHIFT >= t->count)
        return 0;
    leaf *l = atomic_load_explicit(&t->leaf[page >> LEAF_SHIFT], memory_order_acquire);
    return l == NULL ? 0
                     : atomic_load_explicit(&l->entry[page % LEAF_ENTRIES], memory_order_acquire);
}

// ---- records ------------------------------------------------------------------------------------

static record *
record_at(uint32_t index)
{
    return lasting_at(&records, index);
}

static int
pop_free_record(uint32_t *index)
{
    uint64_t head = atomic_load_explicit(&free_records, memory_order_acquire);
    while ((uint32_t)head != 0) {
        // Another thread may take the record meanwhile, and then `next` is meaningless: the tag
        // shows that.
        uint64_t next =
            atomic_load_explicit(&record_at((uint32_t)head)->next_free, memory_order_relaxed);
        uint64_t tag = (head >> 32) + 1;
        if (atomic_compare_exchange_weak_explicit(&free_records, &head, tag << 32 | next,
                                                  memory_order_acq_rel, memory_order_acquire)) {
            *index = (uint32_t)head;
            return 1;
        }
    }
    return 0;
}

static void
push_free_record(uint32_t index)
{
    uint64_t head = atomic_load_explicit(&free_records, memory_order_relaxed);
    uint64_t tag;
    do {
        atomic_store_explicit(&record_at(index)->next_free, (uint32_t)head, memory_order_relaxed);
        tag = (head >> 32) + 1;
    } while (!atomic_compare_exchange_weak_explicit(&free_records, &head, tag << 32 | index,
                                                    memory_order_acq_rel, memory_order_relaxed));
}

// Takes a record, of even generation, for the caller.
static acre_status
take_record(uint32_t *index)
{
    return pop_free_record(index) ? ACRE_OK : acre_lasting_add(&records, index);
}

// ---- what the stack calls use -------------------------------------------------------------------

acre_status
acre_registry_add(const acre_mmap *map, const acre_stack_info *stack, int locked, acre_stack *out)
{
    uintptr_t start = (uintptr_t)map->base;
    uintptr_t end = start + map->size;
    uint32_t process = 0;
    acre_status status = provide_leaves(start, end);
    if (status == ACRE_OK && map->flags & ACRE_MAP_DONT_FORK)
        status = acre_process_number(&process);
    if (status != ACRE_OK)
        return status;
    uint32_t index;
    status = take_record(&index);
    if (status != ACRE_OK)
        return status;

    record *r = record_at(index);
    shared_map_store(&r->map, map);
    atomic_store_explicit(&r->start, start, memory_order_release);
    atomic_store_explicit(&r->end, end, memory_order_release);
    atomic_store_explicit(&r->base, (uintptr_t)stack->base, memory_order_release);
    atomic_store_explicit(&r->size, stack->size, memory_order_release);
    atomic_store_explicit(&r->header, (uintptr_t)stack->header, memory_order_release);
    atomic_store_explicit(&r->tag, stack->tag, memory_order_release);
    atomic_store_explicit(&r->guard, stack->guard_kind | (locked ? IS_LOCKED : 0),
                          memory_order_release);
    atomic_store_explicit(&r->process, process, memory_order_release);
    set_entries(start, end, index);

    uint32_t generation = atomic_load_explicit(&r->generation, memory_order_relaxed) + 1;
    atomic_store_explicit(&r->generation, generation, memory_order_release);
    acre_stack_info known = *stack;
    known.generation = generation;
    *out = stack_handle(&known, (uintptr_t[2]){index, 0});
    return ACRE_OK;
}

// Returns the record that a handle names, whatever it holds by now; NULL when there is none.
static record *
record_of(const acre_stack *stack)
{
    uintptr_t index = stack->private_[0];
    if (stack->private_[1] != 0 || index == 0 || index >= lasting_count(&records))
        return NULL;
    return record_at((uint32_t)index);
}

acre_status
acre_registry_get(const acre_stack *stack, stack_place *out)
{
    if (stack->generation % 2 == 0)
        return ACRE_STALE;
    const record *r = record_of(stack);
    if (r == NULL)
        return ACRE_NOT_OURS;
    if (atomic_load_explicit(&r->generation, memory_order_acquire) != stack->generation)
        return ACRE_STALE;
    uintptr_t end = atomic_load_explicit(&r->end, memory_order_acquire);
    uintptr_t base = atomic_load_explicit(&r->base, memory_order_acquire);
    uintptr_t size = atomic_load_explicit(&r->size, memory_order_acquire);
    uint32_t process = atomic_load_explicit(&r->process, memory_order_acquire);
    shared_map_load(&r->map, &out->map);
    out->start = (char *)atomic_load_explicit(&r->start, memory_order_acquire);
    out->base = (char *)base;
    out->limit = (char *)(base + size);
    out->content = (char *)end;
    out->end = (char *)end;
    out->locked = (atomic_load_explicit(&r->guard, memory_order_acquire) & IS_LOCKED) != 0;
    // Only an unchanged generation proves that the fields belong together.
    if (atomic_load_explicit(&r->generation, memory_order_relaxed) != stack->generation)
        return ACRE_STALE;
    return base == (uintptr_t)stack->base && (process == 0 || acre_process_is(process))
               ? ACRE_OK
               : ACRE_NOT_OURS;
}

acre_status
acre_registry_remove(const acre_stack *stack)
{
    stack_place place;
    acre_status status = acre_registry_get(stack, &place);
    if (status != ACRE_OK)
        return status;

    // Before the addresses become free for others: a lookup of them must not return this stack
    // then.
    record *r = record_of(stack);
    uint32_t live = stack->generation;
    if (!atomic_compare_exchange_strong_explicit(&r->generation, &live, live + 1,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return ACRE_STALE;
    status = acre_mmap_unmap(&place.map);
    if (status != ACRE_OK) {
        shared_map_store(&r->map, &place.map);
        atomic_store_explicit(&r->generation, live, memory_order_release);
        return status;
    }
    push_free_record((uint32_t)stack->private_[0]);
    return ACRE_OK;
}

// A single stack as its record describes it.
typedef struct record_view {
    uintptr_t start, end;
    acre_stack_info info;  // `where` is for the caller to set
} record_view;

// Returns 0 when the record describes no stack of this process.
static int
read_record(const record *r, record_view *out)
{
    uint32_t generation = atomic_load_explicit(&r->generation, memory_order_acquire);
    out->start = atomic_load_explicit(&r->start, memory_order_acquire);
    out->end = atomic_load_explicit(&r->end, memory_order_acquire);
    uint32_t process = atomic_load_explicit(&r->process, memory_order_acquire);
    out->info = (acre_stack_info){
        .base = (void *)atomic_load_explicit(&r->base, memory_order_acquire),
        .size = atomic_load_explicit(&r->size, memory_order_acquire),
        .header = (void *)atomic_load_explicit(&r->header, memory_order_acquire),
        .tag = atomic_load_explicit(&r->tag, memory_order_acquire),
        .generation = generation,
        .guard_kind = atomic_load_explicit(&r->guard, memory_order_acquire) & ~(uint32_t)IS_LOCKED,
    };
    // Only an unchanged generation proves that the fields belong together.
    return generation % 2 != 0 &&
           atomic_load_explicit(&r->generation, memory_order_relaxed) == generation &&
           (process == 0 || acre_process_is(process));
}

acre_status
acre_registry_find(uintptr_t address, acre_stack_info *out, uintptr_t key[2])
{
    uint32_t index = entry_at(address);
    if (index == 0)
        return ACRE_NOT_OURS;

    record_view view;
    if (!read_record(record_at(index), &view) || address < view.start || address >= view.end)
        return ACRE_NOT_OURS;
    view.info.where = address < (uintptr_t)view.info.base ? ACRE_STACK_GUARD : ACRE_STACK_USABLE;
    *out = view.info;
    key[0] = index;
    key[1] = 0;
    return ACRE_OK;
}

acre_status
acre_registry_each(acre_stack_visit_fn visit, void *context)
{
    uint32_t count = lasting_count(&records);
    for (uint32_t index = 1; index < count; index++) {
        record_view view;
        if (!read_record(record_at(index), &view))
            continue;
        view.info.where = ACRE_STACK_USABLE;
        acre_status status = visit(&view.info, context);
        if (status != ACRE_OK)
            return status;
    }
    return ACRE_OK;
}
