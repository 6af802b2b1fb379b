// mmap/port/memory.h - what acre needs of an operating system: memory, facts, files.
//
// Each system has one implementation, in a folder of its own, the only files that include a system
// header (posix/, bsd/: what several share).  Everything above calls these functions and is the
// same everywhere.  docs/architecture.md tells how to add a system, tests/mmap/port_test runs this
// contract.
//
// What holds of every function
//   Arguments have been checked: ranges lie inside their map, offsets and lengths are multiples of
//   the map's page size where the public call wants that, a length is never 0, flags are known and
//   do not contradict one another, out-parameters are not NULL.  A range may hold pages in
//   different states; `map` gives the context (kind, flags, page size), and unless it is an
//   out-parameter only its backing and private_[1] may be changed (private_[0]: mmap/check.h, to be
//   read).
//
//   A status comes back by value; errno (and Windows' last error) is left as it was found.  -errno
//   as the system told it, unless a function says otherwise.  Out-parameters are written on success
//   only.  A failure leaves the set of maps as it was; of a range of pages in different states a
//   prefix may be done, and doing it again or undoing it must be possible.
//
//   What a system cannot do is -ENOTSUP, decided by acre_port_can() or by trying, never by version,
//   and never done half or left out: acre_port_can() and the status are what users rely on.
//
//   Nothing here calls malloc, writes anything out, or keeps a lock across a system call; all may
//   be called by several threads at once, for different maps.  Where mmap.h and area.h promise that
//   a signal handler may call, so may it here.
#ifndef ACRE_MMAP_PORT_MEMORY_H_
#define ACRE_MMAP_PORT_MEMORY_H_

#include "acre/area.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

// ---- facts --------------------------------------------------------------------------------------

/// Powers of two that do not change; the granularity is a multiple of the page size.
size_t acre_port_page_size(void);
size_t acre_port_granularity(void);
/// As acre_page_sizes: only what ACRE_MAP_HUGE takes.  `sizes` may be NULL when `capacity` is 0.
int acre_port_page_sizes(size_t *sizes, size_t capacity);
/// The page size of ACRE_MAP_HUGE without one; 0 = there are no huge pages.
size_t acre_port_default_huge_size(void);
/// Of transparent huge pages; 0 = there are none.
size_t acre_port_transparent_huge_size(void);
/// As acre_can, for known values: 1 or 0.  Each is probed once, by effect; what could not be found
/// out for want of memory or descriptors is 0 now and probed again.
int acre_port_can(acre_capability what);
/// `*out` is all-zero before; what a system does not tell stays 0.
acre_status acre_port_system_read(acre_system *out);
/// Usable bits of a user's address; 0 where the system does not tell.  No file is read.
uint64_t acre_port_address_bits(void);

// ---- maps ---------------------------------------------------------------------------------------

