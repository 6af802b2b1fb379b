// report.h - what the program says: results, progress and complaints.
#ifndef CONCORDANCE_REPORT_H_
#define CONCORDANCE_REPORT_H_

#include <stddef.h>
#include <stdint.h>

#include "words.h"

typedef struct results {
    uint64_t files;           ///< read; without those that could not be opened
    uint64_t bytes;           ///< read
    uint64_t failed;          ///< files and directories that were not read, or not to their end
    uint64_t areas;           ///< memory areas of the process when most stacks were alive
    uint64_t resident_bytes;  ///< most memory the process ever had
    uint64_t reserved_bytes;  ///< most addresses
    uint64_t peak_stacks;
    double seconds;
} results;

/// `status` in words; the system's own where it refused.
const char *report_reason(acre_status status);

/// One line about `directory`/`name` (either may be ""), whatever bytes they are made of.
void report_failure(const char *directory, const char *name, const char *reason);

/// A bar on standard error, redrawn when it changes; one at a time.
void report_progress(uint64_t done, uint64_t all);
void report_progress_end(void);

/// The `top` most frequent words and the results; 0 when the arena is exhausted.
int report_text(words *counted, size_t top, const results *all);
int report_json(words *counted, size_t top, const results *all);

#endif  // CONCORDANCE_REPORT_H_
