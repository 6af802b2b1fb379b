// Root regions, which LeakSanitizer searches for pointers; see roots.h.
#include "arena/roots.h"

#include "mmap/port/thread.h"
#include "mmap/process.h"

#ifdef ACRE_ARENA_ROOTS_

enum { ZONES = 64, ZONE_BITS = 42 };

// Ranges that begin in the same 4 TiB of addresses; registered as [low, high) while there are any.
typedef struct zone {
    uintptr_t low;
    uintptr_t high;
    size_t count;
} zone;

static zone zones[ZONES];
static size_t exact;

// The process whose thread changes the zones (mmap/process.h); 0 = none does.
static _Atomic uint32_t holder;

static acre_status
enter(void)
{
    uint32_t here;
    acre_status status = acre_process_number(&here);
    if (status != ACRE_OK)
        return status;
    for (;;) {
        uint32_t found = 0;
        if (atomic_compare_exchange_weak_explicit(&holder, &found, here, memory_order_acquire,
                                                  memory_order_relaxed))
            return ACRE_OK;
        if (found == here || found == 0) {
            acre_port_yield();
            continue;
        }
        // A thread that this child of a fork does not have.  What it left half done is forgotten:
        // a region that stays registered hides leaks at most.
        if (atomic_compare_exchange_strong_explicit(&holder, &found, here, memory_order_acquire,
                                                    memory_order_relaxed)) {
            for (size_t i = 0; i < ZONES; i++)
                zones[i] = (zone){0};
            return ACRE_OK;
        }
    }
}

static void
leave(void)
{
    atomic_store_explicit(&holder, 0, memory_order_release);
}

static zone *
zone_of(uintptr_t start)
{
    return &zones[((uint64_t)start >> ZONE_BITS) % ZONES];
}

static void
widen(zone *which, uintptr_t start, uintptr_t end)
{
    uintptr_t low = which->count == 0 || start < which->low ? start : which->low;
    uintptr_t high = which->count == 0 || end > which->high ? end : which->high;
    if (which->count == 0 || low != which->low || high != which->high) {
        __lsan_register_root_region((const void *)low, high - low);
        if (which->count != 0)
            __lsan_unregister_root_region((const void *)which->low, which->high - which->low);
    }
    which->low = low;
    which->high = high;
    which->count++;
}

uint8_t
acre_roots_register(uintptr_t start, size_t size)
{
    // Without a page to tell processes apart by: what only this arena points to may be reported.
    if (enter() != ACRE_OK)
        return ROOT_NONE;
    uint8_t root = exact < ROOTS_EXACT ? ROOT_EXACT : ROOT_SHARED;
    if (root == ROOT_EXACT) {
        exact++;
        __lsan_register_root_region((const void *)start, size);
    } else {
        widen(zone_of(start), start, start + size);
    }
    leave();
    return root;
}

void
acre_roots_unregister(uintptr_t start, size_t size, uint8_t root)
{
    if (enter() != ACRE_OK)
        return;  // never: the page has been there since the range was registered
    zone *which = zone_of(start);
    if (root == ROOT_EXACT) {
        exact--;
        __lsan_unregister_root_region((const void *)start, size);
    } else if (which->count != 0 && --which->count == 0) {
        __lsan_unregister_root_region((const void *)which->low, which->high - which->low);
    }
    leave();
}

#else

uint8_t
acre_roots_register(uintptr_t start, size_t size)
{
    (void)start, (void)size;
    return ROOT_NONE;
}

void
acre_roots_unregister(uintptr_t start, size_t size, uint8_t root)
{
    (void)start, (void)size, (void)root;
}

#endif
