// Linux: page sizes, which advice the kernel carries out, what a refusal means.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/files.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

// ---- page sizes ---------------------------------------------------------------------------------

// Inserts `size` in ascending order among the first `count` of `sizes`; the largest are dropped
// when there are more than `capacity`.
static void
insert_size(size_t *sizes, size_t capacity, size_t count, size_t size)
{
    size_t at = count < capacity ? count : capacity;
    while (at > 0 && sizes[at - 1] > size) {
        if (at < capacity)
            sizes[at] = sizes[at - 1];
        at--;
    }
    if (at < capacity)
        sizes[at] = size;
}

typedef struct size_list {
    size_t sizes[16];
    size_t count;
} size_list;

static int
note_size(const char *name, void *of)
{
    static const char prefix[] = "hugepages-";
    size_list *list = of;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return 1;
    name += sizeof prefix - 1;
    uint64_t size = acre_linux_take_number(&name) * 1024;
    if (size > acre_port_page_size() && size <= SIZE_MAX / 2 &&
        list->count < sizeof list->sizes / sizeof list->sizes[0])
        insert_size(list->sizes, sizeof list->sizes / sizeof list->sizes[0], list->count++,
                    (size_t)size);
    return 1;
}

// Facts that do not change while the system runs.  Only what could be determined is kept: a process
// that has no descriptor left now, or no /sys yet, can try again later.
static struct {
    _Atomic size_t sizes[16];  // of pages, in ascending order
    _Atomic int size_count;    // 0 = unknown
    _Atomic size_t default_huge;
    _Atomic size_t transparent_huge;
    _Atomic int has_transparent;  // this and those below: YES, NO, 0 = unknown
    _Atomic int permits_huge;
    _Atomic int heeds_advice;
    _Atomic int can_populate;
    _Atomic int can_alias;
} facts;
enum { YES = 1, NO = 2 };

// Reads the sizes of the base page and of explicit huge pages; 0 when they cannot be read now.
static int
read_page_sizes(size_list *list)
{
    list->sizes[0] = acre_port_page_size();
    list->count = 1;
    int folder = sys_open("/sys/kernel/mm/hugepages", O_RDONLY | O_DIRECTORY);
    if (folder < 0)
        return acre_linux_is_absent("/sys/kernel/mm", folder);
    acre_status status = acre_linux_each_entry(folder, note_size, list);
    sys_close(folder);
    return status == ACRE_OK;
}

int
acre_port_page_sizes(size_t *sizes, size_t capacity)
{
    int count = atomic_load_explicit(&facts.size_count, memory_order_acquire);
    if (count == 0) {
        size_list list;
        if (!read_page_sizes(&list)) {
            insert_size(sizes, capacity, 0, acre_port_page_size());
            return 1;
        }
        count = (int)list.count;
        for (int i = 0; i < count; i++)
            atomic_store_explicit(&facts.sizes[i], list.sizes[i], memory_order_relaxed);
        atomic_store_explicit(&facts.size_count, count, memory_order_release);
    }
    for (size_t i = 0; i < capacity && i < (size_t)count; i++)
        sizes[i] = atomic_load_explicit(&facts.sizes[i], memory_order_relaxed);
    return count;
}

int
acre_linux_may_be_huge(uintptr_t address)
{
    size_t sizes[2];
    if (acre_port_page_sizes(sizes, 2) >= 2)
        return (address & (sizes[1] - 1)) == 0;
    return atomic_load_explicit(&facts.size_count, memory_order_relaxed) == 0;
}

int
acre_linux_has_no_huge_pages(void)
{
    return acre_port_page_sizes(NULL, 0) == 1 &&
           atomic_load_explicit(&facts.size_count, memory_order_relaxed) == 1;
}

size_t
acre_port_default_huge_size(void)
{
    size_t known = atomic_load_explicit(&facts.default_huge, memory_order_relaxed);
    char text[4096];
    size_t sizes[2];
    if (known != 0)
        return known;
    if (acre_port_page_sizes(sizes, 2) < 2)
        return 0;
    if (acre_linux_read_file("/proc/meminfo", text, sizeof text) <= 0)
        return 0;
    uint64_t size = acre_linux_number_of_key(text, "Hugepagesize") * 1024;
    if (size > SIZE_MAX / 2)
        return 0;
    atomic_store_explicit(&facts.default_huge, (size_t)size, memory_order_relaxed);
    return (size_t)size;
}

size_t
acre_port_transparent_huge_size(void)
{
    size_t size = atomic_load_explicit(&facts.transparent_huge, memory_order_relaxed);
    if (size != 0 || atomic_load_explicit(&facts.has_transparent, memory_order_relaxed) == NO)
        return size;
    static const char folder[] = "/sys/kernel/mm";
    char text[32];
    ssize_t got = acre_linux_read_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", text,
                                       sizeof text);
    const char *at = text;
    if (got > 0)
        size = (size_t)acre_linux_take_number(&at);
    if (size != 0)
        atomic_store_explicit(&facts.transparent_huge, size, memory_order_relaxed);
    else if (got < 0 && acre_linux_is_absent(folder, (int)got))
        atomic_store_explicit(&facts.has_transparent, NO, memory_order_relaxed);
    return size;
}

// ---- trying -------------------------------------------------------------------------------------

