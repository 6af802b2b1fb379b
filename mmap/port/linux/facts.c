// Linux: page sizes, what the kernel does with advice, what a refusal means.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/files.h"

#include <stdatomic.h>
#include <string.h>

// ---- page sizes ---------------------------------------------------------------------------------

// Puts `size` into ascending order among the first `count` of `sizes`; the largest fall out beyond
// `capacity`.
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

// Fills in the explicit huge pages' sizes behind the base page's; their number with it, or a
// failure.
static int
read_page_sizes(size_t *sizes, size_t capacity)
{
    insert_size(sizes, capacity, 0, acre_port_page_size());
    int count = 1;

    // opendir allocates; the call beneath it does not.
    int folder = sys_open("/sys/kernel/mm/hugepages", O_RDONLY | O_DIRECTORY);
    if (folder < 0)
        return folder == -EMFILE || folder == -ENFILE ? folder : count;
    _Alignas(8) char entries[1024];
    int saved = errno;
    long got;
    while ((got = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
        for (long at = 0; at < got;) {
            // struct linux_dirent64: inode and offset (8 bytes each), length of the record (2),
            // type (1), name.
            unsigned short length;
            memcpy(&length, entries + at + 16, sizeof length);
            const char *name = entries + at + 19;
            at += length;
            if (strncmp(name, "hugepages-", 10) != 0)
                continue;
            name += 10;
            uint64_t size = acre_linux_take_number(&name) * 1024;
            if (size > acre_port_page_size() && size <= SIZE_MAX / 2)
                insert_size(sizes, capacity, (size_t)count++, (size_t)size);
        }
    }
    errno = saved;
    sys_close(folder);
    return count;
}

int
acre_port_page_sizes(size_t *sizes, size_t capacity)
{
    // They do not change while the system runs.
    enum { MOST = 16 };
    static _Atomic size_t known[MOST];
    static _Atomic int known_count;
    int count = atomic_load_explicit(&known_count, memory_order_acquire);
    if (count == 0) {
        size_t found[MOST];
        count = read_page_sizes(found, MOST);
        if (count < 0) {
            insert_size(sizes, capacity, 0, acre_port_page_size());
            return 1;
        }
        count = count < MOST ? count : MOST;
        for (int i = 0; i < count; i++)
            atomic_store_explicit(&known[i], found[i], memory_order_relaxed);
        atomic_store_explicit(&known_count, count, memory_order_release);
    }
    for (size_t i = 0; i < capacity && i < (size_t)count; i++)
        sizes[i] = atomic_load_explicit(&known[i], memory_order_relaxed);
    return count;
}

size_t
acre_linux_smallest_huge_size(void)
{
    static _Atomic size_t known = 1;
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);
    if (size == 1) {
        size_t sizes[2];
        size = acre_port_page_sizes(sizes, 2) >= 2 ? sizes[1] : 0;
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

size_t
acre_port_default_huge_size(void)
{
    char text[4096];
    if (acre_linux_smallest_huge_size() == 0 ||
        acre_linux_read_file("/proc/meminfo", text, sizeof text) <= 0)
        return 0;
    uint64_t size = acre_linux_number_of_key(text, "Hugepagesize") * 1024;
    return size <= SIZE_MAX / 2 ? (size_t)size : 0;
}

size_t
acre_port_transparent_huge_size(void)
{
    static _Atomic size_t known = 1;
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);
    if (size == 1) {
        size = (size_t)acre_linux_read_number("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

// ---- trying -------------------------------------------------------------------------------------

// Pages to try things on; NULL when there are none to be had now.
void *
acre_linux_scratch_pages(size_t size, int protection)
{
    void *pages = NULL;
    acre_status status =
        sys_mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &pages);
    if (status != ACRE_OK)
        return NULL;
    // Of a process that locks all that it maps: markers and some advice are not for locked pages.
    (void)sys_munlock(pages, size);
    return pages;
}

void *
acre_linux_scratch_page(int protection)
{
    return acre_linux_scratch_pages(acre_port_page_size(), protection);
}

int
acre_linux_heeds_advice(void)
{
    static _Atomic int known = -1;
    int heeds = atomic_load_explicit(&known, memory_order_relaxed);
    if (heeds >= 0)
        return heeds;
    void *page = acre_linux_scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return 1;
    int saved = errno;
    heeds = madvise(page, acre_port_page_size(), 0x7fff) == -1;
    errno = saved;
    if (sys_munmap(page, acre_port_page_size()) == ACRE_OK)
        atomic_store_explicit(&known, heeds, memory_order_relaxed);
    return heeds;
}

int
acre_linux_takes_advice(int advice)
{
    void *page = NULL;
    if (advice == MADV_REMOVE) {  // of shared memory alone
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

// An emulator may move the pages instead, or copy them.
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

int
acre_linux_can_alias(void)
{
    static _Atomic int known = -1;
    int can = atomic_load_explicit(&known, memory_order_relaxed);
    if (can < 0) {
        can = probe_alias();
        atomic_store_explicit(&known, can, memory_order_relaxed);
    }
    return can;
}

int
acre_linux_can_populate(void)
{
    static _Atomic int known = -1;
    int can = atomic_load_explicit(&known, memory_order_relaxed);
    if (can < 0) {
        can = acre_linux_takes_advice(LINUX_MADV_POPULATE_READ);
        atomic_store_explicit(&known, can, memory_order_relaxed);
    }
    return can == 1;
}

// ---- refusals -----------------------------------------------------------------------------------

acre_status
acre_linux_out_of_memory(void)
{
    // The kernel keeps a few areas of distance where a call cuts one in three or moves one.
    uint64_t count;
    uint64_t limit = acre_linux_read_number("/proc/sys/vm/max_map_count");
    if (limit != 0 && acre_port_area_count(&count) == ACRE_OK && count + 6 >= limit)
        return ACRE_TOO_MANY_AREAS;
    return -ENOMEM;
}

#endif  // ACRE_ON_LINUX
