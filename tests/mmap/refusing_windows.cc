#include "tests/mmap/refusing_windows.h"

#define PSAPI_VERSION 2  // as the library
#include <windows.h>

#include <psapi.h>

#include <cstdint>
#include <cstring>

#if defined(_WIN64)
#define SLOT(name, bytes) asm("__imp_" #name)
#else
#define SLOT(name, bytes) asm("__imp__" #name "@" #bytes)
#endif

// Where the program has the addresses of the system's functions.
extern "C" {
extern void *imported_alloc SLOT(VirtualAlloc, 16);
extern void *imported_free SLOT(VirtualFree, 12);
extern void *imported_protect SLOT(VirtualProtect, 16);
extern void *imported_lock SLOT(VirtualLock, 8);
extern void *imported_unmap SLOT(UnmapViewOfFile, 4);
extern void *imported_find SLOT(GetProcAddress, 8);
extern void *imported_query SLOT(VirtualQuery, 12);
extern void *imported_query_pages SLOT(K32QueryWorkingSetEx, 12);
}

namespace acre_test {

size_t region_questions;
size_t page_questions;

namespace {

bool refusing;
size_t left;
DWORD refusal;
bool was_refused;
bool whole_pages;
bool access_kept;
bool spoils;
bool grants_large_pages;

bool refused()
{
    if (!refusing || left-- != 0)
        return false;
    refusing = false;
    was_refused = true;
    SetLastError(refusal);
    return true;
}

template <class Function>
Function as(void *address)
{
    Function function;
    std::memcpy(&function, &address, sizeof function);
    return function;
}

template <class Function>
void *address_of(Function function)
{
    void *address;
    std::memcpy(&address, &function, sizeof address);
    return address;
}

using Alloc = void *(WINAPI *)(void *, SIZE_T, DWORD, DWORD);
using Alloc2 = void *(WINAPI *)(HANDLE, void *, SIZE_T, ULONG, ULONG, void *, ULONG);
using Free = BOOL(WINAPI *)(void *, SIZE_T, DWORD);
using Protect = BOOL(WINAPI *)(void *, SIZE_T, DWORD, DWORD *);
using Lock = BOOL(WINAPI *)(void *, SIZE_T);
using Unmap = BOOL(WINAPI *)(const void *);
using MapView3 = void *(WINAPI *)(HANDLE, HANDLE, void *, ULONG64, SIZE_T, ULONG, ULONG, void *,
                                  ULONG);
using UnmapView2 = BOOL(WINAPI *)(HANDLE, void *, ULONG);
using Query = SIZE_T(WINAPI *)(const void *, MEMORY_BASIC_INFORMATION *, SIZE_T);
using QueryPages = BOOL(WINAPI *)(HANDLE, void *, DWORD);
using Find = FARPROC(WINAPI *)(HMODULE, const char *);

void *real_alloc, *real_free, *real_protect, *real_lock, *real_unmap, *real_find;
void *real_query, *real_query_pages;
void *real_alloc_2, *real_map_view_3, *real_unmap_view_2;

void *WINAPI alloc(void *address, SIZE_T size, DWORD type, DWORD protection)
{
    if (spoils && type == MEM_RESET) {
        std::memset(address, 0xee, size);
        return address;
    }
    if (grants_large_pages)
        type &= ~DWORD{MEM_LARGE_PAGES};
    return refused() ? nullptr : as<Alloc>(real_alloc)(address, size, type, protection);
}

SIZE_T WINAPI query(const void *address, MEMORY_BASIC_INFORMATION *info, SIZE_T size)
{
    region_questions++;
    return as<Query>(real_query)(address, info, size);
}

BOOL WINAPI query_pages(HANDLE process, void *pages, DWORD bytes)
{
    page_questions++;
    return as<QueryPages>(real_query_pages)(process, pages, bytes);
}

void *WINAPI alloc_2(HANDLE process, void *address, SIZE_T size, ULONG type, ULONG protection,
                     void *parameters, ULONG count)
{
    return refused() ? nullptr
                     : as<Alloc2>(real_alloc_2)(process, address, size, type, protection,
                                                parameters, count);
}

BOOL WINAPI release(void *address, SIZE_T size, DWORD type)
{
    return refused() ? FALSE : as<Free>(real_free)(address, size, type);
}

BOOL WINAPI protect(void *address, SIZE_T size, DWORD protection, DWORD *old)
{
    if (access_kept) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return FALSE;
    }
    return refused() ? FALSE : as<Protect>(real_protect)(address, size, protection, old);
}

BOOL WINAPI lock(void *address, SIZE_T size)
{
    return refused() ? FALSE : as<Lock>(real_lock)(address, size);
}

BOOL WINAPI unmap(const void *base)
{
    return refused() ? FALSE : as<Unmap>(real_unmap)(base);
}

void *WINAPI map_view_3(HANDLE section, HANDLE process, void *base, ULONG64 offset, SIZE_T size,
                        ULONG type, ULONG protection, void *parameters, ULONG count)
{
    if (refused())
        return nullptr;
    if (whole_pages && size % 4096 != 0) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return nullptr;
    }
    // This system has it otherwise: 0 is all that the file has.
    return as<MapView3>(real_map_view_3)(section, process, base, offset, whole_pages ? 0 : size,
                                         type, protection, parameters, count);
}

