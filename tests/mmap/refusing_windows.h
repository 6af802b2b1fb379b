// tests/mmap/refusing_windows.h - a Windows that refuses one of the calls that the library makes,
// counts them, or does what the manual lets it do.
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
/// No page can be given another access, as large pages may have it.
void keep_access(bool kept);
/// This process may have large pages; they are ordinary memory.
void grant_large_pages(bool granted);
/// What was reset has other contents.
void spoil_what_is_reset(bool spoiled);

/// Questions that the library has asked: of regions, and of the presence of pages.
extern size_t region_questions;
extern size_t page_questions;

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_REFUSING_WINDOWS_H_
