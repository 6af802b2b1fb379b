// Locks that lend priority, where there are none.
#include "mmap/port/system.h"
#include "mmap/port/thread.h"

#if !ACRE_LENDS_PRIORITY

int
acre_port_lends_priority(void)
{
    return 0;
}

// The rest is never called.

uint32_t
acre_port_thread_number(uint32_t process)
{
    return process;
}

int
acre_port_lock_wait(void *word)
{
    (void)word;
    return 0;
}

void
acre_port_lock_hand_over(void *word)
{
    (void)word;
}

#endif  // !ACRE_LENDS_PRIORITY
