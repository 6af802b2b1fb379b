// Linux: small files and their lines.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/files.h"

#include <stdatomic.h>
#include <string.h>

ssize_t
acre_linux_read_file(const char *path, char *text, size_t capacity)
{
    int file = sys_open(path, O_RDONLY);
    if (file < 0)
        return file;

    size_t length = 0;
    ssize_t got;
    while (length < capacity - 1 &&
           (got = sys_read(file, text + length, capacity - 1 - length)) != 0) {
        if (got < 0) {
            sys_close(file);
            return got;
        }
        length += (size_t)got;
    }
    sys_close(file);
    text[length] = 0;
    return (ssize_t)length;
}

int
acre_linux_is_absent(const char *folder, int opened)
{
    if (opened != -ENOENT)
        return 0;
    int file = sys_open(folder, O_RDONLY | O_DIRECTORY);
    if (file < 0)
        return 0;
    sys_close(file);
    return 1;
}

uint64_t
acre_linux_take_number(const char **text)
{
    uint64_t value = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        unsigned digit = (unsigned)(**text - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    return value;
}

uint64_t
acre_linux_read_number(const char *path)
{
    char text[32];
    if (acre_linux_read_file(path, text, sizeof text) <= 0)
        return 0;
    const char *at = text;
    return acre_linux_take_number(&at);
}

uint64_t
acre_linux_number_of_key(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0 || line[length] != ':')
            continue;
        line += length + 1;
        line += strspn(line, " \t");
        return acre_linux_take_number(&line);
    }
    return 0;
}

// ---- lines --------------------------------------------------------------------------------------

static acre_status
fill_window(linux_window *text)
{
    memmove(text->bytes, text->bytes + text->begin, text->end - text->begin);
    text->end -= text->begin;
    text->begin = 0;
    ssize_t got = sys_read(text->file, text->bytes + text->end, text->capacity - text->end);
    if (got < 0)
        return (acre_status)got;
    text->end += (size_t)got;
    text->at_end = got == 0;
    return ACRE_OK;
}

static acre_status
skip_rest_of_line(linux_window *text)
{
    while (text->cut) {
        char *newline = memchr(text->bytes + text->begin, '\n', text->end - text->begin);
        if (newline != NULL) {
            text->begin = (size_t)(newline - text->bytes) + 1;
            text->cut = 0;
            break;
        }
        text->begin = text->end;
        acre_status status = fill_window(text);
        if (status != ACRE_OK)
            return status;
        if (text->at_end)
            text->cut = 0;
    }
    return ACRE_OK;
}

acre_status
acre_linux_take_line(linux_window *text, char **line, size_t *length)
{
    acre_status status = skip_rest_of_line(text);
    size_t looked = 0;
    while (status == ACRE_OK) {
        char *start = text->bytes + text->begin;
        size_t there = text->end - text->begin;
        char *newline = memchr(start + looked, '\n', there - looked);
        if (newline == NULL && there == 0 && text->at_end)
            return 0;
        text->cut = newline == NULL && (there == text->capacity || text->at_end);
        if (newline != NULL || text->cut) {
            *length = newline != NULL ? (size_t)(newline - start) : there - 1;
            *line = start;
            start[*length] = 0;
            text->begin += *length + 1;
            return 1;
        }
        looked = there;
        status = fill_window(text);
    }
    return status < 0 ? status : -EIO;
}

// ---- folders ------------------------------------------------------------------------------------

acre_status
acre_linux_each_entry(int folder, int (*look)(const char *name, void *of), void *of)
{
    // opendir allocates memory; getdents64 does not.
    _Alignas(8) char entries[1024];
    int saved = errno;
    long got;
    int goes_on = 1;
    while (goes_on && (got = syscall(SYS_getdents64, folder, entries, sizeof entries)) != 0) {
        if (got < 0)
            return status_of(-1, saved);
        for (long at = 0; at < got && goes_on;) {
            // struct linux_dirent64: inode and offset (8 bytes each), length of the record (2),
            // type (1), name.
            unsigned short length;
            memcpy(&length, entries + at + 16, sizeof length);
            goes_on = look(entries + at + 19, of);
            at += length;
        }
    }
    return ACRE_OK;
}

// ---- processes ----------------------------------------------------------------------------------

// Set once the first thread has exited by pthread_exit: /proc/self stands for that thread and then
// shows nothing.  Do not try /proc/thread-self first: Valgrind and qemu-user emulate /proc/self but
// pass the other on to the kernel, which shows the tool.
static _Atomic int first_thread_ended;

static char *
append_text(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length + 1);
    return at + length;
}

static char *
append_number(char *at, unsigned number)
{
    char digits[12];
    size_t count = sizeof digits;
    digits[--count] = 0;
    for (; number != 0; number /= 10)
        digits[--count] = (char)('0' + number % 10);
    return append_text(at, digits + count);
}

enum { PROC_PATH = 64 };

static int
open_of_self(const char *thread, const char *file)
{
    char path[PROC_PATH];
    append_text(append_text(append_text(path, "/proc/"), thread), file);
    return sys_open(path, O_RDONLY);
}

typedef struct task_search {
    char path[PROC_PATH];  // "/proc/PID/task/"
    const char *file;
    int opened;
} task_search;

static int
open_task(const char *name, void *of)
{
    task_search *search = of;
    char path[2 * PROC_PATH];
    if (name[0] < '0' || name[0] > '9' || strlen(name) > 12)
        return 1;
    append_text(append_text(append_text(append_text(path, search->path), name), "/"), search->file);
    int file = sys_open(path, O_RDONLY);
    char byte;
    // The file of a thread that has exited is empty.
    if (file >= 0 && sys_pread(file, &byte, 1, 0) != 1) {
        sys_close(file);
        return 1;
    }
    if (file < 0)
        return 1;
    search->opened = file;
    return 0;
}

int
acre_linux_open_of_task(acre_process process, const char *file)
{
    task_search search = {.file = file, .opened = -ESRCH};
    append_text(append_number(append_text(search.path, "/proc/"), (unsigned)process), "/task");
    int folder = sys_open(search.path, O_RDONLY | O_DIRECTORY);
    if (folder < 0)
        return folder == -ENOENT ? -ESRCH : folder;
    append_text(search.path + strlen(search.path), "/");
    acre_status status = acre_linux_each_entry(folder, open_task, &search);
    sys_close(folder);
    return search.opened < 0 && status != ACRE_OK ? status : search.opened;
}

int
acre_linux_turns_to_thread(void)
{
    atomic_store_explicit(&first_thread_ended, 1, memory_order_relaxed);
    return 1;
}

int
acre_linux_open_proc(acre_process process, const char *file)
{
    if (process != 0) {
        char path[PROC_PATH];
        append_text(append_text(append_number(append_text(path, "/proc/"), (unsigned)process), "/"),
                    file);
        int opened = sys_open(path, O_RDONLY);
        if (opened == -ESRCH)
            return acre_linux_open_of_task(process, file);
        // Where there is no /proc, nothing is known of the process.
        return acre_linux_is_absent("/proc/self", opened) ? -ESRCH : opened;
    }
    if (!atomic_load_explicit(&first_thread_ended, memory_order_relaxed)) {
        int opened = open_of_self("self/", file);
        if (opened != -ESRCH)
            return opened;
        (void)acre_linux_turns_to_thread();
    }
    int opened = open_of_self("thread-self/", file);
    return opened == -ENOENT ? open_of_self("self/", file) : opened;
}

#endif  // ACRE_ON_LINUX
