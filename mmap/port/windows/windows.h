// mmap/port/windows/windows.h - system calls as the Windows port makes them: failures are returned
// as statuses, and the last error is preserved; and the records that parts of one map share.
#ifndef ACRE_MMAP_PORT_WINDOWS_WINDOWS_H_
#define ACRE_MMAP_PORT_WINDOWS_WINDOWS_H_

// Must precede the first system header: calls of Windows 7 are linked, newer ones are looked up at
// run time.
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

#include <errno.h>
#include <stdatomic.h>
#include <windows.h>

#include <psapi.h>

#include "mmap/port/area.h"
#include "mmap/port/memory.h"
#include "mmap/port/probe.h"
#include "mmap/port/thread.h"

// These may be newer than the headers that acre is built with.
enum {
    WINDOWS_COALESCE_PLACEHOLDERS = 0x1,
    WINDOWS_PRESERVE_PLACEHOLDER = 0x2,
    WINDOWS_REPLACE_PLACEHOLDER = 0x4000,
    WINDOWS_RESERVE_PLACEHOLDER = 0x40000
};

enum { WINDOWS_PAGE = 4096, WINDOWS_GRANULE = 64 * 1024 };

// ---- statuses -----------------------------------------------------------------------------------

// The status for a last error.
acre_status acre_windows_error(DWORD error);

// `worked` is the result of a call, `saved` the last error from before it.
static inline acre_status
status_of(int worked, DWORD saved)
{
    if (worked)
        return ACRE_OK;
    DWORD error = GetLastError();
    SetLastError(saved);
    acre_status status = acre_windows_error(error);
    return status < 0 ? status : -EIO;  // -EIO never happens: it shows compilers that this fails
}

static inline void
sys_close(HANDLE handle)
{
    // Closes what acre opened; the caller could do nothing about a failure.
    DWORD saved = GetLastError();
    (void)CloseHandle(handle);
    SetLastError(saved);
}

// `node_plus_one`: the node for the pages, including those committed later; 0 = any.
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
    NEWER_WAIT,
    NEWER_WAKE,
    NEWER_COUNT
};

typedef void(WINAPI *windows_function)(void);

// Returns NULL where the system lacks the call.
windows_function acre_windows_newer(int which);

// ---- regions ------------------------------------------------------------------------------------

// Pages of one allocation with the same state and protection.
typedef struct windows_region {
    char *start;
    size_t length;
    char *allocation;
    DWORD state;             // MEM_FREE, MEM_RESERVE, MEM_COMMIT
    DWORD protection;        // PAGE_*, 0 unless committed
    DWORD type;              // MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE
    DWORD first_protection;  // PAGE_* that the allocation was made with
} windows_region;

// Returns the first region in [*at, end), cut to that range, and moves *at to its end.  Returns 0
// at the end.
int acre_windows_next_region(uintptr_t *at, uintptr_t end, windows_region *out);

// Returns the first allocation in [*at, end), cut to that range, and moves *at to its end.
int acre_windows_next_allocation(uintptr_t *at, uintptr_t end, windows_region *out);

int acre_windows_is_free(uintptr_t start, size_t size);
// Whether the part is all of its allocation.
int acre_windows_is_whole_allocation(const windows_region *part);

// ---- records ------------------------------------------------------------------------------------

// What the parts of one map share.  acre_mmap.backing of each points to it.
//
// Windows releases addresses only by whole allocations, and a split must make no system call.  So a
// record counts the bytes of its range that handles still have, and whoever unmaps the last of them
// releases the range.
typedef struct windows_record {
    _Alignas(16) SLIST_ENTRY entry;  // while the record is free
    _Atomic uintptr_t start;         // 0 = free
    _Atomic size_t size;             // whole granules
    _Atomic size_t live;             // bytes that handles still have
    struct windows_record *parent;   // the owner of these addresses, after REPLACE
    uint64_t order;                  // of maps put in place of others: the newest has the highest
    HANDLE section;                  // the views' section, holds the first contents; or NULL
    uint64_t offset;                 // of each view in the section
    size_t viewed;                   // bytes of each view
    HANDLE file;                     // to flush; or NULL
    _Atomic uintptr_t locked_start;  // all pages that acre_mmap_lock ever locked lie in this range;
    _Atomic uintptr_t locked_end;    // 0 = none
    struct windows_displaced *displaced;  // what the map was put in place of, until it is complete
} windows_record;

