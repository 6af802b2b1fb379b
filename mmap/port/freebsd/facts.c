// FreeBSD: page sizes, capabilities, limits, caches.
#include "mmap/port/system.h"

#if ACRE_ON_FREEBSD

#include "mmap/port/freebsd/freebsd.h"

#include <sys/param.h>
#include <sys/resource.h>
#include <sys/sysctl.h>

// ---- page sizes ---------------------------------------------------------------------------------

uint64_t
acre_freebsd_read_number(const char *name)
{
    // Little-endian, like all machines that FreeBSD and acre both support.
    uint64_t value = 0;
    size_t size = sizeof value;
    int saved = errno;
    int told = sysctlbyname(name, &value, &size, NULL, 0) == 0;
    errno = saved;
    return told ? value : 0;
}

// The system makes larger pages by itself, where a whole one was touched; they cannot be requested.
size_t
acre_port_transparent_huge_size(void)
{
    size_t sizes[4];
    int saved = errno;
    int count = getpagesizes(sizes, 4);
    errno = saved;
    return count >= 2 && acre_port_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES) ? sizes[1] : 0;
}

size_t
acre_port_default_huge_size(void)
{
    return 0;
}

int
acre_port_page_sizes(size_t *sizes, size_t capacity)
{
    if (capacity >= 1)
        sizes[0] = acre_port_page_size();
    return 1;
}

// ---- capabilities -------------------------------------------------------------------------------

// Returns whether `act` succeeds on a writable page: 1, 0, or -1 when there is no page.
static int
try_on_page(acre_status (*act)(void *page, size_t size))
{
    void *page = acre_bsd_scratch_page(PROT_READ | PROT_WRITE);
    if (page == NULL)
        return -1;
    acre_status status = act(page, acre_port_page_size());
    return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? status == ACRE_OK : -1;
}

static acre_status
leave_out_of_dumps(void *page, size_t size)
{
    return sys_madvise(page, size, MADV_NOCORE);
}

static int
probe_exclude_from_dumps(void)
{
    return try_on_page(leave_out_of_dumps);
}

static acre_status
wipe_on_fork(void *page, size_t size)
{
    return sys_minherit(page, size, INHERIT_ZERO);
}

static int
probe_wipe_on_fork(void)
{
    return try_on_page(wipe_on_fork);
}

// The system may have the call and this process's limits still refuse it.
static acre_status
lock_if_there(void *page, size_t size)
{
    return sys_mlock(page, size) == -ENOTSUP ? -ENOTSUP : ACRE_OK;
}

static int
probe_lock(void)
{
    return try_on_page(lock_if_there);
}

static int
probe_transparent_huge_pages(void)
{
    return acre_freebsd_read_number("vm.pmap.pg_ps_enabled") != 0 ||
           acre_freebsd_read_number("vm.pmap.superpages_enabled") != 0;
}

static int
probe_jit(void)
{
    void *page = acre_bsd_scratch_page(PROT_READ | PROT_WRITE | PROT_EXEC);
    if (page != NULL)
        return sys_munmap(page, acre_port_page_size()) == ACRE_OK ? 1 : -1;
    void *plain = acre_bsd_scratch_page(PROT_READ);
    return plain != NULL && sys_munmap(plain, acre_port_page_size()) == ACRE_OK ? 0 : -1;
}

static int
probe_twin(void)
{
    int file = acre_freebsd_memory_object(acre_port_page_size(), 0);
    if (file == -EMFILE || file == -ENFILE || file == -ENOMEM)
        return -1;
    if (file < 0)
        return 0;
    sys_close(file);
    return 1;
}

static int
probe_seal_images(void)
{
    int file = acre_freebsd_memory_object(acre_port_page_size(), 1);
    if (file == -EMFILE || file == -ENFILE || file == -ENOMEM)
        return -1;
    if (file < 0)
        return 0;
    int saved = errno;
    int sealed = fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) == 0;
    errno = saved;
    sys_close(file);
    return sealed;
}

