// Linux: areas as the kernel describes them.
//
// There are two ways to find an area.  The ioctl PROCMAP_QUERY (6.11) finds one by its address in
// constant time; the text lists all of them, at half the cost of querying each.  So a view
// enumerates with the text and queries with the ioctl; without the ioctl, a second descriptor reads
// the text for queries.
//
// Both give the same information, except that the text has no page size, writes some bytes of a
// path in octal, and lists the vsyscall page, which is not an area of the process.  A descriptor
// stays with the program that it was opened for.  When that program has exited or has executed
// another one, the ioctl reports it, while the text merely ends; reading it again from the start
// then gives nothing.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/areas.h"

#include <string.h>

enum { DECORATION_LENGTH = 10 };
static const char decoration[] = " (deleted)";

// ---- paths and names ----------------------------------------------------------------------------

static int
begins_with(const linux_raw_area *raw, const char *prefix)
{
    return strncmp(raw->text, prefix, strlen(prefix)) == 0;
}

static int
is_inode(const struct stat *status, const linux_raw_area *raw)
{
    return (uint64_t)status->st_ino == raw->inode;
}

// Whether the text as it is names the area's file: here, or in the root of the process, which may
// have other mounts.
static int
names_file(const linux_raw_area *raw, acre_process process)
{
    struct stat status;
    int saved = errno;
    int found = stat(raw->text, &status) == 0 && is_inode(&status, raw);
    int root = found || process == 0 ? -1 : acre_linux_open_proc(process, "root");
    if (root >= 0) {
        found = fstatat(root, raw->text + 1, &status, 0) == 0 && is_inode(&status, raw);
        sys_close(root);
    }
    errno = saved;
    return found;
}

// Removes " (deleted)" from the end of the text, unless it is part of the file's own name.  Returns
// whether it did.
static int
take_decoration(linux_raw_area *raw, acre_process process)
{
    if (raw->text_length < DECORATION_LENGTH)
        return 0;
    char *tail = raw->text + raw->text_length - DECORATION_LENGTH;
    if (memcmp(tail, decoration, DECORATION_LENGTH) != 0 || names_file(raw, process))
        return 0;
    *tail = 0;
    raw->text_length -= DECORATION_LENGTH;
    return 1;
}

// "[name]"; "[anon:name]" when the program chose the name.
static void
describe_bracket(linux_raw_area *raw, acre_area *out)
{
    char *name = raw->text + 1;
    if (raw->text_length > 2 && raw->text[raw->text_length - 1] == ']')
        raw->text[raw->text_length - 1] = 0;
    if (strncmp(name, "anon:", 5) == 0)
        name += 5;
    else if (strncmp(name, "anon_shmem:", 11) == 0)
        name += 11;
    else if (strcmp(name, "heap") == 0)
        out->flags |= ACRE_AREA_HEAP;
    else if (strcmp(name, "stack") == 0)
        out->flags |= ACRE_AREA_STACK;
    else
        out->flags |= ACRE_AREA_SYSTEM;
    out->name = name;
}

// Memory that the kernel keeps in an internal file; returns whether the area is such memory.
static int
describe_memory(linux_raw_area *raw, acre_area *out)
{
    if (begins_with(raw, "/memfd:"))
        out->name = raw->text + 7;
    else if (begins_with(raw, "/SYSV") || begins_with(raw, "/["))
        out->name = raw->text + 1;
    else if (strcmp(raw->text, "/dev/zero") != 0 && strcmp(raw->text, "/anon_hugepage") != 0)
        return 0;
    return 1;
}

static void
describe_text(linux_raw_area *raw, acre_process process, acre_area *out)
{
    if (raw->text_length == 0) {
        out->flags |= raw->inode != 0 ? ACRE_AREA_FILE : 0;  // its path did not fit
        return;
    }
    if (raw->text[0] == '[') {
        describe_bracket(raw, out);
        return;
    }
    int deleted = take_decoration(raw, process);
    // Such a file is in no folder, so the kernel always lists it as deleted.
    if (deleted && describe_memory(raw, out))
        return;
    out->flags |= ACRE_AREA_FILE | (deleted ? ACRE_AREA_DELETED : 0);
    if (raw->text[0] == '/')
        out->path = raw->text;
    else
        out->name = raw->text;  // "anon_inode:[perf_event]", "socket:[123]"
}

acre_status
acre_linux_describe(linux_raw_area *raw, acre_process process, acre_area *out)
{
    if (raw->end - 1 > UINTPTR_MAX)
        return -EOVERFLOW;  // the other process has wider addresses
    acre_area area = {
        .file_offset = raw->inode != 0 ? raw->offset : 0,
        .device = (uint64_t)raw->major << 32 | raw->minor,
        .inode = raw->inode,
        .start = (uintptr_t)raw->start,
        .end = (uintptr_t)raw->end,
        .allocation_base = (uintptr_t)raw->start,
        .page_size = raw->page_size,
        .access = raw->access,
        .flags = raw->shared ? ACRE_AREA_SHARED : 0,
    };
    describe_text(raw, process, &area);
    if (raw->page_size > acre_port_page_size())
        area.flags |= ACRE_AREA_HUGE;
    if (area.access == ACRE_NONE && !raw->shared && raw->inode == 0 &&
        (area.flags & ACRE_AREA_SYSTEM) == 0)
        area.flags |= ACRE_AREA_RESERVED;
    *out = area;
    return ACRE_OK;
}

// ---- the ioctl ----------------------------------------------------------------------------------

