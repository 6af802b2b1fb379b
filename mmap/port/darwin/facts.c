// macOS and iOS: page sizes, capabilities, limits, caches.
#include "mmap/port/system.h"

#if ACRE_ON_DARWIN

#include "mmap/port/darwin/darwin.h"

#include <libkern/OSCacheControl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/sysctl.h>

// ---- page sizes ---------------------------------------------------------------------------------

// Superpages exist on x86-64 only, and not under translation.
enum { SUPERPAGE = 2 * 1024 * 1024 };

static int
probe_huge_pages(void)
{
#if TARGET_CPU_X86_64
    port_request request = {
        .size = SUPERPAGE,
        .alignment = SUPERPAGE,
        .page_size = SUPERPAGE,
        .access = ACRE_READ_WRITE,
        .flags = ACRE_MAP_HUGE,
    };
    void *base;
    acre_status status = acre_darwin_map_memory(&request, MACH_PORT_NULL, &base);
    if (status == -ENOMEM)
        return 1;  // they exist, but none is free
    return status == ACRE_OK && sys_munmap(base, SUPERPAGE) == ACRE_OK;
#else
    return 0;
#endif
}

size_t
acre_port_default_huge_size(void)
{
    return acre_port_can(ACRE_CAN_HUGE_PAGES) ? SUPERPAGE : 0;
}

size_t
acre_port_transparent_huge_size(void)
{
    return 0;
}

int
acre_port_page_sizes(size_t *sizes, size_t capacity)
{
    size_t huge = acre_port_default_huge_size();
    if (capacity >= 1)
        sizes[0] = acre_port_page_size();
    if (capacity >= 2 && huge != 0)
        sizes[1] = huge;
    return huge != 0 ? 2 : 1;
}

// ---- capabilities -------------------------------------------------------------------------------

static int
probe_lock(void)
{
    void *page = acre_bsd_scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -1;
    acre_status status = sys_mlock(page, acre_port_page_size());
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? status != -ENOTSUP : -1;
}

static int
probe_jit(void)
{
    port_request request = {
        .size = acre_port_page_size(),
        .alignment = acre_port_page_size(),
        .page_size = acre_port_page_size(),
        .access = ACRE_READ_WRITE_EXEC,
        .flags = ACRE_MAP_JIT,
    };
    void *base;
    acre_status status = acre_bsd_map(&request, &base);
    if (status == -ENOMEM)
        return -1;
    return status == ACRE_OK && sys_munmap(base, acre_port_page_size()) == ACRE_OK;
}

static int
probe_twin(void)
{
    port_request request = {
        .size = acre_port_page_size(),
        .alignment = acre_port_page_size(),
        .page_size = acre_port_page_size(),
        .access = ACRE_READ_WRITE,
    };
    acre_mmap write = {0};
    acre_mmap exec = {0};
    acre_status status = acre_port_twin(&request, &write, &exec);
    if (status == -ENOMEM)
        return -1;
    if (status != ACRE_OK)
        return 0;
    // A write through one must be visible through the other.
    *(volatile char *)write.base = 1;
    int same = *(volatile char *)exec.base == 1;
    acre_status first = sys_munmap(write.base, request.size);
    acre_status second = sys_munmap(exec.base, request.size);
    return first == ACRE_OK && second == ACRE_OK ? same : -1;
}

// One probe for each capability; none is missing.
const probe acre_probes[ACRE_CAPABILITY_COUNT] = {
    [ACRE_CAN_EXCLUDE_FROM_DUMPS] = probe_never,
    [ACRE_CAN_LOCK] = probe_lock,
    [ACRE_CAN_LOCK_ON_FAULT] = probe_never,
    [ACRE_CAN_GUARD_WITH_MARKERS] = probe_never,
    [ACRE_CAN_HUGE_PAGES] = probe_huge_pages,
    [ACRE_CAN_TRANSPARENT_HUGE_PAGES] = probe_never,
    [ACRE_CAN_FIX_ADDRESS] = probe_always,
    [ACRE_CAN_REPLACE] = probe_always,
    [ACRE_CAN_SEAL] = probe_never,
    [ACRE_CAN_SEAL_IMAGES] = probe_never,
    [ACRE_CAN_WIPE_ON_FORK] = probe_never,
    [ACRE_CAN_MOVE] = probe_always,
    [ACRE_CAN_TWIN] = probe_twin,
    [ACRE_CAN_JIT] = probe_jit,
    [ACRE_CAN_QUERY_IN_CONSTANT_TIME] = probe_always,
    [ACRE_CAN_COUNT_RESIDENT_EXACTLY] = probe_never,
    [ACRE_CAN_NAME] = probe_never,
    [ACRE_CAN_PLACE_ON_NODES] = probe_never,
};

// ---- limits -------------------------------------------------------------------------------------

// Reads a 64-bit number; 0 when there is none with that name.
static uint64_t
read_number(const char *name)
{
    uint64_t value = 0;
    size_t size = sizeof value;
    int saved = errno;
    int told = sysctlbyname(name, &value, &size, NULL, 0) == 0 && size == sizeof value;
    errno = saved;
    return told ? value : 0;
}

// The smaller of the process's limit and the system's limit for each user.
static uint64_t
lock_limit(void)
{
    struct rlimit limit;
    int saved = errno;
    if (status_of(getrlimit(RLIMIT_MEMLOCK, &limit), saved) != ACRE_OK)
        return 0;
    uint64_t own = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
    uint64_t user = read_number("vm.user_wire_limit");
    return user != 0 && user < own ? user : own;
}

uint64_t
acre_port_address_bits(void)
{
    task_vm_info_data_t info = {0};
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    if (task_info(mach_task_self(), TASK_VM_INFO, (task_info_t)&info, &count) != KERN_SUCCESS)
        return 0;
    uint64_t bits = 0;
    for (uint64_t top = info.max_address; top > 1; top = (top + 1) / 2)
        bits++;
    return bits;
}

acre_status
acre_port_system_read(acre_system *out)
{
    out->physical_memory = read_number("hw.memsize");
    out->lock_limit = lock_limit();
    out->address_bits = acre_port_address_bits();
    return out->physical_memory != 0 ? ACRE_OK : -ENOENT;
}

// ---- caches -------------------------------------------------------------------------------------

void
acre_port_icache_flush(void *start, size_t length)
{
    sys_icache_invalidate(start, length);
}

void
acre_port_jit_write(int allowed)
{
#if TARGET_OS_OSX && TARGET_CPU_ARM64
    pthread_jit_write_protect_np(!allowed);
#else
    (void)allowed;  // no such toggle here
#endif
}

#endif  // ACRE_ON_DARWIN
