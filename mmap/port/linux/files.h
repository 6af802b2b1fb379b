// mmap/port/linux/files.h - what the kernel tells in small files, read without malloc.
#ifndef ACRE_MMAP_PORT_LINUX_FILES_H_
#define ACRE_MMAP_PORT_LINUX_FILES_H_

#include "mmap/port/linux/sys.h"

// The first `capacity` - 1 bytes of a small file, ended by 0; the count, or a failure.
ssize_t acre_linux_read_file(const char *path, char *text, size_t capacity);
// The number at the start of a file; 0 when there is none.
uint64_t acre_linux_read_number(const char *path);
// The number behind "key:" at the start of a line of `text`; 0 when there is none.
uint64_t acre_linux_number_of_key(const char *text, const char *key);

// Reads digits from *text on; what does not fit is UINT64_MAX.
uint64_t acre_linux_take_number(const char **text);

// Reads a number to `base` (10, or 16 in small letters) from *at on and steps over the byte behind
// it.
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

// A window on the text: bytes [begin, end) of `bytes` have been read and not used.
typedef struct linux_window {
    int file;
    int at_end;
    int cut;  // the line taken last did not fit: its rest is passed over
    size_t begin, end, capacity;
    char *bytes;
} linux_window;

// Takes a line, ended by 0 instead of a newline: 1; 0 at the end.  Of a line longer than the window
// only the beginning.
acre_status acre_linux_take_line(linux_window *text, char **line, size_t *length);

// Calls `look` with each name in an open folder, until it returns 0.
acre_status acre_linux_each_entry(int folder, int (*look)(const char *name, void *of), void *of);

// Opens "/proc/PID/file"; 0 = this process.  Of a first thread that has ended the kernel shows
// nothing: from 6.13 on it says so here, before in what is read (-ESRCH in the functions of
// areas.h).
int acre_linux_open_proc(acre_process process, const char *file);
// The same of any thread of another process that has something to show.
int acre_linux_open_of_task(acre_process process, const char *file);
// To be called when a file of this process has shown nothing, before it is opened once more: 1.
int acre_linux_turns_to_thread(void);

#endif  // ACRE_MMAP_PORT_LINUX_FILES_H_