typedef struct port_request {
    void *address;           // a wish; with FIXED or REPLACE a demand, a multiple of `alignment`
    size_t size;             // bytes, > 0, a multiple of page_size
    size_t alignment;        // a power of two, at least page_size; more than `demanded` is a wish
    size_t demanded;         // of the alignment; also when the map is moved
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

/// Maps what is asked for, zeroed or the file's or image's, and sets out->base, backing,
/// private_[1] and flags: those of the request without FIXED, REPLACE and wishes that were not
/// granted (a wish never lets it fail).
///
/// Every demand holds when it returns, or it fails and leaves nothing mapped, and nothing lost but
/// what REPLACE may lose.  FIXED over anything is -EEXIST; no room within reach -ENOMEM.
///
/// A reservation (ACRE_IS_RESERVATION) is inaccessible and neither accounted nor backed, whatever
/// `access` says; its locks and its POPULATE take effect with each commit.  Systems differ in where
/// REPLACE works (Windows: only in maps of its own), and in which demands they know.
acre_status acre_port_map(const port_request *request, acre_mmap *out);

/// The whole map, or a part that a split made a map of its own; what else it held (of an image, of
/// a split reservation) goes with the last of its parts.
acre_status acre_port_unmap(acre_mmap *map);

/// Accessible as `access` (never NONE) and accounted, with the demands in map->flags before the
/// first byte can be touched; pages that were committed keep their contents, others are zero.
///
/// Of reservations and private anonymous maps.  What mmap/check.h calls as made is taken for
/// reserved in a reservation (FreeBSD maps it anew), also where the handle of a pool says so that
/// keeps account itself.  All or nothing where the range was of one access; Linux: of any range
/// that it can look at.
acre_status acre_port_commit(acre_mmap *map, void *start, size_t length, uint32_t access);
/// Reserved again, also what was not committed: contents and accounting returned, demands in
/// map->flags in force for the next commit.  Of the same maps as acre_port_commit.
acre_status acre_port_decommit(acre_mmap *map, void *start, size_t length);
/// Another access; contents stay.  Where the map can be committed and `access` is not NONE, what
/// was not committed is.  All or nothing as acre_port_commit.
acre_status acre_port_protect(acre_mmap *map, void *start, size_t length, uint32_t access);

/// A touch faults, contents are gone (of shared anonymous memory for all who see it); `*kind` is
/// the ACRE_HAS_*_GUARDS that the range got.  On failure the caller gives the access back.
acre_status acre_port_guard(acre_mmap *map, void *start, size_t length, uint32_t *kind);
/// Marker guards over ranges of whole base pages of committed private anonymous memory, by as few
/// system calls as possible.  *done is set to the number of the first ranges that are known to be
/// guarded, also on failure, when one more may be guarded in parts.  -ENOTSUP without
/// ACRE_CAN_GUARD_WITH_MARKERS; -EINVAL when the first range that is not guarded is locked.
acre_status acre_port_guard_many(const acre_range *ranges, size_t count, size_t *done);
/// Fresh pages with map->access, over a range that was guarded; still guarded on failure.
/// `set_access`: the range may have another access than the map's.
acre_status acre_port_unguard(acre_mmap *map, void *start, size_t length, int set_access);

// A stack is a part of a reservation that is used from its end downwards, not leaving out a page.
// What lies below it stays reserved and is its guard.

/// 1 where the system commits a stack's pages as it grows, so that the guard moves; else 0.
int acre_port_stacks_grow(void);
/// Readable and writable from here on, as acre_port_commit makes it: all of it.  Where stacks grow,
/// the highest `first` bytes are so for all threads, with what they held; what lies below is fresh,
/// and is for the thread that runs there, once acre_port_stack_exchange told of it, and for nobody
/// else.  May be called again in any state, also after an overflow or a failure, by a
/// handle that does not say that the stack is as made, or where stacks grow; nothing runs on it.
/// Length and `first` are multiples of the page size, first <= length.
acre_status acre_port_commit_stack(acre_mmap *map, void *start, size_t length, size_t first);
/// Contents but for the highest `keep` bytes are gone, and the memory is the system's; accessible
/// as before, where stacks grow as acre_port_commit_stack leaves it with `keep` for `first`.
/// Nothing runs on it.  Length and `keep` are multiples of the page size, keep < length.
acre_status acre_port_shrink_stack(acre_mmap *map, void *start, size_t length, size_t keep);

/// Back to the first contents; access, guards, locks and accounting stay.  Never of a shared file
/// map.  LAZY may act as NOW.  (-ENOTSUP: where private file pages cannot be read anew.)
acre_status acre_port_discard(acre_mmap *map, void *start, size_t length, uint32_t when);
/// The same of ranges of whole base pages, or of length 0, of private anonymous memory of which
/// nothing is known; *done is set to the number of those handled, also on failure.
acre_status acre_port_discard_many(const acre_range *ranges, size_t count, uint32_t when,
                                   size_t *done);
/// 1 where that is better than a call for each range: one of the system's for many of them, with
/// nothing to be known about their maps; else 0.
int acre_port_discards_at_once(void);
/// Present at once; pages of private files are read, not copied.
acre_status acre_port_populate(acre_mmap *map, void *start, size_t length);

// In these five and the next two `start` and `length` are whole base pages.

/// Not counted: whatever was locked before, one unlock undoes it.  A lock that fails leaves the
/// range unlocked.
acre_status acre_port_lock(acre_mmap *map, void *start, size_t length);
acre_status acre_port_lock_on_fault(acre_mmap *map, void *start, size_t length);
/// ACRE_OK also where nothing is locked.
acre_status acre_port_unlock(acre_mmap *map, void *start, size_t length);
/// Of a shared file map.
acre_status acre_port_flush(acre_mmap *map, void *start, size_t length, uint32_t how);
/// Bytes of pages that are present; where ACRE_CAN_COUNT_RESIDENT_EXACTLY is 0, of files those in
/// the page cache.
acre_status acre_port_resident(const void *start, size_t length, size_t *bytes);
/// The lowest page of private anonymous memory that was touched since it was fresh; start + length
/// when none was.  Pages that were swapped out count where the system tells of them (not: FreeBSD).
acre_status acre_port_lowest_touched(const void *start, size_t length, const void **lowest);
/// The same for each of `count` > 0 ranges in ascending order, by few questions for all between the
/// first and the last where the system can.  `lowest` has room for `count`; parts of it may be
/// written on failure.
acre_status acre_port_lowest_touched_many(const acre_range *ranges, size_t count,
                                          const void **lowest);

/// Of maps of one kind that are neighbours in memory: ACRE_OK when `next` continues `map`, in the
/// same file or image, and as a part of the same map where the system gives addresses back by whole
/// maps; map->private_[1] then holds what the port must remember of both.  Else
/// ACRE_BACKING_MISMATCH, and nothing has changed.
acre_status acre_port_continues(acre_mmap *map, const acre_mmap *next);

/// All-or-nothing for the handle: base and size change on success only.  `size` is a multiple of
/// the page size, not the old size; growth is never asked of shared anonymous memory and clones.
///
/// What is added has the map's demands and access (of a reservation: is reserved).  In place, else
/// moved when `how` allows; addresses that are taken: -ENOMEM; a map whose pages differ is not
/// moved: ACRE_BAD_STATE; -ENOTSUP where growth wants the file.
acre_status acre_port_resize(acre_mmap *map, size_t size, uint32_t how);
/// Known advice.  A demand (from ACRE_ADVISE_NO_DUMP on) that the system does not keep is -ENOTSUP;
/// contents stay.
acre_status acre_port_advise(acre_mmap *map, void *start, size_t length, acre_advice advice);
/// For the life of the process; the status where there is no such thing: -ENOTSUP.
acre_status acre_port_seal(acre_mmap *map);

/// Objects of several maps.  request->size is that of a lap, of each twin, a multiple of the
/// granularity; of the outs base, flags and backing are set, as acre_port_map does.  Address,
/// alignment and reach are about the ring as a whole, about *exec.
acre_status acre_port_ring(const port_request *request, acre_mmap *out);
acre_status acre_port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec);

