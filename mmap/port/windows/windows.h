// mmap/port/windows/windows.h - system calls as the Windows port makes them: failures by value,
// last error kept; and the records that parts of one map share.
#ifndef ACRE_MMAP_PORT_WINDOWS_WINDOWS_H_
#define ACRE_MMAP_PORT_WINDOWS_WINDOWS_H_

// Before the first system header: what Windows 7 has is linked, what came later is looked for.
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#define PSAPI_VERSION 2  // kernel32's own exports

// In the symbol table these carry the library's prefix, as the port's functions do.

#include <errno.h>
#include <stdatomic.h>
#include <windows.h>

#include <psapi.h>

#include "mmap/port/area.h"
#include "mmap/port/memory.h"
#include "mmap/port/probe.h"
#include "mmap/port/thread.h"

// Newer than the headers that acre is built with may be.
enum {
    WINDOWS_COALESCE_PLACEHOLDERS = 0x1,
    WINDOWS_PRESERVE_PLACEHOLDER = 0x2,
    WINDOWS_REPLACE_PLACEHOLDER = 0x4000,
    WINDOWS_RESERVE_PLACEHOLDER = 0x40000
};

enum { WINDOWS_PAGE = 4096, WINDOWS_GRANULE = 64 * 1024 };

// ---- statuses -----------------------------------------------------------------------------------

// What a last error means.
acre_status acre_windows_error(DWORD error);

// `worked` is what a call answered, `saved` the last error from before it.
static inline acre_status
status_of(int worked, DWORD saved)
{
    if (worked)
        return ACRE_OK;
    DWORD error = GetLastError();
    SetLastError(saved);
    acre_status status = acre_windows_error(error);
    return status < 0 ? status : -EIO;  // never the latter: so that compilers see a failure, too
}

static inline void
sys_close(HANDLE handle)
{
    // Of what acre opened; there is nothing that it could be told.
    DWORD saved = GetLastError();
    (void)CloseHandle(handle);
    SetLastError(saved);
}

// `node_plus_one`: where the pages are to lie, also those that are committed later; 0 = wherever.
static inline acre_status
sys_alloc_on_node(void *address, size_t size, DWORD type, DWORD protection, uint32_t node_plus_one,
                  void **base)
{
    DWORD saved = GetLastError();
    void *result = node_plus_one == 0 ? VirtualAlloc(address, size, type, protection)
                                      : VirtualAllocExNuma(GetCurrentProcess(), address, size, type,
                                                           protection, node_plus_one - 1);
    if (result == NULL)
        return status_of(0, saved);
    *base = result;
    return ACRE_OK;
}

static inline acre_status
sys_alloc(void *address, size_t size, DWORD type, DWORD protection, void **base)
{
    return sys_alloc_on_node(address, size, type, protection, 0, base);
}

static inline acre_status
sys_free(void *address, size_t size, DWORD type)
{
    DWORD saved = GetLastError();
    return status_of(VirtualFree(address, size, type), saved);
}

static inline acre_status
sys_protect(void *address, size_t size, DWORD protection)
{
    DWORD saved = GetLastError();
    DWORD old;
    return status_of(VirtualProtect(address, size, protection, &old), saved);
}

// ---- newer calls --------------------------------------------------------------------------------

enum {
    NEWER_VIRTUAL_ALLOC_2,
    NEWER_MAP_VIEW_3,
    NEWER_UNMAP_VIEW_2,
    NEWER_PREFETCH,
    NEWER_WER_EXCLUDE,
    NEWER_WER_INCLUDE,
    NEWER_SHUTDOWN,
    NEWER_COUNT
};

typedef void(WINAPI *windows_function)(void);

// NULL where the system has none.
windows_function acre_windows_newer(int which);

// ---- regions ------------------------------------------------------------------------------------

// Pages of one allocation, state and protection.
typedef struct windows_region {
    char *start;
    size_t length;
    char *allocation;
    DWORD state;       // MEM_FREE, MEM_RESERVE, MEM_COMMIT
    DWORD protection;  // PAGE_*, 0 unless committed
    DWORD type;        // MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE
} windows_region;

// The part of [*at, end) that is one region; *at moves behind it.  0 at the end.
int acre_windows_next_region(uintptr_t *at, uintptr_t end, windows_region *out);

int acre_windows_is_free(uintptr_t start, size_t size);

// ---- records ------------------------------------------------------------------------------------

// What parts of one map have in common.  acre_mmap.backing of each points to it.
//
// Windows gives addresses back by whole allocations, and splitting must not ask it anything: so a
// record counts the bytes of its range that some handle still has, and whoever takes the last of
// them gives back the range.
typedef struct windows_record {
    _Alignas(16) SLIST_ENTRY entry;  // while it is nobody's
    _Atomic uintptr_t start;         // 0 = nobody's
    _Atomic size_t size;             // of whole granules
    _Atomic size_t live;             // bytes that handles have
    struct windows_record *parent;   // whose addresses these are, after REPLACE
    HANDLE section;                  // of the views, to read first contents from; or NULL
    HANDLE file;                     // to flush; or NULL
} windows_record;

static inline windows_record *
windows_record_of(const acre_mmap *map)
{
    return (windows_record *)map->backing;
}

acre_status acre_windows_record_take(windows_record **out);
// Closes what it holds.
void acre_windows_record_drop(windows_record *record);

