// mmap/port/linux/areas.h - areas as the kernel describes them, through PROCMAP_QUERY (6.11) and as
// text.
#ifndef ACRE_MMAP_PORT_LINUX_AREAS_H_
#define ACRE_MMAP_PORT_LINUX_AREAS_H_

#include "mmap/port/area.h"
#include "mmap/port/linux/files.h"

enum {
    LONGEST_PATH = 4096,
    LONGEST_LINE = 4 * LONGEST_PATH + 512  // a path of newlines, and the numbers before it
};

// An area as the kernel describes it.
typedef struct linux_raw_area {
    uint64_t start, end, offset, inode;
    uint32_t major, minor;
    uint32_t access;
    int shared;
    size_t page_size;  // 0 = unknown
    char *text;        // path or name, terminated by 0
    size_t text_length;
} linux_raw_area;

// Whether a query failed because the ioctl is not available, for example because the process has
// entered a sandbox since it last worked.  The text may still be readable.
static inline int
linux_is_closed(acre_status status)
{
    return status < 0 && status != ACRE_NOT_MAPPED && status != -ENAMETOOLONG && status != -ESRCH &&
           status != -EOVERFLOW;
}

// Converts a raw area of `process` (0 = this one); its text becomes the path or name.
acre_status acre_linux_describe(linux_raw_area *raw, acre_process process, acre_area *out);

// Finds the area at `address`, with `or_next` otherwise the next above it.  ACRE_NOT_MAPPED when
// there is none; -ENAMETOOLONG when its text needs more room.
acre_status acre_linux_query(int file, uintptr_t address, int or_next, char *text, size_t capacity,
                             linux_raw_area *raw);
// The same, but leaves out a path that does not fit.
acre_status acre_linux_query_whatever_path(int file, uintptr_t address, int or_next, char *text,
                                           size_t capacity, linux_raw_area *raw);
// Whether the process still exists and still runs the program that `file` was opened for: ACRE_OK,
// -ESRCH, or the failure of the call.
acre_status acre_linux_query_alive(int file);
acre_status acre_linux_text_alive(int file);
// Returns the page size of the area that begins at `start`; 0 when the query fails.
size_t acre_linux_query_page_size(int file, uint64_t start);

// Reads the next area of the text: 1, 0 at the end, or a failure.  The area's text is as the kernel
// wrote it; empty when it did not fit.
acre_status acre_linux_take_area(linux_window *text, linux_raw_area *raw);
acre_status acre_linux_rewind_text(int file);
// Whether the text may contain an escape.
int acre_linux_has_escape(const linux_raw_area *raw);
// Replaces the escapes, unless they are part of the file's own name.
void acre_linux_unescape(linux_raw_area *raw, acre_process process);

#endif  // ACRE_MMAP_PORT_LINUX_AREAS_H_