BOOL WINAPI unmap_view_2(HANDLE process, void *base, ULONG flags)
{
    return refused() ? FALSE : as<UnmapView2>(real_unmap_view_2)(process, base, flags);
}

BOOL WINAPI adjust(HANDLE, BOOL, void *, DWORD, void *, DWORD *)
{
    SetLastError(ERROR_SUCCESS);
    return TRUE;
}

FARPROC WINAPI find(HMODULE library, const char *name)
{
    static const struct {
        const char *name;
        void **real;
        void *here;
    } led[] = {
        {"VirtualAlloc2", &real_alloc_2, address_of(alloc_2)},
        {"MapViewOfFile3", &real_map_view_3, address_of(map_view_3)},
        {"UnmapViewOfFile2", &real_unmap_view_2, address_of(unmap_view_2)},
    };
    bool named = reinterpret_cast<uintptr_t>(name) > 0xffff;
    if (grants_large_pages && named && std::strcmp(name, "AdjustTokenPrivileges") == 0)
        return as<FARPROC>(address_of(adjust));
    FARPROC found = as<Find>(real_find)(library, name);
    for (const auto &one : led) {
        if (found != nullptr && named && std::strcmp(name, one.name) == 0) {
            *one.real = address_of(found);
            return as<FARPROC>(one.here);
        }
    }
    return found;
}

void lead(void **slot, void *here, void **real)
{
    DWORD old;
    *real = *slot;
    if (VirtualProtect(slot, sizeof *slot, PAGE_READWRITE, &old))
        *slot = here;
}

// Before the library looks for anything.
const bool leads = [] {
    lead(&imported_find, address_of(find), &real_find);
    lead(&imported_alloc, address_of(alloc), &real_alloc);
    lead(&imported_free, address_of(release), &real_free);
    lead(&imported_query, address_of(query), &real_query);
    lead(&imported_query_pages, address_of(query_pages), &real_query_pages);
    lead(&imported_lock, address_of(lock), &real_lock);
    lead(&imported_unmap, address_of(unmap), &real_unmap);
    lead(&imported_protect, address_of(protect), &real_protect);
    return true;
}();

}  // namespace

void refuse_one(size_t passed, unsigned long error)
{
    left = passed;
    refusal = error;
    was_refused = false;
    refusing = true;
}

bool one_was_refused()
{
    refusing = false;
    return was_refused;
}

void demand_whole_pages(bool demanded)
{
    whole_pages = demanded;
}

void grant_large_pages(bool granted)
{
    grants_large_pages = granted;
}

void spoil_what_is_reset(bool spoiled)
{
    spoils = spoiled;
}

void keep_access(bool kept)
{
    access_kept = kept;
}

}  // namespace acre_test
