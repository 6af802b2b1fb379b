// Windows: areas of this process and others, read with VirtualQueryEx.
//
// An area is what Windows calls a region.  Paths are reported as the kernel names them
// (\Device\HarddiskVolume1\...), in UTF-8.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

enum { LONGEST_PATH = 4096 };

struct port_view {
    HANDLE process;
    uintptr_t position;
    int is_self;
    WCHAR wide[LONGEST_PATH];
    char path[3 * LONGEST_PATH + 1];  // a unit of UTF-16 takes at most three bytes
};
_Static_assert(sizeof(struct port_view) <= PORT_VIEW_SIZE, "area.c provides so much");

// ---- one area -----------------------------------------------------------------------------------

static uint32_t
access_of(DWORD protection)
{
    // A guard page raises an exception on first touch, so it is not accessible yet.
    if (protection & PAGE_GUARD)
        return ACRE_NONE;
    switch (protection & 0xff) {
    case PAGE_READONLY:
        return ACRE_READ;
    case PAGE_READWRITE:
    case PAGE_WRITECOPY:
        return ACRE_READ_WRITE;
    case PAGE_EXECUTE:
        return ACRE_EXEC;
    case PAGE_EXECUTE_READ:
        return ACRE_READ_EXEC;
    case PAGE_EXECUTE_READWRITE:
    case PAGE_EXECUTE_WRITECOPY:
        return ACRE_READ_WRITE_EXEC;
    default:
        return ACRE_NONE;
    }
}

static int
is_shared(const MEMORY_BASIC_INFORMATION *info)
{
    return info->Type == MEM_MAPPED &&
           (info->AllocationProtect & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)) == 0;
}

static void
describe_area(const MEMORY_BASIC_INFORMATION *info, int has_file, acre_area *out)
{
    acre_area area = {
        .start = (uintptr_t)info->BaseAddress,
        .end = (uintptr_t)info->BaseAddress + info->RegionSize,
        .allocation_base = (uintptr_t)info->AllocationBase,
        .page_size = WINDOWS_PAGE,
        .access = info->State == MEM_COMMIT ? access_of(info->Protect) : ACRE_NONE,
    };
    area.flags = (info->State == MEM_RESERVE ? ACRE_AREA_RESERVED : 0) |
                 (is_shared(info) ? ACRE_AREA_SHARED : 0) | (has_file ? ACRE_AREA_FILE : 0);
    if (has_file)
        area.file_offset = area.start - area.allocation_base;  // the view's offset is not reported
    *out = area;
}

// Returns 1, 0 beyond the last address, or a failure.
static acre_status
query_region(HANDLE process, uintptr_t address, MEMORY_BASIC_INFORMATION *info)
{
    DWORD saved = GetLastError();
    size_t got = VirtualQueryEx(process, (void *)address, info, sizeof *info);
    if (got != 0)
        return 1;
    acre_status status = status_of(0, saved);
    return status == -EINVAL ? 0 : status;
}

// Returns the length, in UTF-16 units, of the path of the area's file; 0 when there is none.
static DWORD
file_name(HANDLE process, const MEMORY_BASIC_INFORMATION *info, WCHAR *wide, DWORD capacity)
{
    if (info->State == MEM_FREE || info->Type == MEM_PRIVATE)
        return 0;
    DWORD saved = GetLastError();
    DWORD count = GetMappedFileNameW(process, info->BaseAddress, wide, capacity);
    DWORD error = GetLastError();
    SetLastError(saved);
    if (count == 0 && (error == ERROR_INSUFFICIENT_BUFFER || error == ERROR_MORE_DATA ||
                       error == ERROR_BAD_LENGTH))
        return capacity;
    return count;
}

acre_status
acre_port_area_at(uintptr_t address, acre_area *out)
{
    MEMORY_BASIC_INFORMATION info;
    HANDLE self = GetCurrentProcess();
    acre_status status = query_region(self, address, &info);
    if (status != 1)
        return status == 0 ? ACRE_NOT_MAPPED : status;
    if (info.State == MEM_FREE)
        return ACRE_NOT_MAPPED;
    WCHAR wide[512];
    describe_area(&info, file_name(self, &info, wide, 512) != 0, out);
    return ACRE_OK;
}

