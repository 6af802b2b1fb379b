// acre/content.h - the contents of maps: discard, populate, lock, flush, guard, advise; what is
// resident.  Part of acre/mmap.h, whose conventions hold here; either header includes both.
#ifndef ACRE_CONTENT_H_
#define ACRE_CONTENT_H_

#include "acre/mmap.h"

ACRE_EXTERN_C_BEGIN

/// When memory is dropped.
enum {
    ACRE_DISCARD_NOW = 0,  ///< At once.
    ACRE_DISCARD_LAZY = 1  ///< When the system wants the memory.
};
/// Drops the contents; pages stay accessible.  Private pages return to their first contents (zero,
/// or the file's or image's bytes); shared anonymous memory is emptied for all.  LAZY: memory goes
/// when the system wants it; until then reads may return old bytes (a byte written keeps its page).
/// Where LAZY is impossible (shared memory, files, locked pages) it acts as NOW.  Accounting,
/// guards and locks stay.  Where transparent huge pages are in use, Linux (khugepaged) may fill a
/// discarded part of one with zeroed memory again within a minute; NO_HUGE prevents that.
///
/// @param when  ACRE_DISCARD_*
/// @return ACRE_OK; ACRE_BAD_OFFSET: not multiples of the page size; ACRE_BAD_RANGE: leaves the
///         map; ACRE_EMPTY_HANDLE; ACRE_BAD_OPTION: `when`; ACRE_SEALED; ACRE_BAD_STATE: a shared
///         file map; -EACCES: shared memory that cannot be made writable (Linux before 6.7: that is
///         not writable now); -EPERM: shared memory sealed against writing; ACRE_TOO_MANY_AREAS or
///         -ENOMEM: no memory
ACRE_API ACRE_NODISCARD acre_status acre_mmap_discard(acre_mmap *map, size_t offset, size_t length,
                                                      uint32_t when);

/// Bytes at an address.
typedef struct acre_range {
    void *base;     ///< A multiple of the page size.
    size_t length;  ///< Bytes, a multiple of the page size.
} acre_range;
/// Discards many ranges of private anonymous memory (not checked) in as few system calls as
/// possible.  Needs no handle: any thread may call it for memory that no other uses meanwhile.
///
/// @param ranges  may be NULL when `count` is 0
/// @param when    ACRE_DISCARD_*
/// @param done    counts the ranges handled, also on failure; may be NULL
/// @return ACRE_OK; ACRE_BAD_OFFSET: a range is not whole pages (none done); ACRE_BAD_OPTION:
///         `when`; -ENOMEM, at the area limit ACRE_TOO_MANY_AREAS: nothing is mapped there, or the
///         system is short; else the system's refusal of the range after the last one done
///
///     acre_range idle[2] = {{first, page}, {second, 4 * page}};
///     size_t done;
///     acre_status status = acre_discard_many(idle, 2, ACRE_DISCARD_NOW, &done);
ACRE_API ACRE_NODISCARD acre_status acre_discard_many(const acre_range *ranges, size_t count,
                                                      uint32_t when, size_t *done);

/// Brings every page of the range into memory; all must be committed and unguarded.  Makes
/// anonymous memory writable at once; only reads private file and clone pages, never copies them.
///
/// @return ACRE_OK; ACRE_BAD_RANGE: leaves the map; ACRE_EMPTY_HANDLE; -ENOMEM, at the area limit
///         ACRE_TOO_MANY_AREAS: memory is short, or the pool of huge pages; -EINVAL, -EFAULT
///         (Linux; elsewhere the system's refusal): a page is not committed, or is guarded; -EFAULT
///         also: beyond the end of the file or a part of it that cannot be read; -ENOTSUP: Linux
///         before 5.14
ACRE_API ACRE_NODISCARD acre_status acre_mmap_populate(acre_mmap *map, size_t offset,
                                                       size_t length);
