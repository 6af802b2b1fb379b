// Linux: capabilities, probed by effect.  Emulators and sandboxes return 0 for calls that they do
// not carry out (qemu-user for any madvise), and distributions backport features to older versions.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/areas.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/memfd.h"
#include "mmap/port/probe.h"

#include <string.h>
#include <sys/auxv.h>

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

// Whether a tool runs this program and carries out its system calls, found without the tool's
// headers.  Valgrind resolves "/proc/self/exe" to the program's path, but other names for the same
// link reach the kernel, which gives the tool's path.  Valgrind also hides the kernel's own code
// (the vDSO).  Where that is visible, skip the links: a sandbox may kill the process for a look.
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
    // Valgrind supports markers from 3.27 on, but ends a program that has more than 500 of them.
    if (runs_in_a_tool())
        return 0;
    void *page = acre_linux_scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -1;
    // getcpu writes to the page, unless the marker prevents that.  (A call that Valgrind handles
    // itself would crash it.)
    int saved = errno;
    int guarded = linux_advise(page, acre_port_page_size(), LINUX_MADV_GUARD_INSTALL) == ACRE_OK &&
                  syscall(SYS_getcpu, page, NULL, NULL) == -1 && errno == EFAULT;
    errno = saved;
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? guarded : -1;
}

static int
probe_jit(void)
{
    int saved = errno;
    void *page = acre_linux_scratch_page(PROT_READ | PROT_WRITE | PROT_EXEC);
    if (page == NULL) {
        void *plain = acre_linux_scratch_page(PROT_READ);
        errno = saved;
        return plain != NULL && sys_munmap(plain, acre_port_page_size()) == ACRE_OK ? 0 : -1;
    }
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? 1 : -1;
}

static acre_status
query_once(void)
{
    int file = acre_linux_open_proc(0, "maps");
    if (file < 0)
        return file;
    acre_status status = acre_linux_query_alive(file);
    sys_close(file);
    return status;
}

static int
probe_query(void)
{
    acre_status status = query_once();
    if (status == -ESRCH && acre_linux_turns_to_thread())
        status = query_once();
    int unknown = status == -ENOTTY || status == -ENOTSUP || status == -EINVAL;
    return status == ACRE_OK ? 1 : unknown ? 0 : -1;
}

enum { PROBE_PAGES = 16 };

// Whether the pagemap reports each of these pages as present (1) or each as not present (0).
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

// An emulator may show the pagemap of its own pages, or of pages of another size.  So check several
// pages in a row, before and after writing to them.
static int
probe_count_resident(void)
{
    int file = acre_linux_open_proc(0, "pagemap");
    if (file < 0)
        return file == -EPERM || file == -EACCES ? 0 : -1;
    size_t size = PROBE_PAGES * acre_port_page_size();
    void *pages =
        acre_linux_scratch_pages(size, PROT_NONE);  // accessible ones may be locked and present
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
    // Read and remember the size too, even if the mode forbids huge pages: the program may be
    // unable to read it later.
    (void)acre_port_transparent_huge_size();
    int permitted = acre_linux_permits_huge();
    if (permitted == 1)
        return sys_forbids_huge() ? -1 : PROBE_NOW;
    return permitted;
}

// A system that can lock may still refuse because of this process's limits.
static int
probe_lock(void)
{
    void *page = acre_linux_scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -1;
    acre_status status = sys_mlock(page, acre_port_page_size());
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? status != -ENOTSUP : -1;
}

static int
probe_lock_on_fault(void)
{
    void *page = acre_linux_scratch_page(PROT_READ | PROT_WRITE);
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
        return acre_linux_has_no_huge_pages() ? 0 : -1;
    void *base = NULL;
    acre_status status =
        sys_mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0, &base);
    if (status == -ENOMEM || status == -EAGAIN)
        return 1;  // but none is free, or the program locks all that it maps and may not map one
    return status == ACRE_OK && sys_munmap(base, size) == ACRE_OK;
}

static int
probe_seal(void)
{
    if (LINUX_IS_ANDROID)
        return 0;
    // Seal an empty range: only a kernel that can seal accepts that, and refuses an unknown flag.
    int saved = errno;
    long none = syscall(LINUX_SYS_mseal, NULL, 0, 0);
    long wrong = syscall(LINUX_SYS_mseal, NULL, 0, 1);
    int error = errno;
    errno = saved;
    return none == 0 && wrong == -1 && error == EINVAL;
}

// Creates an empty object, so that RLIMIT_FSIZE cannot refuse it.
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
    void *page = acre_linux_scratch_page(PROT_READ);
    if (page == NULL)
        return -1;
    // Android's kernels before 5.10 store the pointer: see demand.c.
    int names = sys_name(page, acre_port_page_size(), "acre") == ACRE_OK &&
                !(LINUX_IS_ANDROID && sys_name(page, acre_port_page_size(), "[") == ACRE_OK);
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? names : -1;
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

// Every capability has a probe.
const probe acre_probes[ACRE_CAPABILITY_COUNT] = {
    [ACRE_CAN_EXCLUDE_FROM_DUMPS] = probe_exclude_from_dumps,
    [ACRE_CAN_LOCK] = probe_lock,
    [ACRE_CAN_LOCK_ON_FAULT] = probe_lock_on_fault,
    [ACRE_CAN_HUGE_PAGES] = probe_huge_pages,
    [ACRE_CAN_SEAL] = probe_seal,
    [ACRE_CAN_SEAL_IMAGES] = probe_seal_images,
    [ACRE_CAN_MOVE] = probe_always,
    [ACRE_CAN_TWIN] = probe_twin,
    [ACRE_CAN_NAME] = probe_name,
    [ACRE_CAN_PLACE_ON_NODES] = probe_nodes,
    [ACRE_CAN_GUARD_WITH_MARKERS] = probe_guard_markers,
    [ACRE_CAN_TRANSPARENT_HUGE_PAGES] = probe_transparent_huge_pages,
    [ACRE_CAN_FIX_ADDRESS] = probe_always,
    [ACRE_CAN_REPLACE] = probe_always,
    [ACRE_CAN_WIPE_ON_FORK] = probe_wipe_on_fork,
    [ACRE_CAN_JIT] = probe_jit,
    [ACRE_CAN_QUERY_IN_CONSTANT_TIME] = probe_query,
    [ACRE_CAN_COUNT_RESIDENT_EXACTLY] = probe_count_resident,
};

#endif  // ACRE_ON_LINUX
