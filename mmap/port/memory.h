// mmap/port/memory.h - what acre needs from an operating system: memory, facts, files.
//
// Each system has one implementation in its own folder; posix/ and bsd/ hold what several systems
// share.  Only these files include system headers.  Everything above them calls these functions and
// is the same on every system.  docs/architecture.md explains how to add a system;
// tests/mmap/port_test tests this contract.
//
// Rules for every function
//   The caller has checked the arguments: ranges lie inside their map, offsets and lengths are
//   multiples of the map's page size where the public call requires that, a length is never 0,
//   flags are known and do not contradict one another, out-parameters are not NULL.  A range may
//   contain pages in different states.  `map` gives the context (kind, flags, page size).  Unless
//   it is an out-parameter, a function may change only its backing and private_[1]; it may read
//   private_[0] (mmap/check.h).
//
//   A function returns its status and preserves errno (and Windows' last error).  The status is the
//   system's error as -errno unless the function says otherwise.  Out-parameters are set only on
//   success.  A failure leaves the set of maps unchanged.  In a range with pages in different
//   states, a prefix may have been changed; it must be possible to repeat or undo that.
//
//   A function returns -ENOTSUP for what the system cannot do, never does it in part and never
//   silently leaves it out.  It decides by acre_port_can() or by trying, never by version.  Users
//   rely on acre_port_can() and the status.
//
//   No function calls malloc, writes output, or holds a lock across a system call.  Several threads
//   may call them at once for different maps.  A function is async-signal-safe wherever mmap.h or
//   area.h promises that for the public call built on it.
#ifndef ACRE_MMAP_PORT_MEMORY_H_
#define ACRE_MMAP_PORT_MEMORY_H_

#include "acre/area.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

// ---- facts --------------------------------------------------------------------------------------

/// Powers of two that never change; the granularity is a multiple of the page size.
size_t acre_port_page_size(void);
size_t acre_port_granularity(void);
/// As acre_page_sizes: only sizes for ACRE_MAP_HUGE.  `sizes` may be NULL when `capacity` is 0.
int acre_port_page_sizes(size_t *sizes, size_t capacity);
/// The page size for ACRE_MAP_HUGE when none is given; 0 = there are no huge pages.
size_t acre_port_default_huge_size(void);
/// The size of transparent huge pages; 0 = there are none.
size_t acre_port_transparent_huge_size(void);
/// As acre_can, for known values: 1 or 0.  Each is probed once, by effect.  If a probe fails for
/// lack of memory or descriptors, the result is 0 for now and the next call probes again.
int acre_port_can(acre_capability what);
/// `*out` is zeroed by the caller; what the system does not report stays 0.
acre_status acre_port_system_read(acre_system *out);
/// Usable bits of a user address; 0 where the system does not report them.  Reads no file.
uint64_t acre_port_address_bits(void);
/// Bytes that the process may map as a whole (RLIMIT_AS); UINT64_MAX: no limit.
uint64_t acre_port_address_limit(void);

// ---- maps ---------------------------------------------------------------------------------------

typedef struct port_request {
    void *address;           // a wish; with FIXED or REPLACE a demand, a multiple of `alignment`
    size_t size;             // bytes, > 0, a multiple of page_size
    size_t alignment;        // a power of two, at least page_size; beyond `demanded` it is a wish
    size_t demanded;         // the alignment that the map must have, also after a move
    size_t page_size;        // with ACRE_MAP_HUGE that of huge pages
    uintptr_t near_address;  // with reach > 0: all bytes must be within `reach` of it
    size_t reach;
    const char *name;        // a wish; may be NULL
    uint64_t offset;         // into a file: a multiple of the granularity
    acre_file file;          // with ACRE_IS_FILE and ACRE_IS_CLONE
    uint32_t access;         // write includes read
    uint32_t flags;          // ACRE_MAP_*, one of ACRE_IS_FILE, _RESERVATION, _CLONE
    uint32_t node_plus_one;  // a wish
} port_request;

/// Maps zeroed memory, a file or an image as requested.  Sets out->base, backing, private_[1] and
/// flags: the request's flags without FIXED, REPLACE and the wishes that were not granted.  An
/// ungranted wish is never a failure.
///
/// On success every demand is met.  On failure nothing is mapped, and nothing is lost except what
/// REPLACE may lose.  FIXED over an existing map is -EEXIST; no room within reach is -ENOMEM.
///
/// A reservation (ACRE_IS_RESERVATION) is inaccessible, neither accounted nor backed, whatever
/// `access` says; its locks and its POPULATE take effect with each commit.  Systems differ in where
/// REPLACE works (Windows: only in acre's own maps) and in which demands they support.
acre_status acre_port_map(const port_request *request, acre_mmap *out);

