// reading.h - reads all files below some paths, each by a coroutine of its own.
#ifndef CONCORDANCE_READING_H_
#define CONCORDANCE_READING_H_

#include "report.h"
#include "words.h"

/// Counts the words of all files below `paths` into `counted`.  What could not be read is told on
/// standard error and counted in `out->failed`; a status other than ACRE_OK says why it could not
/// go on at all.
ACRE_NODISCARD acre_status read_all(char **paths, size_t count, int progress_wanted, words *counted,
                                    results *out);

#endif  // CONCORDANCE_READING_H_
