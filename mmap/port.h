// mmap/port.h - what acre needs of an operating system.
//
// Each system has one implementation, port_<system>*.c, the only files that include a system
// header.  Everything above calls these functions and is the same everywhere.
//
// Conventions
//   Arguments have been checked: ranges lie inside their map, offsets and lengths are multiples of
//   the map's page size where the public call wants that, a length is never 0, flags are known and
//   do not contradict one another. A status comes back by value; errno (and Windows' last error) is
//   left as it was found.  A failure leaves what the header of the public call says.  What a system
//   cannot do is -ENOTSUP, decided by port_can() or by trying, never by version. Nothing here calls
//   malloc, writes anything out, or keeps a lock across a system call. `map` gives the context
//   (kind, flags, page size); unless it is an out-parameter only its backing and private_ words may
//   be changed.
//
// In the symbol table every name carries the library's prefix, so that a program's own port_open()
// does not clash.
#ifndef ACRE_MMAP_PORT_H_
#define ACRE_MMAP_PORT_H_

#include "acre/area.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/status.h"

#define port_page_size acre_port_page_size
#define port_granularity acre_port_granularity
#define port_page_sizes acre_port_page_sizes
#define port_can acre_port_can
#define port_pretend_without acre_port_pretend_without
#define port_pretend_nothing acre_port_pretend_nothing
#define port_system_read acre_port_system_read
#define port_map acre_port_map
#define port_unmap acre_port_unmap
#define port_commit acre_port_commit
#define port_decommit acre_port_decommit
#define port_is_reserved acre_port_is_reserved
#define port_can_account acre_port_can_account
#define port_protect acre_port_protect
#define port_guard acre_port_guard
#define port_unguard acre_port_unguard
#define port_discard acre_port_discard
#define port_populate acre_port_populate
#define port_lock acre_port_lock
#define port_lock_on_fault acre_port_lock_on_fault
#define port_unlock acre_port_unlock
#define port_flush acre_port_flush
#define port_advise acre_port_advise
#define port_resize acre_port_resize
#define port_seal acre_port_seal
#define port_discard_many acre_port_discard_many
#define port_ring acre_port_ring
#define port_twin acre_port_twin
#define port_image_begin acre_port_image_begin
#define port_image_seal acre_port_image_seal
#define port_image_close acre_port_image_close
#define port_transparent_huge_size acre_port_transparent_huge_size
#define port_default_huge_size acre_port_default_huge_size
#define port_resident acre_port_resident
#define port_lowest_touched acre_port_lowest_touched
#define port_continues acre_port_continues
#define port_icache_flush acre_port_icache_flush
#define port_jit_write acre_port_jit_write
#define port_file_open acre_port_file_open
#define port_file_close acre_port_file_close
#define port_process_id acre_port_process_id
#define port_area_at acre_port_area_at
#define port_view_open acre_port_view_open
#define port_view_close acre_port_view_close
#define port_view_next acre_port_view_next
#define port_view_seek acre_port_view_seek
#define port_view_query acre_port_view_query
#define port_area_count acre_port_area_count

ACRE_EXTERN_C_BEGIN

// ---- facts --------------------------------------------------------------------------------------

size_t port_page_size(void);
size_t port_granularity(void);
/// As acre_page_sizes.
int port_page_sizes(size_t *sizes, size_t capacity);
/// The page size of ACRE_MAP_HUGE without one; 0 = there are no huge pages.
size_t port_default_huge_size(void);
/// Of transparent huge pages; 0 = there are none.
size_t port_transparent_huge_size(void);
/// As acre_can, for known values.  Each is probed once, by effect.
int port_can(acre_capability what);
acre_status port_system_read(acre_system *out);

/// For tests: port_can(what) is 0 from here on, and the port goes the way that it goes where this
/// is missing.
void port_pretend_without(acre_capability what);
/// Ends all pretending.
void port_pretend_nothing(void);

// ---- maps ---------------------------------------------------------------------------------------

typedef struct port_request {
    void *address;           // a wish; with FIXED or REPLACE a demand, a multiple of `alignment`
    size_t size;             // bytes, > 0, a multiple of page_size
    size_t alignment;        // a power of two, at least page_size
    size_t page_size;        // with ACRE_MAP_HUGE of huge pages
    uintptr_t near_address;  // with reach > 0: all bytes within `reach` of it
    size_t reach;
    const char *name;        // a wish; may be NULL
    uint64_t offset;         // of a file: a multiple of the granularity
    acre_file file;          // with ACRE_IS_FILE and ACRE_IS_CLONE
    uint32_t access;         // write comes with read
    uint32_t flags;          // ACRE_MAP_*, one of ACRE_IS_FILE, _RESERVATION, _CLONE
    uint32_t node_plus_one;  // a wish
} port_request;

