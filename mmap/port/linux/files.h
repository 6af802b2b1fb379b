// mmap/port/linux/files.h - reads the kernel's small text files without malloc.
#ifndef ACRE_MMAP_PORT_LINUX_FILES_H_
#define ACRE_MMAP_PORT_LINUX_FILES_H_

#include "mmap/port/linux/sys.h"

// Reads the first `capacity` - 1 bytes of a small file and terminates them by 0.  Returns their
// number, or a failure.
ssize_t acre_linux_read_file(const char *path, char *text, size_t capacity);
// Whether a file is known not to exist: opening it failed with -ENOENT (`opened` is that status),
// and the folder that would hold it exists.
int acre_linux_is_absent(const char *folder, int opened);
// Returns the number at the start of a file; 0 when there is none.
uint64_t acre_linux_read_number(const char *path);
// Returns the number after "key:" at the start of a line of `text`; 0 when there is none.
uint64_t acre_linux_number_of_key(const char *text, const char *key);

// Reads a number and advances *text past its digits; UINT64_MAX when it does not fit.
uint64_t acre_linux_take_number(const char **text);

// Reads a number in `base` (10, or 16 with lower-case letters) and advances *at past it and the
// byte after it.
static inline uint64_t
linux_take_field(const char **at, unsigned base)
{
    const char *from = *at;
    uint64_t value = 0;
    for (;; from++) {
        unsigned digit = (unsigned)(unsigned char)*from - '0';
        if (digit > 9)
            digit = digit >= 'a' - '0' ? digit - ('a' - '0') + 10 : base;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    *at = from + (*from != 0);
    return value;
}

// A window on the text: [begin, end) of `bytes` has been read but not yet used.
typedef struct linux_window {
    int file;
    int at_end;
    int cut;  // the last line did not fit; its rest will be skipped
    size_t begin, end, capacity;
    char *bytes;
} linux_window;

// Takes the next line and terminates it by 0 instead of a newline: 1; 0 at the end; or a failure.
// A line longer than the window is cut.
acre_status acre_linux_take_line(linux_window *text, char **line, size_t *length);

// Calls `look` for each name in an open folder until it returns 0.
acre_status acre_linux_each_entry(int folder, int (*look)(const char *name, void *of), void *of);

// Opens "/proc/PID/file"; 0 = this process.  The kernel shows nothing for a first thread that has
// exited.  From 6.13 on the open fails with -ESRCH; before, the file is empty (for which the
// functions of areas.h return -ESRCH).
int acre_linux_open_proc(acre_process process, const char *file);
// The same through any thread of another process for which the file is not empty.
int acre_linux_open_of_task(acre_process process, const char *file);
// Call this when a file of this process was empty, before opening it once more.  Always returns 1.
int acre_linux_turns_to_thread(void);

#endif  // ACRE_MMAP_PORT_LINUX_FILES_H_