// One probe for each capability; none is missing.
const probe acre_probes[ACRE_CAPABILITY_COUNT] = {
    [ACRE_CAN_EXCLUDE_FROM_DUMPS] = probe_exclude_from_dumps,
    [ACRE_CAN_LOCK] = probe_lock,
    [ACRE_CAN_LOCK_ON_FAULT] = probe_never,
    [ACRE_CAN_GUARD_WITH_MARKERS] = probe_never,
    [ACRE_CAN_HUGE_PAGES] = probe_never,
    [ACRE_CAN_TRANSPARENT_HUGE_PAGES] = probe_transparent_huge_pages,
    [ACRE_CAN_FIX_ADDRESS] = probe_always,
    [ACRE_CAN_REPLACE] = probe_always,
    [ACRE_CAN_SEAL] = probe_never,
    [ACRE_CAN_SEAL_IMAGES] = probe_seal_images,
    [ACRE_CAN_WIPE_ON_FORK] = probe_wipe_on_fork,
    [ACRE_CAN_MOVE] = probe_never,
    [ACRE_CAN_TWIN] = probe_twin,
    [ACRE_CAN_JIT] = probe_jit,
    [ACRE_CAN_QUERY_IN_CONSTANT_TIME] = probe_never,
    [ACRE_CAN_COUNT_RESIDENT_EXACTLY] = probe_never,
    [ACRE_CAN_NAME] = probe_never,
    [ACRE_CAN_PLACE_ON_NODES] = probe_never,
};

// ---- limits -------------------------------------------------------------------------------------

static uint64_t
lock_limit(void)
{
    struct rlimit limit;
    int saved = errno;
    if (status_of(getrlimit(RLIMIT_MEMLOCK, &limit), saved) != ACRE_OK)
        return 0;
    uint64_t own = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit.rlim_cur;
    uint64_t user = acre_freebsd_read_number("vm.max_user_wired") * acre_port_page_size();
    return user != 0 && user < own ? user : own;
}

// The first stack ends at the top of the addresses, below a few pages of the system; or, where it
// is placed at random (13.2 on 64 bits), somewhere far below.
uint64_t
acre_port_address_bits(void)
{
#if defined(__x86_64__)
    enum { LEAST = 47 };
#elif defined(__aarch64__)
    enum { LEAST = 48 };
#else
    enum { LEAST = 0 };
#endif
    uint64_t bits = 0;
    for (uint64_t top = acre_freebsd_read_number("kern.usrstack"); top != 0; top >>= 1)
        bits++;
    return bits > LEAST ? bits : LEAST;
}

static uint64_t
commit_limit(void)
{
    enum { ENFORCED = 1, MEMORY_COUNTS = 4 };  // otherwise only swap counts
    uint64_t mode = acre_freebsd_read_number("vm.overcommit");
    if ((mode & ENFORCED) == 0)
        return 0;
    uint64_t limit = acre_freebsd_read_number("vm.swap_total");
    if (mode & MEMORY_COUNTS) {
        uint64_t pages = acre_freebsd_read_number("vm.stats.vm.v_page_count");
        uint64_t taken = acre_freebsd_read_number("vm.stats.vm.v_free_reserved") +
                         acre_freebsd_read_number("vm.stats.vm.v_wire_count");
        limit += pages > taken ? (pages - taken) * acre_port_page_size() : 0;
    }
    // Where nothing is granted, the least that is not 0, which would mean that nothing is enforced.
    return limit != 0 ? limit : acre_port_page_size();
}

acre_status
acre_port_system_read(acre_system *out)
{
    out->physical_memory = acre_freebsd_read_number("hw.physmem");
    out->committed = acre_freebsd_read_number("vm.swap_reserved");
    out->commit_limit = commit_limit();
    out->lock_limit = lock_limit();
    out->address_bits = acre_port_address_bits();
    out->transparent_huge_size = acre_port_transparent_huge_size();
    out->transparent_huge_mode = out->transparent_huge_size != 0 ? 2 : 0;
    return out->physical_memory != 0 ? ACRE_OK : -ENOENT;
}

// ---- caches -------------------------------------------------------------------------------------

void
acre_port_icache_flush(void *start, size_t length)
{
    __builtin___clear_cache((char *)start, (char *)start + length);
}

void
acre_port_jit_write(int allowed)
{
    (void)allowed;  // no such toggle here
}

#endif  // ACRE_ON_FREEBSD