static inline windows_record *
windows_record_of(const acre_mmap *map)
{
    return (windows_record *)map->backing;
}

acre_status acre_windows_record_take(windows_record **out);
// Closes the record's handles and frees the record.
void acre_windows_record_drop(windows_record *record);
// Returns the next `order`.
uint64_t acre_windows_record_order(void);
// Returns acre's smallest range that contains all of [start, start + size); NULL = none.
windows_record *acre_windows_record_around(uintptr_t start, size_t size);
// Returns the newest map at the address; NULL = none.
windows_record *acre_windows_owner_of(uintptr_t address);

typedef struct windows_span {
    char *start;
    size_t length;
} windows_span;

// Returns the first part of [*at, end) that no map newer than `record` has, and moves *at to its
// end.  Returns 0 at the end.
int acre_windows_next_owned(const windows_record *record, uintptr_t *at, uintptr_t end,
                            windows_span *out);

// ---- building -----------------------------------------------------------------------------------

// A part of a map to build: a view of a section, or reserved memory if `section` is NULL.
typedef struct windows_piece {
    HANDLE section;
    uint64_t offset;
    size_t size;       // bytes of addresses, whole pages; without placeholders, all pieces but
                       // the last are whole granules
    size_t bytes;      // of a view: the bytes that the section has; ends in the last page
    DWORD protection;  // of a view: the most that it will ever need
    uint32_t node_plus_one;  // for reserved memory
} windows_piece;

enum { WINDOWS_TRIES = 64 };  // where another thread may get there first

// Calls VirtualAlloc2; -ENOTSUP where there is none.
acre_status acre_windows_alloc_2(void *address, size_t size, DWORD type, DWORD protection,
                                 uint32_t node_plus_one, void **base);
// Finds a free place of `size` bytes that meets the request, and holds it with a placeholder or,
// without placeholders, with a plain reservation.
acre_status acre_windows_hold(const port_request *request, size_t size, void **base);

// Builds the pieces, one after the other, at the requested place, and the record for all of them.
// The record takes over `section` and `file`; on failure both are closed.
acre_status acre_windows_build(const port_request *request, windows_piece *pieces, size_t count,
                               HANDLE section, HANDLE file, acre_mmap *out);

// The map is complete: what it was put in place of is not needed any more.
void acre_windows_settle(acre_mmap *map);

// Maps a view in place of a placeholder of its size, or at free addresses.
acre_status acre_windows_make_view(const windows_piece *piece, char *base, int placeholder);
// Reserves memory in place of a placeholder.
acre_status acre_windows_fill(void *base, size_t size, uint32_t node_plus_one);
// `flags`: 0, or WINDOWS_PRESERVE_PLACEHOLDER.
acre_status acre_windows_unmap_view(void *base, DWORD flags);

// ---- replacing ----------------------------------------------------------------------------------

// What was at a place, to put it back.
typedef struct windows_displaced windows_displaced;

// Turns a range inside one of acre's maps into one placeholder.  -ENOTSUP where that is impossible,
// and on any failure the range is as it was.
acre_status acre_windows_displace(uintptr_t start, size_t size, windows_displaced **out);
// Removes whatever has been made at the place since, and puts back what was there: views with what
// they show, private memory with its access and fresh pages.  Drops `displaced`.
void acre_windows_put_back(windows_displaced *displaced);
void acre_windows_displaced_drop(windows_displaced *displaced);