/// Keeps the pages of the range in physical memory, present at once.  Locks are per page and not
/// counted: one unlock undoes all.  A lock that fails leaves the range unlocked.  All pages must be
/// committed and unguarded.  The child of a fork does not inherit locks.
///
/// @return ACRE_OK; ACRE_BAD_RANGE: leaves the map; ACRE_EMPTY_HANDLE; ACRE_BAD_STATE: a DROPPABLE
///         map; -ENOMEM, -EPERM: over the lock limit; -ENOMEM also: a page is not committed or is
///         guarded; -EAGAIN: a page could not be brought in; ACRE_TOO_MANY_AREAS
ACRE_API ACRE_NODISCARD acre_status acre_mmap_lock(acre_mmap *map, size_t offset, size_t length);
/// Locks pages as acre_mmap_lock does, but as they are touched: they stay from then on.  The range
/// may include reserved and guarded pages.
///
/// @return ACRE_OK; ACRE_BAD_RANGE: leaves the map; ACRE_EMPTY_HANDLE; ACRE_BAD_STATE: a DROPPABLE
///         map; -ENOMEM, -EPERM: over the lock limit; ACRE_TOO_MANY_AREAS
ACRE_API ACRE_NODISCARD acre_status acre_mmap_lock_on_fault(acre_mmap *map, size_t offset,
                                                            size_t length);
/// Undoes every lock of the range, also those demanded at creation.
///
/// @return ACRE_OK, also where nothing is locked; ACRE_BAD_RANGE: leaves the map,
///         ACRE_EMPTY_HANDLE; ACRE_TOO_MANY_AREAS or -ENOMEM: no memory for bookkeeping
ACRE_API ACRE_NODISCARD acre_status acre_mmap_unlock(acre_mmap *map, size_t offset, size_t length);

/// Whether a flush waits.
enum {
    ACRE_FLUSH_WAIT = 0,  ///< Until the bytes are on the device.
    ACRE_FLUSH_ASYNC = 1  ///< Begin, do not wait (Linux does not begin, see below).
};
/// Writes changed bytes of a shared file map to the file (any other map: ACRE_OK, nothing to do).
/// WAIT returns when they are on the device as far as the system promises.  Other maps and readers
/// of the file see changes without a flush.
///
/// ASYNC does nothing on Linux (nor does msync there): the system writes in its own time, by
/// default half a minute after the change.  To begin now, call sync_file_range(descriptor, offset,
/// length, SYNC_FILE_RANGE_WRITE) on a descriptor of yours.  acre keeps none, and opening one would
/// drop the program's record locks (see acre_mmap_path).
///
/// A failed WAIT means that some of the bytes may be lost: the system may have dropped them, or
/// regards them as written from now on.  Do not repeat it: the repetition may return ACRE_OK
/// although they never reached the file.  Write the file anew from what you still know, elsewhere
/// if need be.
///
/// @param how  ACRE_FLUSH_*
/// @return ACRE_OK; ACRE_BAD_RANGE: leaves the map; ACRE_EMPTY_HANDLE; ACRE_BAD_OPTION: `how`;
///         -EIO, -ENOSPC, …: the bytes could not be written; the system does not say which
ACRE_API ACRE_NODISCARD acre_status acre_mmap_flush(acre_mmap *map, size_t offset, size_t length,
                                                    uint32_t how);

/// Counts the bytes (whole pages) of the range present in this process's memory; without
/// ACRE_CAN_COUNT_RESIDENT_EXACTLY, in the page cache.  The count holds for one moment.  Guarded,
/// reserved and swapped pages are not present.  Where Linux lets the process open no file now (no
/// descriptor is left, a sandbox), it counts file pages that are in the page cache.
///
/// @param bytes  a multiple of the base page size; 0 for a length of 0
/// @return ACRE_OK; ACRE_BAD_RANGE: leaves the map; ACRE_EMPTY_HANDLE; -ENOMEM: memory is short, or
///         nothing is mapped there
ACRE_API ACRE_NODISCARD acre_status acre_mmap_resident(const acre_mmap *map, size_t offset,
                                                       size_t length, size_t *bytes);

