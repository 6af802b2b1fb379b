// tests/mmap/freebsd/fake_freebsd.h - the calls of FreeBSD that acre's port makes, played on Linux.
//
// What is played is what the port relies on (docs/platforms.md, seen on FreeBSD by others):
//   - MAP_GUARD has no memory object; mprotect on it succeeds and changes nothing.
//   - The table of areas tells of a type: none for guards and for memory that was never touched.
//   - Shared anonymous memory is one area with what is alike beside it; MAP_NOSYNC makes a
//     difference.
//   - mincore tells of present pages, and madvise empties nothing.
//   - What accounting refuses is answered EINVAL, after what was in the way has gone.
// It is no proof of how FreeBSD behaves: that is for the tests of mmap/port/, run there.
#ifndef ACRE_TESTS_MMAP_FREEBSD_FAKE_FREEBSD_H_
#define ACRE_TESTS_MMAP_FREEBSD_FAKE_FREEBSD_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Accessible private memory of so many bytes and more is refused; 0: none is.
extern size_t fake_refuse_from;
/// How often minherit was called.
extern int fake_inherit_calls;
/// How often the table of areas was read.
extern int fake_table_reads;

/// What sysctlbyname returns for a name.
typedef struct fake_number {
    const char *name;  ///< NULL: the end of the list
    uint64_t value;
} fake_number;
/// The system's numbers; NULL: there are none.
extern const fake_number *fake_numbers;

#ifdef __cplusplus
}
#endif

#endif  // ACRE_TESTS_MMAP_FREEBSD_FAKE_FREEBSD_H_