// From linux/fs.h (6.11).
struct procmap_query {
    uint64_t size, query_flags, query_address, start, end, flags, page_size, offset, inode;
    uint32_t major, minor, name_size, build_id_size;
    uint64_t name_address, build_id_address;
};
#define PROCMAP_QUERY_REQUEST _IOWR('f', 17, struct procmap_query)
enum {
    QUERY_READABLE = 1,
    QUERY_WRITABLE = 2,
    QUERY_EXECUTABLE = 4,
    QUERY_SHARED = 8,
    QUERY_OR_NEXT = 16
};

acre_status
acre_linux_query(int file, uintptr_t address, int or_next, char *text, size_t capacity,
                 linux_raw_area *raw)
{
    struct procmap_query request = {
        .size = sizeof request,
        .query_flags = or_next ? QUERY_OR_NEXT : 0,
        .query_address = address,
        .name_size = (uint32_t)capacity,
        .name_address = capacity == 0 ? 0 : (uintptr_t)text,
    };
    int answer;
    acre_status status = sys_ioctl(file, PROCMAP_QUERY_REQUEST, &request, &answer);
    if (status != ACRE_OK)
        return status == -ENOENT ? ACRE_NOT_MAPPED : status;

    linux_raw_area result = {
        .start = request.start,
        .end = request.end,
        .offset = request.offset,
        .inode = request.inode,
        .major = request.major,
        .minor = request.minor,
        .access = (request.flags & QUERY_READABLE ? ACRE_READ : 0u) |
                  (request.flags & QUERY_WRITABLE ? ACRE_WRITE : 0u) |
                  (request.flags & QUERY_EXECUTABLE ? ACRE_EXEC : 0u),
        .shared = (request.flags & QUERY_SHARED) != 0,
        .page_size = (size_t)request.page_size,
        .text = text,
        .text_length = request.name_size == 0 ? 0 : request.name_size - 1,
    };
    text[result.text_length] = 0;
    *raw = result;
    return ACRE_OK;
}

acre_status
acre_linux_query_whatever_path(int file, uintptr_t address, int or_next, char *text,
                               size_t capacity, linux_raw_area *raw)
{
    acre_status status = acre_linux_query(file, address, or_next, text, capacity, raw);
    return status == -ENAMETOOLONG ? acre_linux_query(file, address, or_next, text, 0, raw)
                                   : status;
}

acre_status
acre_linux_query_alive(int file)
{
    struct procmap_query request = {.size = sizeof request, .query_flags = QUERY_OR_NEXT};
    int answer;
    acre_status status = sys_ioctl(file, PROCMAP_QUERY_REQUEST, &request, &answer);
    return status == -ENOENT ? ACRE_OK : status;
}

size_t
acre_linux_query_page_size(int file, uint64_t start)
{
    struct procmap_query request = {.size = sizeof request, .query_address = start};
    int answer;
    return sys_ioctl(file, PROCMAP_QUERY_REQUEST, &request, &answer) == ACRE_OK
               ? (size_t)request.page_size
               : 0;
}

// ---- the text -----------------------------------------------------------------------------------

// The kernel writes a newline in a path as \012 but does not escape a backslash.  So only a look at
// the file system shows whether "\012" in a path was a newline.
int
acre_linux_has_escape(const linux_raw_area *raw)
{
    return raw->text_length != 0 && strstr(raw->text, "\\012") != NULL;
}

void
acre_linux_unescape(linux_raw_area *raw, acre_process process)
{
    if (names_file(raw, process))
        return;
    char *to = raw->text;
    for (const char *from = raw->text; *from != 0; to++) {
        int escaped = strncmp(from, "\\012", 4) == 0;
        *to = *from;
        if (escaped)
            *to = '\n';
        from += escaped ? 4 : 1;
    }
    *to = 0;
    raw->text_length = (size_t)(to - raw->text);
}

// "start-end rwxs offset major:minor inode   text"
static void
parse_line(char *line, size_t length, linux_raw_area *raw)
{
    const char *at = line;
    linux_raw_area result = {0};
    result.start = linux_take_field(&at, 16);
    result.end = linux_take_field(&at, 16);
    result.access = (at[0] == 'r' ? ACRE_READ : 0u) | (at[1] == 'w' ? ACRE_WRITE : 0u) |
                    (at[2] == 'x' ? ACRE_EXEC : 0u);
    result.shared = at[3] == 's';
    at += 5;
    result.offset = linux_take_field(&at, 16);
    result.major = (uint32_t)linux_take_field(&at, 16);
    result.minor = (uint32_t)linux_take_field(&at, 16);
    result.inode = linux_take_field(&at, 10);
    while (*at == ' ')
        at++;
    result.text = line + (at - line);
    result.text_length = length - (size_t)(at - line);
    *raw = result;
}

static int
is_vsyscall(const linux_raw_area *raw)
{
    return raw->text[0] == '[' && strcmp(raw->text, "[vsyscall]") == 0;
}

acre_status
acre_linux_take_area(linux_window *text, linux_raw_area *raw)
{
    char *line = NULL;
    size_t length = 0;
    acre_status status;
    do {
        status = acre_linux_take_line(text, &line, &length);
        if (status != 1)
            return status;
        parse_line(line, length, raw);
    } while (is_vsyscall(raw));
    if (text->cut) {
        raw->text_length = 0;
        raw->text[0] = 0;
    }
    return 1;
}

acre_status
acre_linux_text_alive(int file)
{
    char byte;
    ssize_t got = sys_pread(file, &byte, 1, 0);
    if (got < 0)
        return (acre_status)got;
    return got == 0 ? -ESRCH : ACRE_OK;
}

acre_status
acre_linux_rewind_text(int file)
{
    return sys_seek(file, 0);
}

#endif  // ACRE_ON_LINUX