// ---- views --------------------------------------------------------------------------------------

// Whether addresses of that process may exceed this program's pointers.
static int
has_wider_addresses(HANDLE process)
{
    BOOL self = FALSE;
    BOOL other = FALSE;
    DWORD saved = GetLastError();
    int known = IsWow64Process(GetCurrentProcess(), &self) && IsWow64Process(process, &other);
    SetLastError(saved);
    return known && self && !other;
}

acre_status
acre_port_view_open(port_view *view, acre_process process, uintptr_t handle[2])
{
    view->is_self = process == 0;
    view->process = GetCurrentProcess();
    if (!view->is_self) {
        DWORD saved = GetLastError();
        view->process = OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ | SYNCHRONIZE,
                                    FALSE, (DWORD)process);
        acre_status status = status_of(view->process != NULL, saved);
        if (status != ACRE_OK)
            return status == -EINVAL ? -ESRCH : status;
        if (has_wider_addresses(view->process)) {
            sys_close(view->process);
            return -EOVERFLOW;
        }
        handle[0] = (uintptr_t)view->process;
    }
    return ACRE_OK;
}

void
acre_port_view_close(const uintptr_t handle[2])
{
    if (handle[0] != 0)
        sys_close((HANDLE)handle[0]);
}

// The failures reported for an ended process vary.
static acre_status
check_alive(const port_view *view, acre_status status)
{
    if (view->is_self)
        return status;
    DWORD saved = GetLastError();
    int ended = WaitForSingleObject(view->process, 0) == WAIT_OBJECT_0;
    SetLastError(saved);
    return ended ? -ESRCH : status;
}

static void
describe_with_path(port_view *view, const MEMORY_BASIC_INFORMATION *info, acre_area *out)
{
    DWORD count = file_name(view->process, info, view->wide, LONGEST_PATH);
    describe_area(info, count != 0, out);
    if (count == 0 || count == LONGEST_PATH)
        return;
    DWORD saved = GetLastError();
    int length = WideCharToMultiByte(CP_UTF8, 0, view->wide, (int)count, view->path,
                                     (int)sizeof view->path - 1, NULL, NULL);
    SetLastError(saved);
    if (length <= 0)
        return;
    view->path[length] = 0;
    out->path = view->path;
}

acre_status
acre_port_view_next(port_view *view, acre_area *out)
{
    MEMORY_BASIC_INFORMATION info;
    do {
        acre_status status = query_region(view->process, view->position, &info);
        if (status != 1)
            return check_alive(view, status);
        uintptr_t end = (uintptr_t)info.BaseAddress + info.RegionSize;
        // The last region may end where the addresses end.
        view->position = end > view->position ? end : UINTPTR_MAX;
    } while (info.State == MEM_FREE);
    describe_with_path(view, &info, out);
    return 1;
}

acre_status
acre_port_view_seek(port_view *view, uintptr_t address)
{
    view->position = address;
    return check_alive(view, ACRE_OK);
}

acre_status
acre_port_view_query(port_view *view, uintptr_t address, acre_area *out)
{
    MEMORY_BASIC_INFORMATION info;
    acre_status status = query_region(view->process, address, &info);
    if (status != 1 || info.State == MEM_FREE)
        return check_alive(view, status < 0 ? status : ACRE_NOT_MAPPED);
    describe_with_path(view, &info, out);
    return ACRE_OK;
}

acre_status
acre_port_area_count(uint64_t *out)
{
    MEMORY_BASIC_INFORMATION info;
    uint64_t count = 0;
    acre_status status;
    for (uintptr_t at = 0; (status = query_region(GetCurrentProcess(), at, &info)) == 1;) {
        count += info.State != MEM_FREE;
        uintptr_t end = (uintptr_t)info.BaseAddress + info.RegionSize;
        if (end <= at)
            break;
        at = end;
    }
    if (status < 0)
        return status;
    *out = count;
    return ACRE_OK;
}

#endif  // ACRE_ON_WINDOWS