// ---- building -----------------------------------------------------------------------------------

// A part of a map to be: a view of a section, or with section NULL reserved memory.
typedef struct windows_piece {
    HANDLE section;
    uint64_t offset;
    size_t size;       // bytes of addresses, whole pages; of all but the last piece whole granules
                       // where there are no placeholders
    size_t bytes;      // of a view: what of it the section has; reaches into its last page
    DWORD protection;  // of a view: the most that it will ever need
    uint32_t node_plus_one;  // of memory
} windows_piece;

enum { WINDOWS_TRIES = 64 };  // where another thread may be faster

// VirtualAlloc2; -ENOTSUP where there is none.
acre_status acre_windows_alloc_2(void *address, size_t size, DWORD type, DWORD protection,
                                 uint32_t node_plus_one, void **base);
// A free place of `size` bytes as the request wants it: a placeholder where there are any, else
// free again.
acre_status acre_windows_hold(const port_request *request, size_t size, void **base);

// Makes the pieces, one behind the other, at the place that the request wants, and the record of
// them all, which takes over `section` and `file` (also on failure).
acre_status acre_windows_build(const port_request *request, windows_piece *pieces, size_t count,
                               HANDLE section, HANDLE file, acre_mmap *out);

// Takes a range out of use: private memory is reserved again, a view of a placeholder goes, any
// other becomes inaccessible.
acre_status acre_windows_retire(void *start, size_t length);

// First contents in all of a clone's view, by mapping it again; -ENOTSUP where that cannot be done,
// and nothing happened.
acre_status acre_windows_remap(const acre_mmap *map, void *start, size_t length);

// acre_mmap.private_[1]: the node's number + 1, and whether it was locked by acre_mmap_lock.
enum { WINDOWS_NODE = 0xffff, WINDOWS_WAS_LOCKED = 0x10000 };

static inline uint32_t
windows_node_of(const acre_mmap *map)
{
    return (uint32_t)(map->private_[1] & WINDOWS_NODE);
}

// ---- access -------------------------------------------------------------------------------------

// PAGE_*; `copies`: of a view whose written pages are its own.
DWORD acre_windows_protection(uint32_t access, int copies);

// The same, or without execution where this process may not make code: not even a view of that
// protection is to be had there.
DWORD acre_windows_most(DWORD protection);

// The same of such a view, whose written pages Windows tells of as of private memory.
DWORD acre_windows_as_copying(DWORD protection);

// Views of files and images are copied page by page as they are written.
static inline int
windows_copies(const acre_mmap *map)
{
    return (map->flags & ACRE_IS_CLONE) != 0 ||
           (map->flags & (ACRE_IS_FILE | ACRE_MAP_SHARED)) == ACRE_IS_FILE;
}

// Memory of an object that has no file: all who map it see it change.
static inline int
windows_is_shared_memory(const acre_mmap *map)
{
    return (map->flags & (ACRE_IS_RING | ACRE_IS_TWIN)) != 0 ||
           (map->flags & (ACRE_MAP_SHARED | ACRE_IS_FILE)) == ACRE_MAP_SHARED;
}

// Reservations and private memory that acre may commit.
static inline int
windows_is_committable(const acre_mmap *map)
{
    uint32_t others = ACRE_MAP_SHARED | ACRE_IS_FILE | ACRE_IS_RING | ACRE_IS_TWIN | ACRE_IS_CLONE;
    return (map->flags & others) == 0 && (map->flags & ACRE_MAP_HUGE) == 0;
}

// Commits what is not, and gives all of it this access.
acre_status acre_windows_commit(void *start, size_t length, DWORD protection);
// Every committed page inaccessible; contents stay.
acre_status acre_windows_hide(void *start, size_t length);

acre_status acre_windows_lock(void *start, size_t length);
acre_status acre_windows_unlock(void *start, size_t length);
// Every page present; -ENOMEM where some are not accessible.  `writes`: nobody else's contents.
acre_status acre_windows_populate(void *start, size_t length, int writes);
// Left out of dumps, or not any more.  The system keeps a list of starts, 512 at most.
acre_status acre_windows_exclude(void *start, size_t length, int excluded);
// What is left out from `start` on gets another length.
acre_status acre_windows_exclude_again(void *start, size_t length, size_t next);

// The node that is asked for if there is one of that number, else none.
uint32_t acre_windows_node_plus_one(uint32_t wanted);

// Demands and wishes of a map that was just built; on failure it is unmapped again.
acre_status acre_windows_finish(const port_request *request, acre_mmap *out);
// Whether this system can meet the request's demands at all.
acre_status acre_windows_accept(const port_request *request);

// ---- stacks -------------------------------------------------------------------------------------

// Bytes above an overflow that whoever handles it may use, under a guard of the default size.
enum { WINDOWS_GUARANTEED = 48 * 1024 };

// An address in the guard of the stack that this thread runs on and has overflowed; `address` when
// it lies there.
const void *acre_windows_overflow_at(const void *address);

// ---- objects ------------------------------------------------------------------------------------

// Memory of its own, of `size` bytes.  `*protection` is the most that its views may have.
acre_status acre_windows_section(uint64_t size, HANDLE *out, DWORD *protection);
// Shared memory, files, clones.
acre_status acre_windows_map_object(const port_request *request, acre_mmap *out);

#endif  // ACRE_MMAP_PORT_WINDOWS_WINDOWS_H_
