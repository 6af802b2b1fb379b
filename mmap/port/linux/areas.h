// mmap/port/linux/areas.h - areas as the kernel describes them, by PROCMAP_QUERY (6.11) and by
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
    size_t page_size;  // 0 = not told
    char *text;        // path or name, ended by 0
    size_t text_length;
} linux_raw_area;

// Whether a query failed because this way is closed, as it is in a sandbox that was entered after
// it had been open.  The text may be readable then.
static inline int
linux_is_closed(acre_status status)
{
    return status < 0 && status != ACRE_NOT_MAPPED && status != -ENAMETOOLONG && status != -ESRCH &&
           status != -EOVERFLOW;
}

// What is told of a raw area; its text becomes the path or name.
acre_status acre_linux_describe(linux_raw_area *raw, acre_area *out);

// The area at `address`, or the next above it; ACRE_NOT_MAPPED; -ENAMETOOLONG when its text needs
// more room.
acre_status acre_linux_query(int file, uintptr_t address, int or_next, char *text, size_t capacity,
                             linux_raw_area *raw);
// The same, but a path that is too long for any buffer is left out.
acre_status acre_linux_query_whatever_path(int file, uintptr_t address, int or_next, char *text,
                                           size_t capacity, linux_raw_area *raw);
// Whether the process is there, and still the program that `file` was opened for: ACRE_OK, -ESRCH,
// or what the question failed with.
acre_status acre_linux_query_alive(int file);
acre_status acre_linux_text_alive(int file);
// Of the area that begins there; 0 where that was not told.
size_t acre_linux_query_page_size(int file, uint64_t start);

// The next area of the text: 1, 0 at the end, or a failure.  Its text is as the kernel wrote it;
// empty when it did not fit.
acre_status acre_linux_take_area(linux_window *text, linux_raw_area *raw);
acre_status acre_linux_rewind_text(int file);
// Whether the text has an escape, and what it means.
int acre_linux_has_escape(const linux_raw_area *raw);
void acre_linux_unescape(linux_raw_area *raw);

#endif  // ACRE_MMAP_PORT_LINUX_AREAS_H_
