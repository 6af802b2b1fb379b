// system.h - what the concordance asks of the system beyond acre: one source for each family.
#ifndef CONCORDANCE_SYSTEM_H_
#define CONCORDANCE_SYSTEM_H_

#include <dirent.h>
#include <stdint.h>

#include "acre/mmap.h"
#include "walk.h"

/// The directory's entries; NULL with errno set.  `is_given`: by the user, who may mean a link.
DIR *system_open_directory(const char *path, int is_given);

typedef enum system_type {
    SYSTEM_UNKNOWN,
    SYSTEM_FILE,
    SYSTEM_DIRECTORY,
    SYSTEM_OTHER
} system_type;

/// Of what the entry names, of which `found`, when it is not NULL, may tell already; of a link what
/// it leads to when the user gave it.  SYSTEM_UNKNOWN with errno set.
system_type system_type_of(const walk_entry *entry, const struct dirent *found);

/// Opens what the entry names for reading.  `*size` is 0 of what is no file (any more).
ACRE_NODISCARD acre_status system_open(const walk_entry *entry, acre_file *file, uint64_t *size,
                                       system_type *type);
void system_close(acre_file file);

/// Bytes of addresses that the process may have; SIZE_MAX = no limit.
size_t system_address_limit(void);
/// The most that the process had of each so far, in bytes; 0 where it is not told.
void system_peaks(uint64_t *resident, uint64_t *reserved);

#endif  // CONCORDANCE_SYSTEM_H_
