// Linux: page sizes, capabilities, limits.
//
// Capabilities are probed by effect: emulators and sandboxes answer 0 to calls that they do not
// carry out (qemu-user to any madvise at all), and distributions carry features to older versions.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/linux.h"

#include <linux/mman.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

// ---- small files --------------------------------------------------------------------------------

ssize_t
acre_linux_read_file(const char *path, char *text, size_t capacity)
{
    int file = sys_open(path, O_RDONLY);
    if (file < 0)
        return file;

    size_t length = 0;
    ssize_t got;
    while (length < capacity - 1 &&
           (got = sys_read(file, text + length, capacity - 1 - length)) != 0) {
        if (got < 0) {
            sys_close(file);
            return got;
        }
        length += (size_t)got;
    }
    sys_close(file);
    text[length] = 0;
    return (ssize_t)length;
}

// Reads digits from *text on; what does not fit is UINT64_MAX.
static uint64_t
take_number(const char **text)
{
    uint64_t value = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        unsigned digit = (unsigned)(**text - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    return value;
}

uint64_t
acre_linux_read_number(const char *path)
{
    char text[32];
    if (acre_linux_read_file(path, text, sizeof text) <= 0)
        return 0;
    const char *at = text;
    return take_number(&at);
}

// The number behind "key:" at the start of a line of `text`; 0 when there is none.
static uint64_t
number_of_key(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0 || line[length] != ':')
            continue;
        line += length + 1;
        line += strspn(line, " \t");
        return take_number(&line);
    }
    return 0;
}

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
            uint64_t size = take_number(&name) * 1024;
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
    uint64_t size = number_of_key(text, "Hugepagesize") * 1024;
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

// ---- capabilities -------------------------------------------------------------------------------

// Pages to try things on; NULL when there are none to be had now.
static void *
scratch_pages(size_t size, int protection)
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

static void *
scratch_page(int protection)
{
    return scratch_pages(acre_port_page_size(), protection);
}

int
acre_linux_heeds_advice(void)
{
    static _Atomic int known = -1;
    int heeds = atomic_load_explicit(&known, memory_order_relaxed);
    if (heeds >= 0)
        return heeds;
    void *page = scratch_page(PROT_READ | PROT_WRITE);
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
        page = scratch_page(PROT_READ | PROT_WRITE);
    }
    if (page == NULL)
        return -1;
    acre_status status = sys_madvise(page, acre_port_page_size(), advice);
    if (sys_munmap(page, acre_port_page_size()) != ACRE_OK || status == -EAGAIN ||
        status == -ENOMEM)
        return -1;
    return status == ACRE_OK;
}

static int
probe_exclude_from_dumps(void)
{
    return acre_linux_takes_advice(MADV_DONTDUMP);
}

static int
probe_wipe_on_fork(void)
{
    return acre_linux_takes_advice(MADV_WIPEONFORK);
}

// Whether a tool carries out this program's system calls: Valgrind answers what "/proc/self/exe" is
// with the program's path, but only under that name; under others the kernel answers with the
// tool's.  Known to the library without the tool's headers.  It also hides the kernel's own code
// (the vDSO): where that is, no file is asked for, since a sandbox may kill for the question.
static int
runs_in_a_tool(void)
{
    enum { KERNEL_CODE = 33 };  // AT_SYSINFO_EHDR, which not all headers have
    char claimed[512], real[512];
    int saved = errno;
    if (getauxval(KERNEL_CODE) != 0)
        return 0;
    ssize_t length = readlink("/proc/self/exe", claimed, sizeof claimed);
    ssize_t real_length = readlink("/proc/thread-self/exe", real, sizeof real);
    errno = saved;
    return length > 0 && real_length > 0 &&
           (length != real_length || memcmp(claimed, real, (size_t)length) != 0);
}

