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

// The process that has a thread changing the zones (mmap/process.h); 0: none.
static _Atomic uint32_t holder;

static acre_status
lock_zones(void)
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
        if (found == 0)
            continue;
        if (found == here) {
            acre_port_wait(&holder, here);
            continue;
        }
        // The holder is a thread that this child of a fork does not have.  Forget what it left half
        // done: a region that stays registered can only hide leaks.
        if (atomic_compare_exchange_strong_explicit(&holder, &found, here, memory_order_acquire,
                                                    memory_order_relaxed)) {
            for (size_t i = 0; i < ZONES; i++)
                zones[i] = (zone){0};
            return ACRE_OK;
        }
    }
}

static void
unlock_zones(void)
{
    atomic_store_explicit(&holder, 0, memory_order_release);
    acre_port_wake(&holder);
}

static zone *
zone_of(uintptr_t start)
{
    return &zones[((uint64_t)start >> ZONE_BITS) % ZONES];
}

static void
widen_zone(zone *which, uintptr_t start, uintptr_t end)
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
    // There was no memory for the page that identifies processes.  What only this arena points to
    // may then be reported as leaked.
    if (lock_zones() != ACRE_OK)
        return ROOT_NONE;
    uint8_t root = exact < ROOTS_EXACT ? ROOT_EXACT : ROOT_SHARED;
    if (root == ROOT_EXACT) {
        exact++;
        __lsan_register_root_region((const void *)start, size);
    } else {
        widen_zone(zone_of(start), start, start + size);
    }
    unlock_zones();
    return root;
}

void
acre_roots_unregister(uintptr_t start, size_t size, uint8_t root)
{
    if (lock_zones() != ACRE_OK)
        return;  // cannot happen: registering the range provided the page
    zone *which = zone_of(start);
    if (root == ROOT_EXACT) {
        exact--;
        __lsan_unregister_root_region((const void *)start, size);
    } else if (which->count != 0 && --which->count == 0) {
        __lsan_unregister_root_region((const void *)which->low, which->high - which->low);
    }
    unlock_zones();
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