/// Image memory: `*file` is what acre_port_map maps with ACRE_IS_CLONE (whatever that is: no file
/// for anybody else), `*fill` a writable map of it, which children of a fork do not have; its base,
/// flags and backing are set.
acre_status acre_port_image_begin(size_t size, acre_file *file, acre_mmap *fill);
/// Immutable from here on; `fill` has been unmapped.  -EBUSY: it is still mapped writable
/// elsewhere.
acre_status acre_port_image_seal(acre_file file);
/// Clones live on, and acre_port_discard goes on bringing the image's bytes back.
acre_status acre_port_image_close(acre_file file);

/// As acre/icache.h says; these two cannot fail.
void acre_port_icache_flush(void *start, size_t length);
void acre_port_jit_write(int allowed);

// ---- files and processes ------------------------------------------------------------------------

/// Opens a file for acre_mmap_path, closed on exec; `writable`: for reading and writing.
/// Directories and what has no size report a size of 0; links are followed, a pipe's other end is
/// not waited for.
acre_status acre_port_file_open(const char *path, int writable, acre_file *file, uint64_t *size);
void acre_port_file_close(acre_file file);

/// Another in the child of a fork; never 0.
acre_process acre_port_process_id(void);

ACRE_EXTERN_C_END

#endif  // ACRE_MMAP_PORT_MEMORY_H_