static int
probe_guard_markers(void)
{
    // Valgrind carries out markers from 3.27 on, but ends a program that has more than 500 of them.
    if (runs_in_a_tool())
        return 0;
    void *page = scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -1;
    // The call writes the number of a processor into the page, unless the marker keeps it from
    // that.  (Not one that debuggers carry out themselves: Valgrind would die of it.)
    int saved = errno;
    int guarded = sys_madvise(page, acre_port_page_size(), LINUX_MADV_GUARD_INSTALL) == ACRE_OK &&
                  syscall(SYS_getcpu, page, NULL, NULL) == -1 && errno == EFAULT;
    errno = saved;
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? guarded : -1;
}

static int
probe_jit(void)
{
    int saved = errno;
    void *page = scratch_page(PROT_READ | PROT_WRITE | PROT_EXEC);
    if (page == NULL) {
        void *plain = scratch_page(PROT_READ);
        errno = saved;
        return plain != NULL && sys_munmap(plain, acre_port_page_size()) == ACRE_OK ? 0 : -1;
    }
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? 1 : -1;
}

static int
probe_query(void)
{
    acre_area area;
    acre_status status = acre_linux_query_self((uintptr_t)&area, &area);
    return status == -EMFILE || status == -ENFILE ? -1 : status == ACRE_OK;
}

enum { PROBE_PAGES = 16 };

// Whether the pagemap says of each of these pages that it is present, or of each that it is not.
static int
pages_are(int file, const void *pages, uint64_t present)
{
    uint64_t entries[PROBE_PAGES];
    ssize_t got = sys_pread(file, entries, sizeof entries,
                            (uintptr_t)pages / acre_port_page_size() * sizeof entries[0]);
    int are = got == (ssize_t)sizeof entries;
    for (int i = 0; are && i < PROBE_PAGES; i++)
        are = entries[i] >> 63 == present;
    return are;
}

// An emulator may pass on the pagemap of its own pages, or of pages of another size: several in a
// row are looked at, before and after they are written.
static int
probe_count_resident(void)
{
    int file = sys_open("/proc/self/pagemap", O_RDONLY);
    if (file < 0)
        return file == -EMFILE || file == -ENFILE ? -1 : 0;
    size_t size = PROBE_PAGES * acre_port_page_size();
    void *pages = scratch_pages(size, PROT_NONE);  // accessible ones may come locked and present
    if (pages == NULL || sys_mprotect(pages, size, PROT_READ | PROT_WRITE) != ACRE_OK) {
        sys_close(file);
        if (pages != NULL)
            (void)sys_munmap(pages, size);
        return -1;
    }
    int tells = pages_are(file, pages, 0);
    for (size_t at = 0; at < size; at += acre_port_page_size())
        *((volatile char *)pages + at) = 1;
    tells = tells && pages_are(file, pages, 1);
    sys_close(file);
    return sys_munmap(pages, size) == ACRE_OK ? tells : -1;
}

static int
probe_transparent_huge_pages(void)
{
    char mode[64];
    return acre_linux_read_file("/sys/kernel/mm/transparent_hugepage/enabled", mode, sizeof mode) >
               0 &&
           strstr(mode, "[never]") == NULL;
}

// A call that the system has may still be refused by this process's limits.
static int
probe_lock(void)
{
    void *page = scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -1;
    acre_status status = sys_mlock(page, acre_port_page_size());
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? status != -ENOTSUP : -1;
}

static int
probe_lock_on_fault(void)
{
    void *page = scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -1;
    acre_status status = sys_mlock_on_fault(page, acre_port_page_size());
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK
               ? status != -ENOTSUP && status != -EINVAL
               : -1;
}

static int
probe_huge_pages(void)
{
    size_t size = acre_port_default_huge_size();
    if (size == 0)
        return 0;
    void *base = NULL;
    acre_status status =
        sys_mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0, &base);
    if (status == -ENOMEM || status == -EAGAIN)
        return 1;  // and none is free, or may be mapped by a program that locks all it maps
    return status == ACRE_OK && sys_munmap(base, size) == ACRE_OK;
}

static int
probe_seal(void)
{
    if (LINUX_IS_ANDROID)
        return 0;
    // Sealing nothing, which only a kernel that can seal takes for right.
    int saved = errno;
    long none = syscall(LINUX_SYS_mseal, NULL, 0, 0);
    long wrong = syscall(LINUX_SYS_mseal, NULL, 0, 1);
    int error = errno;
    errno = saved;
    return none == 0 && wrong == -1 && error == EINVAL;
}

