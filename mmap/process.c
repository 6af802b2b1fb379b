// Numbers for processes, which tell the child of a fork from its parent.
//
// The number is in a word that the system wipes in a child.  A process that finds 0 there
// increments a counter and stores the result.  A child inherits the counter, so its number differs
// from those of all its ancestors.  Where memory cannot be wiped in children, the process ID is
// used.  The system may reuse an ID, but not while a descendant that could confuse the two is alive
// (PID namespaces aside).
#include "mmap/process.h"

#include <stdatomic.h>

#include "acre/mmap.h"
#include "mmap/port/memory.h"

static _Atomic(void *) process_word;  // an _Atomic uint32_t; NULL: not mapped, or the ID is used
static _Atomic uint32_t process_count;

static acre_status
provide_word(void)
{
    acre_mmap_opts opts = {.flags = ACRE_MAP_WIPE_ON_FORK};
    acre_mmap map;
    acre_status status = acre_mmap_anon(sizeof(uint32_t), ACRE_READ_WRITE, &opts, &map);
    if (status != ACRE_OK)
        return status;
    void *none = NULL;
    if (atomic_compare_exchange_strong_explicit(&process_word, &none, map.base,
                                                memory_order_acq_rel, memory_order_acquire))
        return ACRE_OK;
    return acre_mmap_unmap(&map);  // another thread was first
}

acre_status
acre_process_number(uint32_t *number)
{
    _Atomic uint32_t *word = atomic_load_explicit(&process_word, memory_order_acquire);
    if (word == NULL && !acre_port_can(ACRE_CAN_WIPE_ON_FORK)) {
        *number = (uint32_t)acre_port_process_id();
        return ACRE_OK;
    }
    if (word == NULL) {
        acre_status status = provide_word();
        if (status != ACRE_OK)
            return status;
        word = atomic_load_explicit(&process_word, memory_order_acquire);
    }
    if (atomic_load_explicit(word, memory_order_relaxed) == 0) {
        uint32_t none = 0;
        uint32_t count = atomic_fetch_add_explicit(&process_count, 1, memory_order_relaxed);
        uint32_t next = count % INT32_MAX + 1;
        // It does not matter which thread wins.
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
