// acre/report.h - how acre writes reports: JSON text, handed out in pieces.
//
// The calls that write one stand beside what they report: acre_stack_report,
// acre_stack_pool_report, acre_arena_report, acre_arena_totals_report.  A report is one JSON object
// and a line feed.  Addresses and tags are strings ("0x7f0012340000"), since they may not fit the
// numbers of others; sizes are numbers, in bytes.  A byte of a name that is no ASCII is written as
// the Unicode character of the same number.  Keys are those of the structs; later versions may add
// some.
#ifndef ACRE_REPORT_H_
#define ACRE_REPORT_H_

#include <stddef.h>

#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

/// Receives the next `count` bytes of a report (at least 1, at most 256, no terminating 0).
///
/// @return ACRE_OK: go on; any other status ends the report, and is what the call that writes it
///         returns
///
///     static acre_status write_to_file(const char *text, size_t count, void *file)
///     {
///         return fwrite(text, 1, count, file) == count ? ACRE_OK : -EIO;
///     }
typedef acre_status (*acre_report_fn)(const char *text, size_t count, void *context);

ACRE_EXTERN_C_END

#endif  // ACRE_REPORT_H_
