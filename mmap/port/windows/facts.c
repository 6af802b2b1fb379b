// Windows: page sizes, capabilities, limits, files, processes.
//
// Calls newer than Windows 7 are looked up by name, and then tried: wine exports calls that always
// fail.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

// ---- newer calls --------------------------------------------------------------------------------

windows_function
acre_windows_newer(int which)
{
    static const struct {
        const WCHAR *library;
        const char *name;
    } calls[NEWER_COUNT] = {
        [NEWER_VIRTUAL_ALLOC_2] = {L"kernelbase.dll", "VirtualAlloc2"},
        [NEWER_MAP_VIEW_3] = {L"kernelbase.dll", "MapViewOfFile3"},
        [NEWER_UNMAP_VIEW_2] = {L"kernelbase.dll", "UnmapViewOfFile2"},
        [NEWER_PREFETCH] = {L"kernel32.dll", "PrefetchVirtualMemory"},
        [NEWER_WER_EXCLUDE] = {L"kernel32.dll", "WerRegisterExcludedMemoryBlock"},
        [NEWER_SHUTDOWN] = {L"ntdll.dll", "RtlDllShutdownInProgress"},
        [NEWER_WAIT] = {L"kernelbase.dll", "WaitOnAddress"},
        [NEWER_WAKE] = {L"kernelbase.dll", "WakeByAddressAll"},
        [NEWER_WER_INCLUDE] = {L"kernel32.dll", "WerUnregisterExcludedMemoryBlock"},
    };
    static _Atomic uintptr_t found[NEWER_COUNT];
    enum { MISSING = 1 };
    uintptr_t known = atomic_load_explicit(&found[which], memory_order_relaxed);
    if (known == 0) {
        DWORD saved = GetLastError();
        HMODULE library = GetModuleHandleW(calls[which].library);
        FARPROC call = library != NULL ? GetProcAddress(library, calls[which].name) : NULL;
        SetLastError(saved);
        known = call != NULL ? (uintptr_t)call : MISSING;
        atomic_store_explicit(&found[which], known, memory_order_relaxed);
    }
    return known != MISSING ? (windows_function)known : NULL;
}

// ---- page sizes ---------------------------------------------------------------------------------

size_t
acre_port_page_size(void)
{
    return WINDOWS_PAGE;
}

size_t
acre_port_granularity(void)
{
    return WINDOWS_GRANULE;
}

size_t
acre_port_default_huge_size(void)
{
    return GetLargePageMinimum();
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
    if (capacity > 0)
        sizes[0] = WINDOWS_PAGE;
    if (capacity > 1 && huge != 0)
        sizes[1] = huge;
    return huge != 0 ? 2 : 1;
}

// ---- capabilities -------------------------------------------------------------------------------

static int
probe_result(acre_status status)
{
    return status == ACRE_OK ? 1 : status == -ENOMEM ? -1 : 0;
}

static int
probe_exclude_from_dumps(void)
{
    return acre_windows_newer(NEWER_WER_EXCLUDE) != NULL &&
           acre_windows_newer(NEWER_WER_INCLUDE) != NULL;
}

static int
probe_lock(void)
{
    void *page;
    acre_status status =
        sys_alloc(NULL, WINDOWS_PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, &page);
    if (status != ACRE_OK)
        return probe_result(status);
    DWORD saved = GetLastError();
    int locked = VirtualLock(page, WINDOWS_PAGE) || GetLastError() == ERROR_WORKING_SET_QUOTA;
    SetLastError(saved);
    return sys_free(page, 0, MEM_RELEASE) == ACRE_OK ? locked : -1;
}

// Cuts a placeholder, fills it, and makes a part of it a placeholder again.
static int
probe_replace(void)
{
    typedef void *(WINAPI * alloc_2)(HANDLE, void *, SIZE_T, ULONG, ULONG, void *, ULONG);
    alloc_2 alloc = (alloc_2)acre_windows_newer(NEWER_VIRTUAL_ALLOC_2);
    if (alloc == NULL || acre_windows_newer(NEWER_MAP_VIEW_3) == NULL ||
        acre_windows_newer(NEWER_UNMAP_VIEW_2) == NULL)
        return 0;
    enum { PART = WINDOWS_GRANULE, PRESERVE = MEM_RELEASE | WINDOWS_PRESERVE_PLACEHOLDER };
    HANDLE self = GetCurrentProcess();
    DWORD saved = GetLastError();
    DWORD reserve = MEM_RESERVE | WINDOWS_RESERVE_PLACEHOLDER;
    DWORD replace = MEM_RESERVE | WINDOWS_REPLACE_PLACEHOLDER;
    char *held = alloc(self, NULL, 3 * PART, reserve, PAGE_NOACCESS, NULL, 0);
    int works = 0;
    if (held != NULL && alloc(self, held, 3 * PART, replace, PAGE_NOACCESS, NULL, 0) == held) {
        works = VirtualFree(held + PART, PART, PRESERVE) &&
                alloc(self, held + PART, PART, replace, PAGE_NOACCESS, NULL, 0) == held + PART;
    }
    MEMORY_BASIC_INFORMATION part;
    for (char *at = held; held != NULL && at < held + 3 * PART; at += part.RegionSize) {
        if (VirtualQuery(at, &part, sizeof part) == 0)
            break;
        if (part.State != MEM_FREE)
            (void)VirtualFree(part.AllocationBase, 0, MEM_RELEASE);
    }
    SetLastError(saved);
    return works;
}