// ---- the rest of building -----------------------------------------------------------------------

// Takes a range out of use: private memory becomes reserved again, a view of a placeholder is
// unmapped, any other view becomes inaccessible.
acre_status acre_windows_retire(void *start, size_t length);

// Restores the first contents of a clone's whole view by mapping it again; -ENOTSUP where that is
// impossible, and nothing was changed.
acre_status acre_windows_remap(const acre_mmap *map, void *start, size_t length);

// acre_mmap.private_[1]: the node's number + 1.
enum { WINDOWS_NODE = 0xffff };

static inline uint32_t
windows_node_of(const acre_mmap *map)
{
    return (uint32_t)(map->private_[1] & WINDOWS_NODE);
}

// ---- access -------------------------------------------------------------------------------------

// Returns PAGE_*.  `copies`: for a view that gets its own copy of each written page.
DWORD acre_windows_protection(uint32_t access, int copies);

// The same protection, or without execution where this process may not make code: there it cannot
// even get a view of that protection.
DWORD acre_windows_most(DWORD protection);

// The same protection as a copying view; Windows reports its written pages like private memory.
DWORD acre_windows_as_copying(DWORD protection);

// Views of files and images are copied page by page as they are written.
static inline int
windows_copies(const acre_mmap *map)
{
    return (map->flags & ACRE_IS_CLONE) != 0 ||
           (map->flags & (ACRE_IS_FILE | ACRE_MAP_SHARED)) == ACRE_IS_FILE;
}

// Memory of an object without a file: all who map it see changes.
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

// Commits what is not committed, and sets this access on all of it.  `alike`: what is committed
// already has it.
acre_status acre_windows_commit(void *start, size_t length, DWORD protection, int alike);
// Makes every committed page inaccessible; contents stay.
acre_status acre_windows_hide(void *start, size_t length);

acre_status acre_windows_lock(void *start, size_t length);
acre_status acre_windows_unlock(void *start, size_t length);
// Makes every page present; -ENOMEM where some are not accessible.  `writes`: may write to pages
// (with the same value), because no one else's contents are at stake.
acre_status acre_windows_populate(void *start, size_t length, int writes);
// Excludes a range from dumps, or includes it again.  The system keeps a list of starts, at most
// 512.
acre_status acre_windows_exclude(void *start, size_t length, int excluded);
// Changes the length of the excluded range that begins at `start`.
acre_status acre_windows_exclude_again(void *start, size_t length, size_t next);

// Returns the lowest page of the range that is present and locked, or the end of the range.
acre_status acre_windows_lowest_locked(const void *start, size_t length, const void **lowest);

// Returns the requested node if there is one with that number, else none.
uint32_t acre_windows_node_plus_one(uint32_t wanted);

// Applies the demands and wishes of a map that was just built; on failure the map is unmapped.
acre_status acre_windows_finish(const port_request *request, acre_mmap *out);
// Whether this system can meet the request's demands at all.
acre_status acre_windows_accept(const port_request *request);

// ---- stacks -------------------------------------------------------------------------------------

// Bytes above an overflow that its handler may use, with a guard of the default size.
enum { WINDOWS_GUARANTEED = 48 * 1024 };

// The most of a new stack that is committed before it grows (//stack asks for it).
enum { WINDOWS_STACK_AT_ONCE = 16 * 1024 };

// Returns an address in the guard of the stack that this thread runs on and has overflowed:
// `address` if it lies there.
const void *acre_windows_overflow_at(const void *address);

// ---- objects ------------------------------------------------------------------------------------

// Creates a section without a file, of `size` bytes.  `*protection` is the most that its views may
// have; executable only if `code`.
acre_status acre_windows_section(uint64_t size, int code, HANDLE *out, DWORD *protection);
// Maps shared memory, files, clones.
acre_status acre_windows_map_object(const port_request *request, acre_mmap *out);

#endif  // ACRE_MMAP_PORT_WINDOWS_WINDOWS_H_
