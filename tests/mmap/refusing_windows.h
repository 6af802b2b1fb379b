// tests/mmap/refusing_windows.h - a Windows that refuses one of the calls that the library makes.
//
// The program's own table of imports leads them here, so the library is as it is everywhere.
#ifndef ACRE_TESTS_MMAP_REFUSING_WINDOWS_H_
#define ACRE_TESTS_MMAP_REFUSING_WINDOWS_H_

#include <cstddef>

namespace acre_test {

/// The call after the next `passed` ones is refused, with this error; those behind it work.
void refuse_one(size_t passed, unsigned long error);
/// Whether it was; ends the refusing.
bool one_was_refused();

/// A file's view in place of a placeholder must have whole pages (true), or end with its file.
void demand_whole_pages(bool demanded);
/// Large pages cannot be protected.
void keep_access(bool kept);

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_REFUSING_WINDOWS_H_