static int
probe_jit(void)
{
    void *page;
    acre_status status =
        sys_alloc(NULL, WINDOWS_PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE_READWRITE, &page);
    return status == ACRE_OK ? probe_result(sys_free(page, 0, MEM_RELEASE)) : probe_result(status);
}

static int
probe_twin(void)
{
    HANDLE section;
    DWORD protection;
    acre_status status = acre_windows_section(WINDOWS_PAGE, 1, &section, &protection);
    if (status == ACRE_OK)
        sys_close(section);
    // Where no code may be made (acre_windows_most), the section is not executable.
    return status == ACRE_OK ? protection == PAGE_EXECUTE_READWRITE : probe_result(status);
}

static int
probe_huge_pages(void)
{
    return acre_port_default_huge_size() != 0;
}

static int
probe_count_resident(void)
{
    // A page just written is present, one never touched is not.
    void *pages;
    acre_status status =
        sys_alloc(NULL, 2 * WINDOWS_PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, &pages);
    if (status != ACRE_OK)
        return probe_result(status);
    *(volatile char *)pages = 1;
    size_t present = 0;
    status = acre_port_resident(pages, 2 * WINDOWS_PAGE, &present);
    int exact = status == ACRE_OK && present == WINDOWS_PAGE;
    return sys_free(pages, 0, MEM_RELEASE) == ACRE_OK ? exact : -1;
}

static ULONG
highest_node(void)
{
    ULONG highest = 0;
    DWORD saved = GetLastError();
    if (!GetNumaHighestNodeNumber(&highest))
        highest = 0;
    SetLastError(saved);
    return highest;
}

// Whether a page that prefers this node lies on it; returns a probe's result.
static int
probe_node(DWORD node)
{
    void *page;
    acre_status status = sys_alloc_on_node(NULL, WINDOWS_PAGE, MEM_RESERVE | MEM_COMMIT,
                                           PAGE_READWRITE, node + 1, &page);
    if (status != ACRE_OK)
        return probe_result(status);
    *(volatile char *)page = 1;
    PSAPI_WORKING_SET_EX_INFORMATION info = {.VirtualAddress = page};
    DWORD saved = GetLastError();
    int known = QueryWorkingSetEx(GetCurrentProcess(), &info, sizeof info) != 0;
    SetLastError(saved);
    int there = known && info.VirtualAttributes.Valid && info.VirtualAttributes.Node == node;
    return sys_free(page, 0, MEM_RELEASE) == ACRE_OK ? there : -1;
}

// Some nodes have no memory, or none left: where there are several, two that work are proof enough.
static int
probe_nodes(void)
{
    ULONG highest = highest_node();
    int enough = highest != 0 ? 2 : 1;
    int found = 0;
    for (DWORD node = 0; node <= highest && found < enough; node++) {
        int there = probe_node(node);
        if (there < 0)
            return there;
        found += there;
    }
    return found == enough;
}

uint32_t
acre_windows_node_plus_one(uint32_t wanted)
{
    int there = wanted != 0 && wanted - 1 <= highest_node();
    return there && acre_port_can(ACRE_CAN_PLACE_ON_NODES) ? wanted : 0;
}

// One probe for each capability; none is missing.
const probe acre_probes[ACRE_CAPABILITY_COUNT] = {
    [ACRE_CAN_EXCLUDE_FROM_DUMPS] = probe_exclude_from_dumps,
    [ACRE_CAN_LOCK] = probe_lock,
    [ACRE_CAN_LOCK_ON_FAULT] = probe_never,
    [ACRE_CAN_GUARD_WITH_MARKERS] = probe_never,
    [ACRE_CAN_HUGE_PAGES] = probe_huge_pages,
    [ACRE_CAN_TRANSPARENT_HUGE_PAGES] = probe_never,
    [ACRE_CAN_FIX_ADDRESS] = probe_always,
    [ACRE_CAN_REPLACE] = probe_replace,
    [ACRE_CAN_SEAL] = probe_never,
    [ACRE_CAN_SEAL_IMAGES] = probe_never,
    [ACRE_CAN_WIPE_ON_FORK] = probe_always,  // there is no fork
    [ACRE_CAN_MOVE] = probe_never,
    [ACRE_CAN_TWIN] = probe_twin,
    [ACRE_CAN_JIT] = probe_jit,
    [ACRE_CAN_QUERY_IN_CONSTANT_TIME] = probe_always,
    [ACRE_CAN_COUNT_RESIDENT_EXACTLY] = probe_count_resident,
    [ACRE_CAN_NAME] = probe_never,
    [ACRE_CAN_PLACE_ON_NODES] = probe_nodes,
};

