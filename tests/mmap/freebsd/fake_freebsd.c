// FreeBSD's calls about memory, on Linux.
#include "tests/mmap/freebsd/fake_freebsd.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysctl.h>
#include <sys/sysmacros.h>
#include <sys/user.h>
#include <unistd.h>

#undef mmap
#undef mprotect
#undef syscall

size_t fake_refuse_from;
int fake_inherit_calls;
int fake_table_reads;
const fake_number *fake_numbers;

enum { KVME_TYPE_SWAP = 3, KVME_TYPE_GUARD = 9 };

// ---- areas --------------------------------------------------------------------------------------

// An area as Linux shows it.
typedef struct linux_area {
    unsigned long start, end, offset, inode;
    unsigned major, minor;
    char access[5];
    char path[1024];
    int touched, unaccounted, locked, unsynced;
} linux_area;

// Calls `see` for each; stops when that answers 0.
static void for_each_area(int (*see)(const linux_area *area, void *context), void *context)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[2048];
    linux_area area = {0};
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        linux_area next = {0};
        unsigned long amount;
        if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %1023[^\n]", &next.start, &next.end,
                   next.access, &next.offset, &next.major, &next.minor, &next.inode,
                   next.path) >= 7)
            area = next;
        else if (sscanf(line, "Rss: %lu", &amount) == 1 || sscanf(line, "Swap: %lu", &amount) == 1)
            area.touched |= amount != 0;
        else if (strncmp(line, "VmFlags:", 8) == 0) {
            area.unaccounted = strstr(line, " nr") != NULL;
            area.locked = strstr(line, " lo") != NULL;
            area.unsynced = strstr(line, " rr") != NULL;
            if (!see(&area, context))
                break;
        }
    }
    if (file != NULL)
        fclose(file);
}

static int is_guard(const linux_area *area)
{
    return strcmp(area->access, "---p") == 0 && area->unaccounted && area->inode == 0;
}

// ---- mapping ------------------------------------------------------------------------------------

void *fake_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    unsigned log2 = (unsigned)flags >> 22 & 63;
    size_t alignment = log2 != 0 ? (size_t)1 << log2 : 0;
    int kind = flags & (MAP_SHARED | MAP_PRIVATE | MAP_ANON);
    if (flags & MAP_GUARD) {
        if (protection != PROT_NONE || kind != 0 || file != -1 || offset != 0) {
            errno = EINVAL;
            return MAP_FAILED;
        }
        kind = MAP_PRIVATE | MAP_ANON | MAP_NORESERVE;
    }
    if (flags & MAP_FIXED)
        kind |= flags & MAP_EXCL ? MAP_FIXED_NOREPLACE : MAP_FIXED;
    if (fake_refuse_from != 0 && size >= fake_refuse_from && protection != PROT_NONE &&
        kind & MAP_PRIVATE && kind & MAP_ANON) {
        if (kind & MAP_FIXED)
            munmap(address, size);
        errno = EINVAL;
        return MAP_FAILED;
    }
    char *base = mmap(address, size + alignment, protection, kind, file, offset);
    if (base == MAP_FAILED) {
        errno = errno == EEXIST ? ENOMEM : errno;
        return MAP_FAILED;
    }
    if (alignment != 0) {
        size_t before = (size_t)(-(uintptr_t)base & (alignment - 1));
        if (before != 0)
            munmap(base, before);
        if (alignment != before)
            munmap(base + before + size, alignment - before);
        base += before;
    }
    if (flags & MAP_NOCORE)
        madvise(base, size, MADV_DONTDUMP);
    // Something that the table can be read from again, and that does nothing to memory.
    if (flags & MAP_NOSYNC)
        madvise(base, size, MADV_RANDOM);
    return base;
}

// Other ranges than those of guards.
typedef struct change {
    uintptr_t start, end;
    int protection, result;
} change;

static int protect_area(const linux_area *area, void *context)
{
    change *what = context;
    uintptr_t start = area->start > what->start ? area->start : what->start;
    uintptr_t end = area->end < what->end ? area->end : what->end;
    if (start < end && !is_guard(area))
        what->result = mprotect((void *)start, end - start, what->protection);
    return what->result == 0;
}

