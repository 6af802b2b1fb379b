// Linux: applies demands and wishes to pages.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/demand.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/files.h"
#include "mmap/port/probe.h"

#include <string.h>

static acre_status
apply_demands(void *base, size_t size, uint32_t flags)
{
    static const struct {
        uint32_t flag;
        int advice;
    } table[] = {
        {ACRE_MAP_NO_DUMP, MADV_DONTDUMP},
        {ACRE_MAP_DONT_FORK, MADV_DONTFORK},
        {ACRE_MAP_WIPE_ON_FORK, MADV_WIPEONFORK},
        {ACRE_MAP_NO_HUGE, MADV_NOHUGEPAGE},
    };
    // A system that accepts any advice carries out none of it.
    int can = flags & ACRE_MAP_WIPE_ON_FORK ? acre_probe_can(ACRE_CAN_WIPE_ON_FORK) : 1;
    if (can == 1 && flags & (ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK))
        can = acre_probe_can(ACRE_CAN_EXCLUDE_FROM_DUMPS);
    if (can != 1)
        return can == 0 ? -ENOTSUP : -ENOMEM;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if ((flags & table[i].flag) == 0)
            continue;
        acre_status status = linux_advise(base, size, table[i].advice);
        // A system without transparent huge pages (some kernels, emulators) rejects this advice,
        // but never uses huge pages anyway.
        if ((status == -EINVAL || status == -ENOTSUP) && table[i].flag == ACRE_MAP_NO_HUGE)
            continue;
        if (status != ACRE_OK)
            return linux_explain_refusal(status, table[i].advice);
    }
    return ACRE_OK;
}

acre_status
acre_linux_lock_as(void *base, size_t size, uint32_t flags)
{
    if ((flags & LOCKS) == 0)
        return ACRE_OK;
    return linux_explain(flags & ACRE_MAP_LOCKED ? sys_mlock(base, size)
                                                 : sys_mlock_on_fault(base, size));
}

int
acre_linux_populate(void *base, size_t size, uint32_t access, uint32_t flags)
{
    if ((access & (ACRE_READ | ACRE_WRITE)) == 0)
        return 0;
    int copies = (flags & (ACRE_IS_FILE | ACRE_IS_CLONE)) != 0;
    int advice =
        access & ACRE_WRITE && !copies ? LINUX_MADV_POPULATE_WRITE : LINUX_MADV_POPULATE_READ;
    return linux_advise(base, size, advice) == ACRE_OK;
}

// The kernel accepts the advice even if the system's mode forbids huge pages, so check the mode
// too.  Shared memory has a separate mode.
static int
want_huge(void *base, size_t size, uint32_t flags)
{
    char mode[96];
    if (linux_advise(base, size, MADV_HUGEPAGE) != ACRE_OK)
        return 0;
    if ((flags & ACRE_MAP_SHARED) == 0)
        return acre_port_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES);
    return acre_linux_read_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", mode,
                                sizeof mode) > 0 &&
           strstr(mode, "[never]") == NULL && strstr(mode, "[deny]") == NULL;
}

static int
place_on_node(void *base, size_t size, uint32_t node)
{
    // MPOL_PREFERRED: the kernel uses another node when this one is full.
    enum { PREFERRED = 1, LONG_BITS = 8 * sizeof(unsigned long) };
    unsigned long nodes[1024 / LONG_BITS] = {0};
    if (LINUX_IS_ANDROID || node >= 1024)
        return 0;
    nodes[node / LONG_BITS] = 1ul << node % LONG_BITS;
    int saved = errno;
    return status_of(syscall(SYS_mbind, base, size, PREFERRED, nodes, 1024ul + 1, 0), saved) ==
           ACRE_OK;
}

static int
give_name(void *base, size_t size, const char *name)
{
    // Android's kernels before 5.10 store the pointer and read the program's memory whenever they
    // show the name.  Kernels that copy the name check its characters and refuse a bracket.
    if (LINUX_IS_ANDROID && sys_name(base, size, "[") == ACRE_OK) {
        (void)sys_name(base, size, NULL);
        return 0;
    }
    return sys_name(base, size, name) == ACRE_OK;
}

acre_status
acre_linux_prepare(void *base, const port_request *request, uint32_t *flags)
{
    int reserved = (*flags & ACRE_IS_RESERVATION) != 0;
    acre_status status = apply_demands(base, request->size, *flags);
    if (status != ACRE_OK)
        return status;

    // These wishes decide where pages come from, so apply them before any page is allocated.
    if (*flags & ACRE_MAP_HUGE_TRANSPARENT && !want_huge(base, request->size, *flags))
        *flags &= ~(uint32_t)ACRE_MAP_HUGE_TRANSPARENT;
    if (request->node_plus_one != 0 &&
        place_on_node(base, request->size, request->node_plus_one - 1))
        *flags |= ACRE_GOT_NODE;
    if (request->name != NULL && (*flags & ACRE_GOT_NAME) == 0 &&
        give_name(base, request->size, request->name))
        *flags |= ACRE_GOT_NAME;

    if (reserved && *flags & ACRE_MAP_POPULATE && !acre_linux_can_populate())
        *flags &= ~(uint32_t)ACRE_MAP_POPULATE;
    if (!reserved) {
        // Inaccessible pages can only be locked on fault.
        uint32_t locks = request->access == ACRE_NONE && *flags & ACRE_MAP_LOCKED
                             ? ACRE_MAP_LOCK_ON_FAULT
                             : *flags;
        status = acre_linux_lock_as(base, request->size, locks);
        if (status != ACRE_OK)
            return status;
        if (*flags & ACRE_MAP_POPULATE &&
            !acre_linux_populate(base, request->size, request->access, *flags))
            *flags &= ~(uint32_t)ACRE_MAP_POPULATE;
    }
    return ACRE_OK;
}

#endif  // ACRE_ON_LINUX