// An emulator may move the pages instead, or copy them.
static int
probe_alias(void)
{
    size_t size = acre_port_page_size();
    void *base = NULL;
    void *second = scratch_page(PROT_NONE);
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

// Of no bytes, so that RLIMIT_FSIZE does not forbid it.
static int
probe_object(int sealable)
{
    int file = acre_linux_memory_object("acre", 0, 0);
    if (file == -EMFILE || file == -ENFILE || file == -ENOMEM)
        return -1;
    if (file < 0)
        return 0;
    int works = !sealable || acre_port_image_seal(file) == ACRE_OK;
    sys_close(file);
    return works;
}

static int
probe_twin(void)
{
    return acre_linux_can_alias() == 1 ? 1 : probe_object(0);
}

static int
probe_seal_images(void)
{
    return probe_object(1);
}

static int
probe_name(void)
{
    void *page = scratch_page(PROT_READ);
    if (page == NULL)
        return -1;
    uint32_t flags = 0;
    port_request request = {.size = acre_port_page_size(), .name = "acre"};
    acre_status status = acre_linux_prepare(page, &request, &flags);
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK
               ? status == ACRE_OK && flags & ACRE_GOT_NAME ? 1 : 0
               : -1;
}

static int
probe_nodes(void)
{
    if (LINUX_IS_ANDROID)
        return 0;
    int policy = 0;
    int saved = errno;
    return status_of(syscall(SYS_get_mempolicy, &policy, NULL, 0, NULL, 0), saved) == ACRE_OK;
}

// One for each; none is missing.
const probe acre_probes[ACRE_CAPABILITY_COUNT] = {
    [ACRE_CAN_EXCLUDE_FROM_DUMPS] = probe_exclude_from_dumps,
    [ACRE_CAN_LOCK] = probe_lock,
    [ACRE_CAN_LOCK_ON_FAULT] = probe_lock_on_fault,
    [ACRE_CAN_HUGE_PAGES] = probe_huge_pages,
    [ACRE_CAN_SEAL] = probe_seal,
    [ACRE_CAN_SEAL_IMAGES] = probe_seal_images,
    [ACRE_CAN_MOVE] = acre_probe_always,
    [ACRE_CAN_TWIN] = probe_twin,
    [ACRE_CAN_NAME] = probe_name,
    [ACRE_CAN_PLACE_ON_NODES] = probe_nodes,
    [ACRE_CAN_GUARD_WITH_MARKERS] = probe_guard_markers,
    [ACRE_CAN_TRANSPARENT_HUGE_PAGES] = probe_transparent_huge_pages,
    [ACRE_CAN_FIX_ADDRESS] = acre_probe_always,
    [ACRE_CAN_REPLACE] = acre_probe_always,
    [ACRE_CAN_WIPE_ON_FORK] = probe_wipe_on_fork,
    [ACRE_CAN_JIT] = probe_jit,
    [ACRE_CAN_QUERY_IN_CONSTANT_TIME] = probe_query,
    [ACRE_CAN_COUNT_RESIDENT_EXACTLY] = probe_count_resident,
};

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

// ---- limits -------------------------------------------------------------------------------------

// Lowers *limit to the number in the file, if it holds one ("max" is none).
static void
lower_to_file(const char *path, uint64_t *limit)
{
    uint64_t value = acre_linux_read_number(path);
    // Version 1 writes "none" as the largest multiple of a page below 2^63.
    if (value != 0 && value < (uint64_t)INT64_MAX / 65536 * 65536 &&
        (*limit == 0 || value < *limit))
        *limit = value;
}

// Lowers *limit to those of the control group `group` (0-terminated, begins with '/') and its
// parents.
static void
lower_to_group(const char *root, const char *file, char *group, uint64_t *limit)
{
    char path[768];
    size_t root_length = strlen(root);
    size_t file_length = strlen(file);
    for (size_t length = strlen(group);; length--) {
        if (length == 0 || group[length] == '/' || group[length] == 0) {
            if (root_length + length + file_length + 1 <= sizeof path) {
                char *end = mempcpy(path, root, root_length);
                end = mempcpy(end, group, length);
                strcpy(end, file);
                lower_to_file(path, limit);
            }
        }
        if (length == 0)
            return;
    }
}

static uint64_t
memory_limit(void)
{
    char text[2048];
    uint64_t limit = 0;
    if (acre_linux_read_file("/proc/self/cgroup", text, sizeof text) <= 0)
        return 0;
    // Lines are "id:controllers:path"; version 2 has id 0 and no controllers.
    for (char *line = text; line != NULL && *line != 0;) {
        char *next = strchr(line, '\n');
        if (next != NULL)
            *next++ = 0;
        char *group = strchr(line, '/');
        char *colon = strchr(line, ':');
        if (group != NULL && colon != NULL) {
            if (strncmp(line, "0::", 3) == 0)
                lower_to_group("/sys/fs/cgroup", "/memory.max", group, &limit);
            else if (strstr(colon, "memory") != NULL && strstr(colon, "memory") < group)
                lower_to_group("/sys/fs/cgroup/memory", "/memory.limit_in_bytes", group, &limit);
        }
        line = next;
    }
    return limit;
}

// Whether the kernel lets this process lock what it likes: by a capability, which counts in the
// first user namespace only.
static int
locks_without_limit(void)
{
    enum { IPC_LOCK = 14 };
    char text[4096];
    if (acre_linux_read_file("/proc/self/uid_map", text, sizeof text) <= 0 ||
        strstr(text, "4294967295") == NULL ||
        acre_linux_read_file("/proc/self/status", text, sizeof text) <= 0)
        return 0;
    const char *set = strstr(text, "CapEff:\t");
    if (set == NULL)
        return 0;
    // 16 hexadecimal digits; bit 14 is in the fourth from the right.
    char digit = set[8 + 16 - 1 - IPC_LOCK / 4];
    unsigned value = digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a' + 10);
    return (value >> IPC_LOCK % 4 & 1) != 0;
}

static uint64_t
lock_limit(void)
{
    if (locks_without_limit())
        return UINT64_MAX;
    struct rlimit limit;
    int saved = errno;
    if (status_of(getrlimit(RLIMIT_MEMLOCK, &limit), saved) != ACRE_OK)
        return 0;
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

// The kernel puts these bytes at the very top of the user's addresses; emulators do not, where
// there are 32 bits.
uint64_t
acre_port_address_bits(void)
{
    if (sizeof(void *) == 4)
        return 32;
    uintptr_t top = (uintptr_t)getauxval(AT_RANDOM);
    uint64_t bits = 0;
    for (; top != 0; top >>= 1)
        bits++;
    return bits;
}

acre_status
acre_port_system_read(acre_system *out)
{
    char text[4096];
    ssize_t got = acre_linux_read_file("/proc/meminfo", text, sizeof text);
    if (got < 0)
        return (acre_status)got;

    out->physical_memory = number_of_key(text, "MemTotal") * 1024;
    out->committed = number_of_key(text, "Committed_AS") * 1024;
    out->explicit_huge_free = number_of_key(text, "HugePages_Free");
    uint64_t commit_limit = number_of_key(text, "CommitLimit") * 1024;

    out->overcommit_mode = (uint32_t)acre_linux_read_number("/proc/sys/vm/overcommit_memory");
    out->commit_limit = out->overcommit_mode == 2 ? commit_limit : 0;
    out->area_limit = acre_linux_read_number("/proc/sys/vm/max_map_count");
    out->memory_limit = memory_limit();
    out->address_bits = acre_port_address_bits();

    out->lock_limit = lock_limit();

    out->transparent_huge_size = acre_port_transparent_huge_size();
    if (acre_linux_read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) > 0)
        out->transparent_huge_mode = strstr(text, "[always]") != NULL    ? 2
                                     : strstr(text, "[madvise]") != NULL ? 1
                                                                         : 0;
    return ACRE_OK;
}

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