void *
acre_linux_scratch_pages(size_t size, int protection)
{
    void *pages = NULL;
    acre_status status =
        sys_mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &pages);
    if (status != ACRE_OK)
        return NULL;
    // A process may lock all that it maps, and locked pages take neither markers nor some advice.
    (void)sys_munlock(pages, size);
    return pages;
}

void *
acre_linux_scratch_page(int protection)
{
    return acre_linux_scratch_pages(acre_port_page_size(), protection);
}

// Returns the remembered fact, or calls `find` and remembers its result unless that is -1
// (unknown).
static int
find_once(_Atomic int *fact, int (*find)(void))
{
    int known = atomic_load_explicit(fact, memory_order_relaxed);
    if (known != 0)
        return known == YES;
    int found = find();
    if (found >= 0)
        atomic_store_explicit(fact, found ? YES : NO, memory_order_relaxed);
    return found;
}

static int
probe_heeds_advice(void)
{
    void *page = acre_linux_scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -1;
    acre_status status = sys_madvise(page, acre_port_page_size(), 0x7fff);
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? status != ACRE_OK : -1;
}

int
acre_linux_heeds_advice(void)
{
    return find_once(&facts.heeds_advice, probe_heeds_advice) != 0;
}

int
acre_linux_takes_advice(int advice)
{
    void *page = NULL;
    if (advice == MADV_REMOVE) {  // only for shared memory
        if (sys_mmap(NULL, acre_port_page_size(), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0, &page) != ACRE_OK)
            return -1;
        (void)sys_munlock(page, acre_port_page_size());
    } else {
        page = acre_linux_scratch_page(PROT_READ | PROT_WRITE);
    }
    if (page == NULL)
        return -1;
    acre_status status = linux_advise(page, acre_port_page_size(), advice);
    if (sys_munmap(page, acre_port_page_size()) != ACRE_OK || status == -EAGAIN ||
        status == -ENOMEM)
        return -1;
    return status == ACRE_OK;
}

// An emulator may move or copy the pages instead.
static int
probe_alias(void)
{
    size_t size = acre_port_page_size();
    void *base = NULL;
    void *second = acre_linux_scratch_page(PROT_NONE);
    if (second == NULL)
        return -1;
    if (sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0, &base) !=
        ACRE_OK) {
        (void)sys_munmap(second, size);
        return -1;
    }
    volatile char *one = base;
    volatile char *other = second;
    *one = 1;
    acre_status status = sys_alias(base, size, second);
    int shows = status == ACRE_OK && sys_mprotect(base, size, PROT_READ | PROT_WRITE) == ACRE_OK &&
                *other == 1;
    if (shows) {
        *other = 2;
        shows = *one == 2;
    }
    acre_status ended = sys_munmap(base, size);
    return sys_munmap(second, size) == ACRE_OK && ended == ACRE_OK && status != -ENOMEM ? shows
                                                                                        : -1;
}

static int
probe_mode(void)
{
    char mode[64];
    ssize_t got =
        acre_linux_read_file("/sys/kernel/mm/transparent_hugepage/enabled", mode, sizeof mode);
    if (got < 0)
        return acre_linux_is_absent("/sys/kernel/mm", (int)got) ? 0 : -1;
    return strstr(mode, "[never]") == NULL;
}

int
acre_linux_permits_huge(void)
{
    return find_once(&facts.permits_huge, probe_mode);
}

int
acre_linux_can_alias(void)
{
    return find_once(&facts.can_alias, probe_alias);
}

static int
probe_populate(void)
{
    return acre_linux_takes_advice(LINUX_MADV_POPULATE_READ);
}

int
acre_linux_can_populate(void)
{
    return find_once(&facts.can_populate, probe_populate) == 1;
}

// ---- refusals -----------------------------------------------------------------------------------

// ENOMEM has several causes, and the kernel does not say which.  So try to create a few areas:
// pages with alternating access, each an area of its own.  They are not accounted, so apart from
// the limit on areas only RLIMIT_AS can refuse them, and that refuses the mmap.  This opens no
// file, for which a sandbox may kill the process, and does not count the areas, of which there may
// be 60 000.
acre_status
acre_linux_out_of_memory(void)
{
    // The kernel stops a few areas below the limit when a call splits an area in three or moves
    // one.
    enum { PAGES = 7 };
    size_t page = acre_port_page_size();
    struct rlimit addresses;
    void *base = NULL;
    int saved = errno;
    // An unusual combination of access and flags, so that it rarely merges with a neighbour.
    acre_status status = sys_mmap(NULL, PAGES * page, PROT_READ,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &base);
    if (status != ACRE_OK) {
        int limited = status_of(getrlimit(RLIMIT_AS, &addresses), saved) != ACRE_OK ||
                      addresses.rlim_cur != RLIM_INFINITY;
        return status != -ENOMEM || limited ? -ENOMEM : ACRE_TOO_MANY_AREAS;
    }
    for (size_t i = 1; i < PAGES && status == ACRE_OK; i += 2)
        status = sys_mprotect((char *)base + i * page, page, PROT_NONE);
    (void)sys_munmap(base, PAGES * page);
    return status == -ENOMEM ? ACRE_TOO_MANY_AREAS : -ENOMEM;
}

#endif  // ACRE_ON_LINUX
