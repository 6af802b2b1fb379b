// Windows: the records that the parts of one map share, and who owns an address.
//
// 1. Records are never freed, so searching them needs no lock.
// 2. After REPLACE several records cover an address: that of the map that was put in, and those of
//    the maps that it was put in place of, whose handles are still to be unmapped.  The newest owns
//    the address.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

enum { RECORDS = WINDOWS_GRANULE / sizeof(windows_record) };

// The first record of each chunk is not used as one.
typedef union chunk {
    struct {
        SLIST_ENTRY unused;
        union chunk *next;
    } head;
    windows_record records[RECORDS];
} chunk;

static SLIST_HEADER unused_records;
static _Atomic(chunk *) chunks;

acre_status
acre_windows_record_take(windows_record **out)
{
    SLIST_ENTRY *entry = InterlockedPopEntrySList(&unused_records);
    if (entry == NULL) {
        void *base;
        acre_status status =
            sys_alloc(NULL, sizeof(chunk), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, &base);
        if (status != ACRE_OK)
            return status;
        chunk *fresh = base;
        fresh->head.next = atomic_load_explicit(&chunks, memory_order_relaxed);
        while (!atomic_compare_exchange_weak_explicit(&chunks, &fresh->head.next, fresh,
                                                      memory_order_release, memory_order_relaxed))
            continue;
        for (size_t i = 2; i < RECORDS; i++)
            InterlockedPushEntrySList(&unused_records, &fresh->records[i].entry);
        entry = &fresh->records[1].entry;
    }
    *out = (windows_record *)entry;
    return ACRE_OK;
}

void
acre_windows_record_drop(windows_record *record)
{
    if (record->section != NULL)
        sys_close(record->section);
    if (record->file != NULL)
        sys_close(record->file);
    record->section = record->file = NULL;
    record->parent = NULL;
    record->order = 0;
    atomic_store_explicit(&record->locked_start, 0, memory_order_relaxed);
    atomic_store_explicit(&record->locked_end, 0, memory_order_relaxed);
    atomic_store_explicit(&record->start, 0, memory_order_relaxed);
    InterlockedPushEntrySList(&unused_records, &record->entry);
}

// ---- owners -------------------------------------------------------------------------------------

// How many maps were put in place of others.
static _Atomic uint64_t replacements;

uint64_t
acre_windows_record_order(void)
{
    return atomic_fetch_add_explicit(&replacements, 1, memory_order_relaxed) + 1;
}

typedef struct record_search record_search;
typedef void (*look_at)(record_search *search, windows_record *record, uintptr_t start,
                        uintptr_t end);

struct record_search {
    uintptr_t start, end;  // the range in question
    uint64_t order;
    windows_record *best;
    size_t size;
};

// Calls `look` for each record that covers a part of the range.
static void
search_records(record_search *search, look_at look)
{
    chunk *at = atomic_load_explicit(&chunks, memory_order_acquire);
    for (; at != NULL; at = at->head.next) {
        for (size_t i = 1; i < RECORDS; i++) {
            windows_record *record = &at->records[i];
            uintptr_t start = atomic_load_explicit(&record->start, memory_order_acquire);
            size_t size = atomic_load_explicit(&record->size, memory_order_relaxed);
            if (start != 0 && start < search->end && search->start < start + size)
                look(search, record, start, start + size);
        }
    }
}

static void
take_smallest(record_search *search, windows_record *record, uintptr_t start, uintptr_t end)
{
    if (start <= search->start && search->end <= end && end - start < search->size) {
        search->best = record;
        search->size = end - start;
    }
}

windows_record *
acre_windows_record_around(uintptr_t start, size_t size)
{
    record_search search = {.start = start, .end = start + size, .size = SIZE_MAX};
    search_records(&search, take_smallest);
    return search.best;
}

static void
take_newest(record_search *search, windows_record *record, uintptr_t start, uintptr_t end)
{
    (void)start;
    (void)end;
    if (search->best == NULL || record->order > search->order) {
        search->best = record;
        search->order = record->order;
    }
}

windows_record *
acre_windows_owner_of(uintptr_t address)
{
    record_search search = {.start = address, .end = address + 1};
    search_records(&search, take_newest);
    return search.best;
}

// Passes over what a newer map has at the start of the range, or ends the range where it begins.
static void
leave_newer(record_search *search, windows_record *record, uintptr_t start, uintptr_t end)
{
    if (record->order <= search->order)
        return;
    if (start > search->start)
        search->end = start;
    else
        search->start = end;
}

int
acre_windows_next_owned(const windows_record *record, uintptr_t *at, uintptr_t end,
                        windows_span *out)
{
    record_search search = {.start = *at, .end = end, .order = record->order};
    uintptr_t before;
    do {
        before = search.start;
        search.end = end;
        if (atomic_load_explicit(&replacements, memory_order_relaxed) != 0)
            search_records(&search, leave_newer);
    } while (search.start != before && search.start < end);
    if (search.start >= end)
        return 0;
    out->start = (char *)search.start;
    out->length = search.end - search.start;
    *at = search.end;
    return 1;
}

#endif  // ACRE_ON_WINDOWS
