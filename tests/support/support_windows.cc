#include "tests/support/support.h"

#include <windows.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "tests/support/posix.h"

namespace acre_test {
namespace {

bool query(const void *address, MEMORY_BASIC_INFORMATION *info)
{
    return VirtualQuery(address, info, sizeof *info) != 0 && info->State != MEM_FREE;
}

// ---- a thread that may die of a fault -----------------------------------------------------------

struct Touch {
    volatile char *address;
    bool writes;
    char value;       // read, or to be written
    DWORD exception;  // 0 = none
    DWORD thread;
};

Touch *touch;  // of the thread that runs

LONG CALLBACK end_thread(EXCEPTION_POINTERS *raised)
{
    if (touch == nullptr || touch->thread != GetCurrentThreadId())
        return EXCEPTION_CONTINUE_SEARCH;
    touch->exception = raised->ExceptionRecord->ExceptionCode;
    ExitThread(1);
}

DWORD CALLBACK run(void *)
{
    touch->thread = GetCurrentThreadId();
    if (touch->writes)
        *touch->address = touch->value;
    else
        touch->value = *touch->address;
    return 0;
}

int signal_of(Touch *what)
{
    touch = what;
    void *handler = AddVectoredExceptionHandler(1, end_thread);
    HANDLE thread = CreateThread(nullptr, 0, run, nullptr, 0, nullptr);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    RemoveVectoredExceptionHandler(handler);
    touch = nullptr;
    switch (what->exception) {
    case 0:
        return 0;
    case EXCEPTION_IN_PAGE_ERROR:
        return SIGBUS;
    default:
        return SIGSEGV;
    }
}

}  // namespace

// ---- areas --------------------------------------------------------------------------------------

size_t area_count()
{
    MEMORY_BASIC_INFORMATION info;
    size_t count = 0;
    for (char *at = nullptr; VirtualQuery(at, &info, sizeof info) != 0;) {
        count += info.State != MEM_FREE;
        at = static_cast<char *>(info.BaseAddress) + info.RegionSize;
    }
    return count;
}

std::string areas_between(const char *low, const char *high)
{
    MEMORY_BASIC_INFORMATION info;
    std::string found;
    for (const char *at = low; at < high && VirtualQuery(at, &info, sizeof info) != 0;) {
        char line[100];
        std::snprintf(line, sizeof line, "%p %p %lx %lx\n", info.BaseAddress, info.AllocationBase,
                      info.State, info.State == MEM_COMMIT ? info.Protect : 0);
        if (info.State != MEM_FREE)
            found += line;
        at = static_cast<char *>(info.BaseAddress) + info.RegionSize;
    }
    return found;
}

std::string vm_flags(const void *)
{
    skip("the system tells no flags of an area");
}

bool has_vm_flag(const void *, const char *)
{
    skip("the system tells no flags of an area");
}

size_t smaps_bytes(const void *, const char *)
{
    skip("the system does not tell this of an area");
}

size_t status_bytes(const char *)
{
    skip("the system does not tell this of a process");
}

uint64_t number_in(const std::string &, const std::string &)
{
    skip("the system has no such file");
}

std::string permissions(const void *address)
{
    MEMORY_BASIC_INFORMATION info;
    if (!query(address, &info))
        return "";
    DWORD protection = info.State == MEM_COMMIT ? info.Protect : PAGE_NOACCESS;
    DWORD writable =
        PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    bool copies = (info.AllocationProtect & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)) != 0;
    std::string text = "---p";
    if ((protection & (PAGE_NOACCESS | PAGE_EXECUTE | PAGE_GUARD)) == 0)
        text[0] = 'r';
    if (protection & writable)
        text[1] = 'w';
    if (protection >= PAGE_EXECUTE)
        text[2] = 'x';
    if (info.Type == MEM_MAPPED && !copies)
        text[3] = 's';
    return text;
}

// ---- faults -------------------------------------------------------------------------------------

void need_fork()
{
    skip("there is no fork");
}

Ended in_child(const std::function<int()> &)
{
    need_fork();
    return {};
}

int signal_of_read(const void *address)
{
    Touch what = {const_cast<volatile char *>(static_cast<const volatile char *>(address)), false,
                  0, 0, 0};
    return signal_of(&what);
}

int signal_of_write(void *address)
{
    // There is no child whose memory it would be: what was there is put back.
    Touch before = {static_cast<volatile char *>(address), false, 0, 0, 0};
    bool was_readable = signal_of(&before) == 0;
    Touch what = {static_cast<volatile char *>(address), true, 1, 0, 0};
    int signal = signal_of(&what);
    if (signal == 0 && was_readable)
        *static_cast<volatile char *>(address) = before.value;
    return signal;
}

bool readable(const void *address)
{
    // Not by a system call: wine 8 reads what is protected, too.
    return signal_of_read(address) == 0;
}

// ---- limits, kinds of machines ------------------------------------------------------------------

intptr_t handle_of(int descriptor)
{
    return _get_osfhandle(descriptor);
}

int free_descriptor()
{
    DWORD count = 0;
    GetProcessHandleCount(GetCurrentProcess(), &count);
    return static_cast<int>(count);
}

bool limit_locks(size_t)
{
    return false;
}

bool emulated()
{
    return true;
}

bool keeps_advice()
{
    return true;
}

bool owns_kernel()
{
    return true;
}

bool knows_hidden_pages()
{
    return true;
}

bool shows_kernels_account()
{
    return true;
}

bool tells_bus_errors()
{
    return false;
}

int skip_under_valgrind(const char *)
{
    return 1;
}

}  // namespace acre_test

// ---- POSIX --------------------------------------------------------------------------------------

namespace {

DWORD protection_of(int protection)
{
    static const DWORD table[8] = {
        PAGE_NOACCESS, PAGE_READONLY,     PAGE_READWRITE,         PAGE_READWRITE,
        PAGE_EXECUTE,  PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_READWRITE,
    };
    return table[protection & 7];
}

}  // namespace

void *mmap(void *address, size_t size, int protection, int flags, int, int64_t)
{
    if ((flags & MAP_ANONYMOUS) == 0)
        acre_test::skip("mapping files is acre's here");
    DWORD type = MEM_RESERVE | (protection != PROT_NONE ? MEM_COMMIT : 0);
    void *base = VirtualAlloc(address, size, type, protection_of(protection));
    return base != nullptr ? base : MAP_FAILED;
}

int munmap(void *address, size_t)
{
    return VirtualFree(address, 0, MEM_RELEASE) ? 0 : -1;
}

int mprotect(void *address, size_t size, int protection)
{
    DWORD old;
    return VirtualProtect(address, size, protection_of(protection), &old) ? 0 : -1;
}

ssize_t pread(int descriptor, void *bytes, size_t count, int64_t offset)
{
    int64_t before = _lseeki64(descriptor, 0, SEEK_CUR);
    _lseeki64(descriptor, offset, SEEK_SET);
    ssize_t got = read(descriptor, bytes, static_cast<unsigned>(count));
    _lseeki64(descriptor, before, SEEK_SET);
    return got;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, int64_t offset)
{
    int64_t before = _lseeki64(descriptor, 0, SEEK_CUR);
    _lseeki64(descriptor, offset, SEEK_SET);
    ssize_t put = write(descriptor, bytes, static_cast<unsigned>(count));
    _lseeki64(descriptor, before, SEEK_SET);
    return put;
}

long sysconf(int)
{
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    return static_cast<long>(system.dwPageSize);
}
