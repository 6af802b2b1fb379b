// mmap/port/linux/facts.h - page sizes, which advice the kernel carries out, what a refusal means.
#ifndef ACRE_MMAP_PORT_LINUX_FACTS_H_
#define ACRE_MMAP_PORT_LINUX_FACTS_H_

#include "mmap/port/linux/sys.h"
#include "mmap/port/memory.h"

// Whether an explicit huge page may begin at `address`; 1 when the page sizes are unknown.
int acre_linux_may_be_huge(uintptr_t address);

// Whether the system's mode permits transparent huge pages; -1 when that cannot be determined now.
int acre_linux_permits_huge(void);
// Whether the system is known to have no explicit huge pages.
int acre_linux_has_no_huge_pages(void);

// Maps a private page, or pages, for trying calls on; NULL when that fails now.
void *acre_linux_scratch_page(int protection);
void *acre_linux_scratch_pages(size_t size, int protection);

// Whether the system carries out advice, which it shows by refusing advice that does not exist.
// qemu-user returns 0 for any advice and at most drops pages.
int acre_linux_heeds_advice(void);
// Whether the system accepts this advice for a fresh page; -1 when that cannot be determined now.
int acre_linux_takes_advice(int advice);
// Whether advice can populate pages (since 5.14).
int acre_linux_can_populate(void);
// Whether shared memory without a file can be mapped twice: 1, 0, or -1 when that cannot be
// determined now.
int acre_linux_can_alias(void);

// Returns ACRE_TOO_MANY_AREAS when a trial shows that the process is at that limit, else -ENOMEM.
acre_status acre_linux_out_of_memory(void);

// Gives advice; -ENOTSUP when the system accepts it without carrying it out.
static inline acre_status
linux_advise(void *base, size_t size, int advice)
{
    acre_status status = sys_madvise(base, size, advice);
    int done = status != ACRE_OK || advice == MADV_DONTNEED || acre_linux_heeds_advice();
    return done ? status : -ENOTSUP;
}

// ENOMEM may mean that the limit on areas is reached.
static inline acre_status
linux_explain(acre_status status)
{
    return status == -ENOMEM ? acre_linux_out_of_memory() : status;
}

// madvise may report it as EAGAIN.
static inline acre_status
linux_explain_advice(acre_status status)
{
    return status == -ENOMEM || status == -EAGAIN ? acre_linux_out_of_memory() : status;
}

// The same for refused advice; -ENOTSUP when the system accepts it for no page at all.
static inline acre_status
linux_explain_refusal(acre_status status, int advice)
{
    if (advice == LINUX_MADV_COLLAPSE)
        return linux_explain(status);  // here EAGAIN means that some page is in use just now
    if (status == -EINVAL && acre_linux_takes_advice(advice) == 0)
        return -ENOTSUP;
    return linux_explain_advice(status);
}

#endif  // ACRE_MMAP_PORT_LINUX_FACTS_H_