/// Maps what is asked for and sets out->base, backing, private_ and flags: those of the request
/// without FIXED, REPLACE and wishes that were not granted.  On failure nothing is left mapped, and
/// nothing lost but what REPLACE may lose.
acre_status port_map(const port_request *request, acre_mmap *out);

/// The whole map.
acre_status port_unmap(acre_mmap *map);

/// Accessible as `access` and accounted, with the demands in map->flags; contents stay.
acre_status port_commit(acre_mmap *map, void *start, size_t length, uint32_t access);
/// Reserved again: contents and accounting returned, demands in map->flags in force for the next
/// commit.
acre_status port_decommit(acre_mmap *map, void *start, size_t length);
/// Whether all of the range is inaccessible and none of it has contents.
int port_is_reserved(const void *start, size_t length);
/// ACRE_OK when so many bytes of private memory could be committed now.
acre_status port_can_account(size_t length);
acre_status port_protect(acre_mmap *map, void *start, size_t length, uint32_t access);

/// `*kind` is the ACRE_HAS_*_GUARDS that the range got.
acre_status port_guard(acre_mmap *map, void *start, size_t length, uint32_t *kind);
/// `set_access`: the range may have another access than the map's.
acre_status port_unguard(acre_mmap *map, void *start, size_t length, int set_access);
acre_status port_discard(acre_mmap *map, void *start, size_t length, uint32_t when);
/// Ranges of whole base pages; *done counts those handled, also on failure.
acre_status port_discard_many(const acre_range *ranges, size_t count, uint32_t when, size_t *done);
acre_status port_populate(acre_mmap *map, void *start, size_t length);

/// `start` and `length` are whole base pages in these five.
acre_status port_lock(acre_mmap *map, void *start, size_t length);
acre_status port_lock_on_fault(acre_mmap *map, void *start, size_t length);
acre_status port_unlock(acre_mmap *map, void *start, size_t length);
/// Of a shared file map.
acre_status port_flush(acre_mmap *map, void *start, size_t length, uint32_t how);
acre_status port_resident(const void *start, size_t length, size_t *bytes);
/// The lowest page of private anonymous memory that was touched since it was fresh; start + length
/// when none was.
acre_status port_lowest_touched(const void *start, size_t length, const void **lowest);

/// ACRE_OK when `next` continues `map` in the same file, else ACRE_BACKING_MISMATCH.
acre_status port_continues(const acre_mmap *map, const acre_mmap *next);

/// All-or-nothing for the handle: base and size change on success only.  `size` is a multiple of
/// the page size, not the old size.
acre_status port_resize(acre_mmap *map, size_t size, uint32_t how);
acre_status port_advise(acre_mmap *map, void *start, size_t length, acre_advice advice);
acre_status port_seal(acre_mmap *map);

/// Objects of several maps.  request->size is that of a lap, of each twin; flags, base and the like
/// of the outs are set.
acre_status port_ring(const port_request *request, acre_mmap *out);
acre_status port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec);

/// Image memory: `*file` is what port_map maps with ACRE_IS_CLONE.
acre_status port_image_begin(size_t size, acre_file *file, acre_mmap *fill);
/// Immutable from here on; no writable map of it is left in this process.
acre_status port_image_seal(acre_file file);
acre_status port_image_close(acre_file file);

void port_icache_flush(void *start, size_t length);
void port_jit_write(int allowed);

// ---- files and processes ------------------------------------------------------------------------

/// Opens a file for acre_mmap_path, closed on exec; `writable`: for reading and writing.
/// Directories and what has no size report a size of 0.
acre_status port_file_open(const char *path, int writable, acre_file *file, uint64_t *size);
void port_file_close(acre_file file);

acre_process port_process_id(void);

// ---- areas --------------------------------------------------------------------------------------

/// The area at `address` in this process, path and name NULL.  Maps nothing, async-signal-safe
/// where area.h says so.
acre_status port_area_at(uintptr_t address, acre_area *out);

/// The port's part of a view, in PORT_VIEW_SIZE zeroed bytes that area.c provides.
typedef struct port_view port_view;

/// Room for the port's state, a path, and two lines of the system's text with paths of 4096 bytes
/// written as four characters each.
enum { PORT_VIEW_SIZE = 48 * 1024 - 64 };

/// `*handle` is what port_view_close closes, without a look at the view.
acre_status port_view_open(port_view *view, acre_process process, uintptr_t handle[2]);
void port_view_close(const uintptr_t handle[2]);
/// As acre_areas_next, but an area may begin below the end of the one before when the map changed
/// meanwhile.
acre_status port_view_next(port_view *view, acre_area *out);
acre_status port_view_seek(port_view *view, uintptr_t address);
acre_status port_view_query(port_view *view, uintptr_t address, acre_area *out);

/// Areas of this process; maps nothing.
acre_status port_area_count(uint64_t *out);

ACRE_EXTERN_C_END

#endif  // ACRE_MMAP_PORT_H_