// ---- limits -------------------------------------------------------------------------------------

// The memory limit of this process's job.
static uint64_t
memory_limit(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION job;
    if (!QueryInformationJobObject(NULL, JobObjectExtendedLimitInformation, &job, sizeof job, NULL))
        return 0;
    uint64_t limit = 0;
    DWORD set = job.BasicLimitInformation.LimitFlags;
    if (set & JOB_OBJECT_LIMIT_PROCESS_MEMORY)
        limit = job.ProcessMemoryLimit;
    if (set & JOB_OBJECT_LIMIT_JOB_MEMORY && (limit == 0 || job.JobMemoryLimit < limit))
        limit = job.JobMemoryLimit;
    return limit;
}

uint64_t
acre_port_address_limit(void)
{
    return UINT64_MAX;
}

uint64_t
acre_port_address_bits(void)
{
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    uint64_t bits = 0;
    for (uintptr_t top = (uintptr_t)system.lpMaximumApplicationAddress; top != 0; top >>= 1)
        bits++;
    return bits;
}

acre_status
acre_port_system_read(acre_system *out)
{
    DWORD saved = GetLastError();
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    acre_status status = status_of(GlobalMemoryStatusEx(&memory), saved);
    if (status != ACRE_OK)
        return status;
    out->physical_memory = memory.ullTotalPhys;
    PERFORMANCE_INFORMATION machine = {.cb = sizeof machine};
    if (GetPerformanceInfo(&machine, sizeof machine)) {
        out->commit_limit = (uint64_t)machine.CommitLimit * machine.PageSize;
        out->committed = (uint64_t)machine.CommitTotal * machine.PageSize;
    }
    out->memory_limit = memory_limit();
    SetLastError(saved);
    out->address_bits = acre_port_address_bits();
    return ACRE_OK;
}

// ---- files, processes, caches -------------------------------------------------------------------

static acre_status
open_wide(const WCHAR *path, int writable, acre_file *file, uint64_t *size)
{
    // Ask for execute access where permitted, so that a map can be made executable.
    DWORD access = GENERIC_READ | (writable ? GENERIC_WRITE : 0);
    DWORD shared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    DWORD flags = FILE_ATTRIBUTE_NORMAL | FILE_FLAG_BACKUP_SEMANTICS;  // also opens folders
    DWORD saved = GetLastError();
    HANDLE opened =
        CreateFileW(path, access | GENERIC_EXECUTE, shared, NULL, OPEN_EXISTING, flags, NULL);
    if (opened == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED)
        opened = CreateFileW(path, access, shared, NULL, OPEN_EXISTING, flags, NULL);
    acre_status status = status_of(opened != INVALID_HANDLE_VALUE, saved);
    if (status != ACRE_OK)
        return status;
    BY_HANDLE_FILE_INFORMATION info;
    int known = GetFileType(opened) == FILE_TYPE_DISK && GetFileInformationByHandle(opened, &info);
    int folder = known && info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY;
    SetLastError(saved);
    if (!known || folder) {
        sys_close(opened);
        return folder && writable ? -EISDIR : ACRE_NOT_A_FILE;
    }
    *size = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
    *file = (acre_file)opened;
    return ACRE_OK;
}

acre_status
acre_port_file_open(const char *path, int writable, acre_file *file, uint64_t *size)
{
    // The longest path that Windows accepts is too large for a small stack.
    enum { LONGEST = 32768 };
    void *wide;
    acre_status status =
        sys_alloc(NULL, LONGEST * sizeof(WCHAR), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, &wide);
    if (status != ACRE_OK)
        return status;
    DWORD saved = GetLastError();
    int count = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, LONGEST);
    if (count == 0 && GetLastError() == ERROR_INSUFFICIENT_BUFFER)
        status = -ENAMETOOLONG;
    else if (count == 0)
        status = acre_windows_error(GetLastError());
    SetLastError(saved);
    if (status == ACRE_OK)
        status = open_wide(wide, writable, file, size);
    (void)sys_free(wide, 0, MEM_RELEASE);
    return status;
}

void
acre_port_file_close(acre_file file)
{
    sys_close((HANDLE)file);
}

acre_process
acre_port_process_id(void)
{
    return (acre_process)GetCurrentProcessId();
}

void
acre_port_icache_flush(void *start, size_t length)
{
    DWORD saved = GetLastError();
    (void)FlushInstructionCache(GetCurrentProcess(), start, length);  // own process: cannot fail
    SetLastError(saved);
}

void
acre_port_jit_write(int allowed)
{
    (void)allowed;  // no such toggle here
}

#endif  // ACRE_ON_WINDOWS