int fake_mprotect(void *address, size_t size, int protection)
{
    change what = {(uintptr_t)address, (uintptr_t)address + size, protection, 0};
    for_each_area(protect_area, &what);
    return what.result;
}

int minherit(void *address, size_t size, int inheritance)
{
    static const int ADVICE[] = {MADV_DOFORK, MADV_DOFORK, MADV_DONTFORK, MADV_WIPEONFORK};
    fake_inherit_calls++;
    return madvise(address, size, ADVICE[inheritance]);
}

int getpagesizes(size_t *sizes, int capacity)
{
    if (capacity >= 1)
        sizes[0] = (size_t)sysconf(_SC_PAGESIZE);
    return 1;
}

long fake_sigprocmask(const void *page)
{
    return syscall(SYS_rt_sigprocmask, 99, page, NULL, (long)(_NSIG / 8));
}

// ---- sysctl -------------------------------------------------------------------------------------

// Records, or how much room they take.
typedef struct records {
    char *bytes;
    size_t size, capacity;
    linux_area last;
} records;

static int is_shared_anonymous(const linux_area *area)
{
    return area->access[3] == 's' && strncmp(area->path, "/dev/zero", 9) == 0;
}

static int is_one_area(const linux_area *last, const linux_area *area)
{
    return last->end == area->start && is_shared_anonymous(last) && is_shared_anonymous(area) &&
           strcmp(last->access, area->access) == 0 && last->locked == area->locked &&
           last->unsynced == area->unsynced;
}

static int add_record(const linux_area *area, void *context)
{
    records *to = context;
    if (is_one_area(&to->last, area)) {
        to->last.end = area->end;
        if (to->size <= to->capacity) {
            struct kinfo_vmentry *record =
                (void *)(to->bytes + to->size - sizeof(struct kinfo_vmentry));
            record->kve_end = area->end;
        }
        return 1;
    }
    to->last = *area;
    struct kinfo_vmentry record = {
        .kve_structsize = (int)sizeof record,
        .kve_start = area->start,
        .kve_end = area->end,
        .kve_offset = area->offset,
        .kve_protection = (area->access[0] == 'r' ? KVME_PROT_READ : 0) |
                          (area->access[1] == 'w' ? KVME_PROT_WRITE : 0) |
                          (area->access[2] == 'x' ? KVME_PROT_EXEC : 0),
        .kve_flags = (area->access[3] == 'p' ? KVME_FLAG_COW : 0) |
                     (area->locked ? KVME_FLAG_USER_WIRED : 0),
    };
    int is_memory = area->inode == 0 || strncmp(area->path, "/dev/zero", 9) == 0 ||
                    strncmp(area->path, "/memfd:", 7) == 0;
    if (is_guard(area))
        record.kve_type = KVME_TYPE_GUARD;
    else if (is_memory)
        record.kve_type = area->touched || area->access[3] == 's' ? KVME_TYPE_SWAP : KVME_TYPE_NONE;
    else {
        record.kve_type = KVME_TYPE_VNODE;
        record.kve_vn_fileid = area->inode;
        record.kve_vn_fsid = makedev(area->major, area->minor);
        memcpy(record.kve_path, area->path, sizeof record.kve_path);
    }
    if (to->size + sizeof record <= to->capacity)
        memcpy(to->bytes + to->size, &record, sizeof record);
    to->size += sizeof record;
    return 1;
}

int sysctl(const int *name, unsigned count, void *old, size_t *old_size, const void *to,
           size_t size)
{
    (void)to;
    (void)size;
    if (count != 4 || name[2] != KERN_PROC_VMMAP) {
        errno = ENOENT;
        return -1;
    }
    fake_table_reads++;
    records all = {.bytes = old, .capacity = old != NULL ? *old_size : 0};
    for_each_area(add_record, &all);
    *old_size = all.size;
    if (old != NULL && all.size > all.capacity) {
        errno = ENOMEM;
        return -1;
    }
    return 0;
}

int sysctlbyname(const char *name, void *old, size_t *old_size, const void *to, size_t size)
{
    (void)to;
    (void)size;
    for (const fake_number *at = fake_numbers; at != NULL && at->name != NULL; at++) {
        if (strcmp(at->name, name) == 0 && *old_size >= sizeof at->value) {
            memcpy(old, &at->value, sizeof at->value);
            return 0;
        }
    }
    errno = ENOENT;
    return -1;
}
