// mmap/port/linux/facts.h - page sizes, what the kernel does with advice, and what a refusal means.
#ifndef ACRE_MMAP_PORT_LINUX_FACTS_H_
#define ACRE_MMAP_PORT_LINUX_FACTS_H_

#include "mmap/port/linux/sys.h"
#include "mmap/port/memory.h"

// Whether explicit huge pages may begin at an address, as far as is known.
int acre_linux_may_be_huge(uintptr_t address);

// Whether the system's mode permits transparent huge pages; -1 when it cannot be found out now.
int acre_linux_permits_huge(void);
// Whether it is known that there are no explicit huge pages.
int acre_linux_has_no_huge_pages(void);
// What is not there is known when the folder that would hold it is: `opened` is how opening failed.
int acre_linux_is_absent(const char *folder, int opened);

// A private page to try things on; NULL when there is none to be had now.
void *acre_linux_scratch_page(int protection);
void *acre_linux_scratch_pages(size_t size, int protection);

// Whether advice is carried out, by a system that refuses advice that does not exist: qemu-user
// answers 0 to any, and drops pages at most.
int acre_linux_heeds_advice(void);
// Whether the system takes this advice of a fresh page; -1 when it cannot be found out now.
int acre_linux_takes_advice(int advice);
// Whether pages can be brought by advice (5.14).
int acre_linux_can_populate(void);
// Whether shared memory without a file can be shown twice: 1, 0, or -1: not to be found out now.
int acre_linux_can_alias(void);

// -ENOMEM, or ACRE_TOO_MANY_AREAS when the process was seen to be at that limit.
acre_status acre_linux_out_of_memory(void);

// Advice that is carried out, or refused.
static inline acre_status
linux_advise(void *base, size_t size, int advice)
{
    acre_status status = sys_madvise(base, size, advice);
    int done = status != ACRE_OK || advice == MADV_DONTNEED || acre_linux_heeds_advice();
    return done ? status : -ENOTSUP;
}

// ENOMEM may mean the limit of areas.
static inline acre_status
linux_explain(acre_status status)
{
    return status == -ENOMEM ? acre_linux_out_of_memory() : status;
}

// madvise calls it EAGAIN.
static inline acre_status
linux_explain_advice(acre_status status)
{
    return status == -ENOMEM || status == -EAGAIN ? acre_linux_out_of_memory() : status;
}

// The same of refused advice; -ENOTSUP where the system does not take it of any page.
static inline acre_status
linux_explain_refusal(acre_status status, int advice)
{
    if (status == -EINVAL && advice != LINUX_MADV_COLLAPSE && acre_linux_takes_advice(advice) == 0)
        return -ENOTSUP;
    return linux_explain_advice(status);
}

#endif  // ACRE_MMAP_PORT_LINUX_FACTS_H_
