// Linux: how much memory the system has, and the limits of this process.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/files.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>

// Lowers *limit to the number in the file, if the file holds one ("max" is not a number).
static void
lower_to_file(const char *path, uint64_t *limit)
{
    uint64_t value = acre_linux_read_number(path);
    // Version 1 reports "no limit" as the largest multiple of a page below 2^63.
    if (value != 0 && value < (uint64_t)INT64_MAX / 65536 * 65536 &&
        (*limit == 0 || value < *limit))
        *limit = value;
}

// Lowers *limit to the limits of the control group `group` (starts with '/') and its parents.
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

// Parses a line "id:controllers:path"; version 2 has id 0 and no controllers.
static void
lower_to_line(char *line, uint64_t *limit)
{
    char *group = strchr(line, '/');
    char *colon = strchr(line, ':');
    if (group == NULL || colon == NULL)
        return;
    char *memory = strstr(colon, "memory");
    if (strncmp(line, "0::", 3) == 0)
        lower_to_group("/sys/fs/cgroup", "/memory.max", group, limit);
    else if (memory != NULL && memory < group)
        lower_to_group("/sys/fs/cgroup/memory", "/memory.limit_in_bytes", group, limit);
}

// Version 1 has a dozen lines, and the paths of containers are long.
static uint64_t
memory_limit(void)
{
    char bytes[4096];
    linux_window text = {
        .file = acre_linux_open_proc(0, "cgroup"), .capacity = sizeof bytes, .bytes = bytes};
    uint64_t limit = 0;
    if (text.file < 0)
        return 0;
    char *line = NULL;
    size_t length = 0;
    while (acre_linux_take_line(&text, &line, &length) == 1)
        lower_to_line(line, &limit);
    sys_close(text.file);
    return limit;
}

// Whether the kernel lets this thread lock any amount of memory.  That takes a capability, which
// counts only in the first user namespace.
static int
locks_without_limit(void)
{
    enum { IPC_LOCK = 14, VERSION_3 = 0x20080522 };
    struct {
        uint32_t version;
        int process;
    } header = {VERSION_3, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } sets[2] = {{0}};
    int saved = errno;
    if (status_of(syscall(SYS_capget, &header, sets), saved) != ACRE_OK ||
        (sets[0].effective >> IPC_LOCK & 1) == 0)
        return 0;
    char text[64];
    int file = acre_linux_open_proc(0, "uid_map");
    if (file < 0)
        return 0;
    ssize_t got = sys_read(file, text, sizeof text - 1);
    sys_close(file);
    text[got > 0 ? got : 0] = 0;
    return strstr(text, "4294967295") != NULL;
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

// The kernel places the AT_RANDOM bytes at the very top of the user's addresses.  Emulators of
// 32-bit systems do not.
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

    out->physical_memory = acre_linux_number_of_key(text, "MemTotal") * 1024;
    out->committed = acre_linux_number_of_key(text, "Committed_AS") * 1024;
    out->explicit_huge_free = acre_linux_number_of_key(text, "HugePages_Free");
    uint64_t commit_limit = acre_linux_number_of_key(text, "CommitLimit") * 1024;

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

#endif  // ACRE_ON_LINUX
