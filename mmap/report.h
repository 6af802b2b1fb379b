// mmap/report.h - JSON text in pieces, for all packages: no stdio, no locale, async-signal-safe.
#ifndef ACRE_MMAP_REPORT_H_
#define ACRE_MMAP_REPORT_H_

#include <stddef.h>
#include <stdint.h>

#include "acre/report.h"

// A report being written.  The first status that is not ACRE_OK stays, and nothing follows it.
typedef struct report {
    acre_report_fn write;
    void *context;
    const char *separator;  // before the next item of a list; for the caller
    acre_status status;
    size_t count;  // bytes in `text`
    char text[256];
} report;

static inline void
report_flush(report *r)
{
    if (r->status == ACRE_OK && r->count > 0)
        r->status = r->write(r->text, r->count, r->context);
    r->count = 0;
}

static inline void
report_character(report *r, char c)
{
    if (r->count == sizeof r->text)
        report_flush(r);
    r->text[r->count++] = c;
}

// Writes `text` as it is.
static inline void
report_text(report *r, const char *text)
{
    for (; *text != '\0'; text++)
        report_character(r, *text);
}

static inline void
report_digits(report *r, uint64_t value, unsigned base)
{
    char digits[20];  // of 2^64 - 1 in base 10
    size_t count = 0;
    do
        digits[count++] = "0123456789abcdef"[value % base];
    while ((value /= base) != 0);
    while (count > 0)
        report_character(r, digits[--count]);
}

// These write `key`, which holds all that stands before the value, and the value.
static inline void
report_number(report *r, const char *key, uint64_t value)
{
    report_text(r, key);
    report_digits(r, value, 10);
}

static inline void
report_address(report *r, const char *key, uintptr_t value)
{
    report_text(r, key);
    report_text(r, "\"0x");
    report_digits(r, value, 16);
    report_character(r, '"');
}

// Bytes that are no ASCII may be no UTF-8 either: each is written as the Unicode character of the
// same number.
static inline void
report_string(report *r, const char *key, const char *value)
{
    report_text(r, key);
    report_character(r, '"');
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x20 || c >= 0x7f) {
            report_text(r, "\\u00");
            report_character(r, "0123456789abcdef"[c / 16]);
            report_character(r, "0123456789abcdef"[c % 16]);
            continue;
        }
        if (c == '"' || c == '\\')
            report_character(r, '\\');
        report_character(r, (char)c);
    }
    report_character(r, '"');
}

/// Ends the report with `text` and hands out the rest.
///
/// @return ACRE_OK, or what `write` returned to end the report
static inline acre_status
report_finish(report *r, const char *text)
{
    report_text(r, text);
    report_flush(r);
    return r->status;
}

#endif  // ACRE_MMAP_REPORT_H_