/// Unmaps a whole map, or a part that a split made into its own map.  Anything else that the map
/// held (for an image or a split reservation) is released with its last part.
acre_status acre_port_unmap(acre_mmap *map);

/// Makes the range accessible as `access` (never NONE) and accounts it.  Applies the demands in
/// map->flags before any byte can be touched.  Pages that were committed keep their contents,
/// others are zero.
///
/// For reservations and private anonymous maps.  In a reservation, the part that mmap/check.h calls
/// "as made" counts as reserved (FreeBSD maps it anew), also when a pool that does its own
/// bookkeeping set the handle so.  All or nothing if the range had one access; on Linux for any
/// range whose areas can be read.
acre_status acre_port_commit(acre_mmap *map, void *start, size_t length, uint32_t access);
/// Makes the range reserved again, including parts that were not committed: drops contents and
/// accounting; the demands in map->flags apply to the next commit.  Same maps as acre_port_commit.
acre_status acre_port_decommit(acre_mmap *map, void *start, size_t length);
/// Changes the access; contents stay.  If the map can be committed and `access` is not NONE,
/// commits what was not committed.  All or nothing as in acre_port_commit.
acre_status acre_port_protect(acre_mmap *map, void *start, size_t length, uint32_t access);

/// Makes every touch fault and drops the contents (of shared anonymous memory for everyone who
/// shares it).  Sets *kind to the ACRE_HAS_*_GUARDS that the range got.  On failure the caller
/// restores the access.
acre_status acre_port_guard(acre_mmap *map, void *start, size_t length, uint32_t *kind);
/// Puts marker guards over ranges of whole base pages of committed private anonymous memory, with
/// as few system calls as possible.  Sets *done to how many of the first ranges are guarded, also
/// on failure; then one more may be partly guarded.  -ENOTSUP without ACRE_CAN_GUARD_WITH_MARKERS;
/// -EINVAL when the first unguarded range is locked.
acre_status acre_port_guard_many(const acre_range *ranges, size_t count, size_t *done);
/// Turns a guarded range into fresh pages with map->access; on failure it stays guarded.
/// `set_access`: the range may have a different access.
acre_status acre_port_unguard(acre_mmap *map, void *start, size_t length, int set_access);

// A stack is a part of a reservation that is used from its end downwards, without skipping a page.
// The part below it stays reserved and is its guard.

/// 1 where the system commits a stack's pages as the stack grows, so that the guard moves; else 0.
int acre_port_stacks_grow(void);
/// Makes all of the stack readable and writable, as acre_port_commit does.  Where stacks grow, only
/// the highest `first` bytes, which keep their contents, are accessible to all threads.  What lies
/// below is fresh and accessible only to the thread that runs on the stack, once
/// acre_port_stack_exchange has announced the stack.  May be called again in any state, also after
/// an overflow or a failure, if the handle does not say that the stack is as made, or where stacks
/// grow.  Nothing runs on the stack.  Length and `first`, which is no larger, are multiples of the
/// page size.
acre_status acre_port_commit_stack(acre_mmap *map, void *start, size_t length, size_t first);
/// Drops the contents except for the highest `keep` bytes and returns the memory to the system.
/// The access stays; where stacks grow it is as after acre_port_commit_stack with `keep` for
/// `first`.  Nothing runs on the stack.  Length and `keep`, which is smaller, are multiples of the
/// page size.
acre_status acre_port_shrink_stack(acre_mmap *map, void *start, size_t length, size_t keep);

/// Restores the first contents; access, guards, locks and accounting stay.  Never called for a
/// shared file map.  LAZY may act as NOW.  -ENOTSUP where private file pages cannot be reread.
acre_status acre_port_discard(acre_mmap *map, void *start, size_t length, uint32_t when);
/// The same for ranges of whole base pages, or of length 0, of any private anonymous memory.  Sets
/// *done to the number of ranges handled, also on failure.
acre_status acre_port_discard_many(const acre_range *ranges, size_t count, uint32_t when,
                                   size_t *done);
/// 1 where that is better than one call for each range, because one system call handles many ranges
/// without knowing their maps; else 0.
int acre_port_discards_at_once(void);
/// Makes the pages present now; pages of private files are read, not copied.
acre_status acre_port_populate(acre_mmap *map, void *start, size_t length);

// From here to acre_port_lowest_touched_many, ranges are whole base pages.

