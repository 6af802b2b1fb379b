#define _DEFAULT_SOURCE
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    // NONBLOCK: a pipe that took the place of a file is not waited for.
    GIVEN = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    FOUND = GIVEN | O_NOFOLLOW
};

// ---- directories --------------------------------------------------------------------------------

// How much of `path` the system takes at once: up to a slash, or all of it.
static size_t
step_length(const char *path)
{
    size_t length = strnlen(path, PATH_MAX);
    if (length < PATH_MAX)
        return length;
    do
        length--;
    while (length > 0 && path[length] != '/');
    return length;
}

static int
open_in_steps(const char *path, int flags)
{
    int at = AT_FDCWD;
    for (;;) {
        char step[PATH_MAX];
        size_t length = step_length(path);
        const char *rest = path + length + strspn(path + length, "/");
        memcpy(step, path, length);
        step[length] = '\0';
        int opened = openat(at, step, *rest == '\0' ? flags : FOUND | O_DIRECTORY);
        int error = errno;
        if (at != AT_FDCWD)
            close(at);
        errno = error;
        if (opened < 0 || *rest == '\0')
            return opened;
        at = opened;
        path = rest;
    }
}

DIR *
system_open_directory(const char *path, int is_given)
{
    int opened = open_in_steps(path, (is_given ? GIVEN : FOUND) | O_DIRECTORY);
    if (opened < 0)
        return NULL;
    DIR *stream = fdopendir(opened);
    if (stream == NULL) {
        int error = errno;
        close(opened);
        errno = error;
    }
    return stream;
}

// ---- files --------------------------------------------------------------------------------------

static int
place_of(const walk_entry *entry)
{
    return entry->in != NULL ? dirfd(entry->in) : AT_FDCWD;
}

static system_type
type_of_mode(mode_t mode)
{
    if (S_ISREG(mode))
        return SYSTEM_FILE;
    return S_ISDIR(mode) ? SYSTEM_DIRECTORY : SYSTEM_OTHER;
}

system_type
system_type_of(const walk_entry *entry, const struct dirent *found)
{
    if (found != NULL && found->d_type != DT_UNKNOWN)
        return type_of_mode((mode_t)DTTOIF(found->d_type));
    struct stat facts;
    int how = entry->is_given ? 0 : AT_SYMLINK_NOFOLLOW;
    if (fstatat(place_of(entry), entry->name, &facts, how) != 0)
        return SYSTEM_UNKNOWN;
    return type_of_mode(facts.st_mode);
}

acre_status
system_open(const walk_entry *entry, acre_file *file, uint64_t *size, system_type *type)
{
    int descriptor = openat(place_of(entry), entry->name, entry->is_given ? GIVEN : FOUND);
    if (descriptor < 0)
        return -errno;
    struct stat facts;
    if (fstat(descriptor, &facts) != 0) {
        acre_status status = -errno;
        close(descriptor);
        return status;
    }
    *file = descriptor;
    *type = type_of_mode(facts.st_mode);
    *size = *type == SYSTEM_FILE ? (uint64_t)facts.st_size : 0;
    return ACRE_OK;
}

void
system_close(acre_file file)
{
    close((int)file);
}

// ---- what it costs ------------------------------------------------------------------------------

size_t
system_address_limit(void)
{
    struct rlimit addresses;
    if (getrlimit(RLIMIT_AS, &addresses) != 0 || addresses.rlim_cur > SIZE_MAX / 2)
        return SIZE_MAX;
    return (size_t)addresses.rlim_cur;
}

// A line "key:   number kB" of what the kernel tells about this process, in bytes.
static uint64_t
kernel_says(const char *key)
{
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL)
        return 0;
    char line[256];
    char found[32];
    unsigned long long kilobytes = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%31[^:]: %llu", found, &kilobytes) == 2 && strcmp(found, key) == 0)
            break;
        kilobytes = 0;
    }
    fclose(file);
    return (uint64_t)kilobytes * 1024;
}

void
system_peaks(uint64_t *resident, uint64_t *reserved)
{
    *resident = kernel_says("VmHWM");
    *reserved = kernel_says("VmPeak");
}
