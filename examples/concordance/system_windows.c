// Windows: paths in the program's code page, as its arguments are, and no longer than MAX_PATH.
#include "system.h"

#include <errno.h>
#include <stdio.h>
#include <windows.h>

#include <psapi.h>

// The entry's path; 0 when it is too long.
static int
path_of(const walk_entry *entry, char path[MAX_PATH])
{
    const char *slash = entry->directory[0] != '\0' ? "/" : "";
    int length = snprintf(path, MAX_PATH, "%s%s%s", entry->directory, slash, entry->name);
    if (length >= 0 && length < MAX_PATH)
        return 1;
    errno = ENAMETOOLONG;
    return 0;
}

static int
error_number(void)
{
    switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
        return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
        return EACCES;
    case ERROR_TOO_MANY_OPEN_FILES:
        return EMFILE;
    default:
        return EIO;
    }
}

DIR *
system_open_directory(const char *path, int is_given)
{
    (void)is_given;  // links that were found are passed over
    return opendir(path);
}

system_type
system_type_of(const walk_entry *entry, const struct dirent *found)
{
    (void)found;
    char path[MAX_PATH];
    if (!path_of(entry, path))
        return SYSTEM_UNKNOWN;
    DWORD facts = GetFileAttributesA(path);
    if (facts == INVALID_FILE_ATTRIBUTES) {
        errno = error_number();
        return SYSTEM_UNKNOWN;
    }
    if (facts & FILE_ATTRIBUTE_DEVICE || (facts & FILE_ATTRIBUTE_REPARSE_POINT && !entry->is_given))
        return SYSTEM_OTHER;
    return facts & FILE_ATTRIBUTE_DIRECTORY ? SYSTEM_DIRECTORY : SYSTEM_FILE;
}

acre_status
system_open(const walk_entry *entry, acre_file *file, uint64_t *size, system_type *type)
{
    char path[MAX_PATH];
    if (!path_of(entry, path))
        return -errno;
    DWORD sharing = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE opened = CreateFileA(path, GENERIC_READ, sharing, NULL, OPEN_EXISTING, 0, NULL);
    if (opened == INVALID_HANDLE_VALUE)
        return -error_number();
    LARGE_INTEGER length;
    if (!GetFileSizeEx(opened, &length)) {
        acre_status status = -error_number();
        CloseHandle(opened);
        return status;
    }
    *file = (acre_file)opened;
    *type = SYSTEM_FILE;
    *size = (uint64_t)length.QuadPart;
    return ACRE_OK;
}

void
system_close(acre_file file)
{
    CloseHandle((HANDLE)file);
}

size_t
system_address_limit(void)
{
    return SIZE_MAX;
}

void
system_peaks(uint64_t *resident, uint64_t *reserved)
{
    PROCESS_MEMORY_COUNTERS counters;
    int told = GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters);
    *resident = told ? counters.PeakWorkingSetSize : 0;
    *reserved = told ? counters.PeakPagefileUsage : 0;
}