/// Locks are not counted: one unlock undoes them all.  A failed lock leaves the range unlocked.
acre_status acre_port_lock(acre_mmap *map, void *start, size_t length);
acre_status acre_port_lock_on_fault(acre_mmap *map, void *start, size_t length);
/// ACRE_OK also when nothing is locked.
acre_status acre_port_unlock(acre_mmap *map, void *start, size_t length);
/// Called only for shared file maps.
acre_status acre_port_flush(acre_mmap *map, void *start, size_t length, uint32_t how);
/// Sets *bytes to the size of the pages that are present; where ACRE_CAN_COUNT_RESIDENT_EXACTLY is
/// 0, a file's pages count when they are in the page cache.
acre_status acre_port_resident(const void *start, size_t length, size_t *bytes);
/// Sets *any to whether a page of private anonymous memory is present.  Opens no file.
acre_status acre_port_any_present(const void *start, size_t length, int *any);
/// Finds the lowest page of private anonymous memory that was touched since it was fresh; start +
/// length when none was.  Swapped-out pages count where the system reports them (not on FreeBSD).
acre_status acre_port_lowest_touched(const void *start, size_t length, const void **lowest);
/// The same for each of `count` > 0 ranges in ascending order, where possible with few system calls
/// for everything from the first to the last.  `lowest` has room for `count`; parts of it may be
/// written on failure.
acre_status acre_port_lowest_touched_many(const acre_range *ranges, size_t count,
                                          const void **lowest);

/// For two maps of one kind that are adjacent in memory: ACRE_OK when `next` continues `map` in the
/// same file or image, and, where the system releases addresses only by whole maps, when both are
/// parts of the same map.  map->private_[1] then holds what the port must remember of both.
/// Otherwise ACRE_BACKING_MISMATCH, and nothing has changed.
acre_status acre_port_continues(acre_mmap *map, const acre_mmap *next);

/// Resizes the map in place, or moves it if `how` allows.  The handle's base and size change only
/// on success.  `size` is a multiple of the page size and differs from the old size.  Shared
/// anonymous memory and clones are never asked to grow.
///
/// The added part has the map's demands and access (in a reservation it is reserved).  -ENOMEM when
/// the addresses are taken; ACRE_BAD_STATE when the map would have to move and its pages differ;
/// -ENOTSUP where growth needs the file.
acre_status acre_port_resize(acre_mmap *map, size_t size, uint32_t how);
/// Gives known advice; contents stay.  A demand (from ACRE_ADVISE_NO_DUMP on) that the system does
/// not carry out is -ENOTSUP.
acre_status acre_port_advise(acre_mmap *map, void *start, size_t length, acre_advice advice);
/// Seals the map for the life of the process; -ENOTSUP where the system cannot seal.
acre_status acre_port_seal(acre_mmap *map);

/// Objects with several maps.  request->size is the size of a lap or of each twin, a multiple of
/// the granularity.  Both set base, flags and backing of their results, as acre_port_map does.
/// Address, alignment and reach apply to the whole ring, or to *exec.
acre_status acre_port_ring(const port_request *request, acre_mmap *out);
acre_status acre_port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec);

/// Creates an image.  acre_port_map maps `*file` with ACRE_IS_CLONE; nobody else may use it as a
/// file.  `*fill` gets base, flags and backing of a writable map of the image, which a child of a
/// fork does not inherit.
acre_status acre_port_image_begin(size_t size, acre_file *file, acre_mmap *fill);
/// Makes the image immutable; `fill` has been unmapped.  -EBUSY: it is still mapped writable
/// elsewhere.
acre_status acre_port_image_seal(acre_file file);
/// Clones stay valid, and acre_port_discard still restores the image's bytes in them.
acre_status acre_port_image_close(acre_file file);

/// As in acre/icache.h.  These two cannot fail.
void acre_port_icache_flush(void *start, size_t length);
void acre_port_jit_write(int allowed);

// ---- files and processes ------------------------------------------------------------------------

/// Opens a file for acre_mmap_path, closed on exec; `writable`: for reading and writing.
/// ACRE_NOT_A_FILE for directories and anything else that is no regular file.  Follows links; does
/// not wait for the other end of a pipe.
acre_status acre_port_file_open(const char *path, int writable, acre_file *file, uint64_t *size);
void acre_port_file_close(acre_file file);

/// Returns the process ID, which differs in the child of a fork; never 0.
acre_process acre_port_process_id(void);

ACRE_EXTERN_C_END

#endif  // ACRE_MMAP_PORT_MEMORY_H_
