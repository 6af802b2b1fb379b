// Linux: small files and their lines.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/files.h"

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
fill(linux_window *text)
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
        acre_status status = fill(text);
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
        status = fill(text);
    }
    return status < 0 ? status : -EIO;
}

// ---- processes ----------------------------------------------------------------------------------

// Writes "/proc/PID/file"; 0 = this process.
static void
proc_path(char path[48], acre_process process, const char *file)
{
    char digits[12];
    size_t count = 0;
    for (unsigned rest = (unsigned)process; rest != 0; rest /= 10)
        digits[count++] = (char)('0' + rest % 10);
    strcpy(path, "/proc/");
    char *at = path + 6;
    if (process == 0) {
        strcpy(at, "self");
        at += 4;
    }
    while (count > 0)
        *at++ = digits[--count];
    *at++ = '/';
    strcpy(at, file);
}

int
acre_linux_open_proc(acre_process process, const char *file)
{
    char path[48];
    proc_path(path, process, file);
    int opened = sys_open(path, O_RDONLY);
    return opened == -ENOENT && process != 0 ? -ESRCH : opened;
}

#endif  // ACRE_ON_LINUX