/// Makes every touch of the range fault; its contents are gone.  Uses kernel markers where there
/// are any (they take no memory area), else, and on locked and explicit huge pages, protected
/// pages.  The fault is SIGSEGV (macOS: SIGBUS; Windows: an access violation); system calls return
/// EFAULT.  Private pages lose their contents for this map; shared anonymous memory is emptied for
/// everyone; shared files keep theirs. Reserved pages may be guarded too.  A guard holds in the
/// child of a fork.  decommit and unmap remove a guard; protect and commit remove it only if it was
/// made by protection, so in portable code let neither overlap a guard.  Before Linux 6.19
/// userfaultfd replaces a marker by what it copies there.  map->flags shows the kinds in use.
///
/// @return ACRE_OK; ACRE_BAD_OFFSET: not multiples of the page size; ACRE_BAD_RANGE: leaves the
///         map; ACRE_EMPTY_HANDLE; ACRE_SEALED; ACRE_BAD_STATE: a WIPE_ON_FORK (also by advice) or
///         DROPPABLE map; ACRE_TOO_MANY_AREAS or -ENOMEM: no memory; -EACCES: shared memory that
///         cannot be made writable (Linux before 6.7: that is not writable now); -EPERM: shared
///         memory sealed against writing
///
///     acre_status status = acre_mmap_guard(&map, 0, map.page_size);    // below a stack
///     status = acre_mmap_unguard(&map, 0, map.page_size);
ACRE_API ACRE_NODISCARD acre_status acre_mmap_guard(acre_mmap *map, size_t offset, size_t length);
/// Replaces a guard by fresh pages (zero, or the file's or image's bytes) with the map's access,
/// committed.  Only over whole ranges given to guard (not checked: elsewhere contents are
/// unspecified afterwards).
///
/// @return ACRE_OK; ACRE_BAD_OFFSET: not multiples of the page size; ACRE_BAD_RANGE: leaves the
///         map; ACRE_EMPTY_HANDLE; ACRE_SEALED; ACRE_BAD_STATE: a WIPE_ON_FORK (also by advice) or
///         DROPPABLE map. Still guarded: ACRE_TOO_MANY_AREAS or -ENOMEM: no memory, accounting or
///         addresses; with LOCKED or LOCK_ON_FAULT also -ENOMEM, -EPERM: over the lock limit,
///         -EAGAIN: a page could not be brought in; -EACCES: the system's policy
ACRE_API ACRE_NODISCARD acre_status acre_mmap_unguard(acre_mmap *map, size_t offset, size_t length);

/// A refused wish is reported like any failure; you may ignore it.
typedef enum acre_advice {
    // wishes
    ACRE_ADVISE_NORMAL,      ///< ends SEQUENTIAL and RANDOM
    ACRE_ADVISE_SEQUENTIAL,  ///< read ahead, forget behind
    ACRE_ADVISE_RANDOM,      ///< do not read ahead
    ACRE_ADVISE_WILL_NEED,   ///< read in now: Linux begins with as much as the device reads ahead,
                             ///< a few MiB, and drops the rest (acre_mmap_populate reads all)
    ACRE_ADVISE_COLD,        ///< the first to go when memory is short
    ACRE_ADVISE_PAGE_OUT,    ///< to swap or file, now; contents stay
    ACRE_ADVISE_HUGE,        ///< transparent huge pages
    ACRE_ADVISE_NO_HUGE,     ///< base pages
    ACRE_ADVISE_COLLAPSE,    ///< into huge pages, now
    // demands, from here on
    ACRE_ADVISE_NO_DUMP,       ///< left out of core dumps
    ACRE_ADVISE_DUMP,          ///< ends NO_DUMP
    ACRE_ADVISE_DONT_FORK,     ///< absent in the child
    ACRE_ADVISE_DO_FORK,       ///< ends DONT_FORK
    ACRE_ADVISE_WIPE_ON_FORK,  ///< zero in the child (private anonymous maps)
    ACRE_ADVISE_KEEP_ON_FORK   ///< ends WIPE_ON_FORK
} acre_advice;
/// Advises the system how a range will be used; contents stay.  map->flags does not change;
/// decommit forgets the advice.  Advice on a part of a map may cost areas.
///
/// @return ACRE_OK; ACRE_BAD_OFFSET: not multiples of the page size; ACRE_BAD_RANGE: leaves the
///         map; ACRE_EMPTY_HANDLE; ACRE_BAD_OPTION: unknown advice; ACRE_SEALED: advice that
///         destroys contents, here or in a child (DONT_FORK, WIPE_ON_FORK), on a sealed map that is
///         not writable (-EPERM: only pages of it are not); ACRE_BAD_STATE: WIPE_ON_FORK on a map
///         with marker guards, which the child would lose; ACRE_TOO_MANY_AREAS or -ENOMEM: no
///         memory; -EINVAL: not for this kind of memory (Linux: also DO_FORK on explicit huge
///         pages); -EAGAIN, -EBUSY, -ENOMEM: COLLAPSE, not now (a page is in use, or no huge page
///         is free)
ACRE_API ACRE_NODISCARD acre_status acre_mmap_advise(acre_mmap *map, size_t offset, size_t length,
                                                     acre_advice advice);

ACRE_EXTERN_C_END

#endif  // ACRE_CONTENT_H_
