// Linux: what is mapped, by /proc/PID/maps.
//
// Two ways lead to an area.  The ioctl PROCMAP_QUERY (6.11) finds one by its address in constant
// time; the text gives all of them, at half the price of asking for each.  So a view enumerates by
// text and queries by ioctl; where there is no ioctl, a second descriptor reads the text for
// queries.
//
// Both say the same, except that the text has no page size, writes some bytes of a path in octal,
// and lists the vsyscall page, which is no area of the process.  A descriptor stays with the
// program that it was opened for: when that has ended or has executed another, the ioctl says so,
// while the text just ends; then reading it from the start gives nothing.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/linux.h"

#include <stdatomic.h>
#include <string.h>

enum {
    LONGEST_PATH = 4096,
    LONGEST_LINE = 4 * LONGEST_PATH + 512,  // a path of newlines, and the numbers before it
    DECORATION_LENGTH = 10
};
static const char decoration[] = " (deleted)";

// An area as the kernel describes it.
typedef struct raw_area {
    uint64_t start, end, offset, inode;
    uint32_t major, minor;
    uint32_t access;
    int shared;
    size_t page_size;  // 0 = not told
    char *text;        // path or name, ended by 0
    size_t text_length;
} raw_area;

// ---- what the kernel's words mean ---------------------------------------------------------------

static int
begins(const raw_area *raw, const char *prefix)
{
    return strncmp(raw->text, prefix, strlen(prefix)) == 0;
}

// Takes " (deleted)" off the text; whether it was there and does not belong to the file's own name.
static int
take_decoration(raw_area *raw)
{
    if (raw->text_length < DECORATION_LENGTH)
        return 0;
    char *tail = raw->text + raw->text_length - DECORATION_LENGTH;
    if (memcmp(tail, decoration, DECORATION_LENGTH) != 0)
        return 0;

    struct stat status;
    int saved = errno;
    int live = stat(raw->text, &status) == 0 && (uint64_t)status.st_ino == raw->inode;
    errno = saved;
    if (live)
        return 0;
    *tail = 0;
    raw->text_length -= DECORATION_LENGTH;
    return 1;
}

// "[name]", and "[anon:name]" for names that a program gave.
static void
describe_bracket(raw_area *raw, acre_area *out)
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

// Memory that the kernel keeps in a file of its own; whether it was that.
static int
describe_memory(raw_area *raw, acre_area *out)
{
    if (begins(raw, "/memfd:"))
        out->name = raw->text + 7;
    else if (begins(raw, "/SYSV") || begins(raw, "/["))
        out->name = raw->text + 1;
    else if (strcmp(raw->text, "/dev/zero") != 0 && strcmp(raw->text, "/anon_hugepage") != 0)
        return 0;
    return 1;
}

static void
describe_text(raw_area *raw, acre_area *out)
{
    if (raw->text_length == 0) {
        out->flags |= raw->inode != 0 ? ACRE_AREA_FILE : 0;  // with a path that is too long to tell
        return;
    }
    if (raw->text[0] == '[') {
        describe_bracket(raw, out);
        return;
    }
    int deleted = take_decoration(raw);
    // Such memory has no name in any folder, so it always counts as deleted.
    if (deleted && describe_memory(raw, out))
        return;
    out->flags |= ACRE_AREA_FILE | (deleted ? ACRE_AREA_DELETED : 0);
    if (raw->text[0] == '/')
        out->path = raw->text;
    else
        out->name = raw->text;  // "anon_inode:[perf_event]", "socket:[123]"
}

static acre_status
describe(raw_area *raw, acre_area *out)
{
    if (raw->end - 1 > UINTPTR_MAX)
        return -EOVERFLOW;  // of a process with wider addresses
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
    describe_text(raw, &area);
    if (raw->page_size > acre_port_page_size())
        area.flags |= ACRE_AREA_HUGE;
    if (area.access == ACRE_NONE && !raw->shared && raw->inode == 0 &&
        (area.flags & ACRE_AREA_SYSTEM) == 0)
        area.flags |= ACRE_AREA_RESERVED;
    *out = area;
    return ACRE_OK;
}

// ---- by ioctl -----------------------------------------------------------------------------------

// From linux/fs.h of 6.11.
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

// The area at `address`, or the next above it; ACRE_NOT_MAPPED; -ENAMETOOLONG when its text needs
// more room.
static acre_status
query(int file, uintptr_t address, int or_next, char *text, size_t capacity, raw_area *raw)
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

    raw_area result = {
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

// As query, but a path that is too long for any buffer is left out.
static acre_status
query_whatever_path(int file, uintptr_t address, int or_next, char *text, size_t capacity,
                    raw_area *raw)
{
    acre_status status = query(file, address, or_next, text, capacity, raw);
    return status == -ENAMETOOLONG ? query(file, address, or_next, text, 0, raw) : status;
}

static acre_status
query_in_file(int file, uintptr_t address, char *text, size_t capacity, int last, acre_area *out)
{
    raw_area raw;
    acre_status status = last ? query_whatever_path(file, address, 0, text, capacity, &raw)
                              : query(file, address, 0, text, capacity, &raw);
    return status == ACRE_OK ? describe(&raw, out) : status;
}

// ---- by text ------------------------------------------------------------------------------------

// A window on the text: bytes [begin, end) of `bytes` have been read and not used.
typedef struct window {
    int file;
    int at_end;
    int cut;  // the line taken last did not fit: its rest is passed over
    size_t begin, end, capacity;
    char *bytes;
} window;

static acre_status
fill(window *text)
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
skip_rest_of_line(window *text)
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

// Takes a line, ended by 0 instead of a newline: 1; 0 at the end.  Of a line longer than the window
// only the beginning.
static acre_status
take_line(window *text, char **line, size_t *length)
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

// Reads a number to `base` (10, or 16 in small letters) from *at on and steps over the byte behind
// it.
static inline uint64_t
take_field(const char **at, unsigned base)
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

// The kernel writes a newline in a path as \012 and a backslash as it is, so only the file can tell
// which of them was meant.
static int
has_escape(const raw_area *raw)
{
    return raw->text_length != 0 && strstr(raw->text, "\\012") != NULL;
}

static void
unescape(raw_area *raw)
{
    struct stat status;
    int saved = errno;
    int literal = stat(raw->text, &status) == 0 && (uint64_t)status.st_ino == raw->inode;
    errno = saved;
    if (literal)
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
parse(char *line, size_t length, raw_area *raw)
{
    const char *at = line;
    raw_area result = {0};
    result.start = take_field(&at, 16);
    result.end = take_field(&at, 16);
    result.access = (at[0] == 'r' ? ACRE_READ : 0u) | (at[1] == 'w' ? ACRE_WRITE : 0u) |
                    (at[2] == 'x' ? ACRE_EXEC : 0u);
    result.shared = at[3] == 's';
    at += 5;
    result.offset = take_field(&at, 16);
    result.major = (uint32_t)take_field(&at, 16);
    result.minor = (uint32_t)take_field(&at, 16);
    result.inode = take_field(&at, 10);
    while (*at == ' ')
        at++;
    result.text = line + (at - line);
    result.text_length = length - (size_t)(at - line);
    *raw = result;
}

static int
is_vsyscall(const raw_area *raw)
{
    return raw->text[0] == '[' && strcmp(raw->text, "[vsyscall]") == 0;
}

// The next area: 1, 0 at the end, or a failure.  Its text is as the kernel wrote it; empty when it
// did not fit.
static acre_status
take_area(window *text, raw_area *raw)
{
    char *line = NULL;
    size_t length = 0;
    acre_status status;
    do {
        status = take_line(text, &line, &length);
        if (status != 1)
            return status;
        parse(line, length, raw);
    } while (is_vsyscall(raw));
    if (text->cut) {
        raw->text_length = 0;
        raw->text[0] = 0;
    }
    return 1;
}

static acre_status
find_in_text(window *text, uintptr_t address, raw_area *raw)
{
    acre_status status;
    do
        status = take_area(text, raw);
    while (status == 1 && raw->end <= address);
    if (status < 0)
        return status;
    return status == 1 && raw->start <= address ? ACRE_OK : ACRE_NOT_MAPPED;
}

static acre_status
rewind_text(int file)
{
    int saved = errno;
    return status_of(lseek(file, 0, SEEK_SET) == -1 ? -1 : 0, saved);
}

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

static int
open_proc(acre_process process, const char *file)
{
    char path[48];
    proc_path(path, process, file);
    int opened = sys_open(path, O_RDONLY);
    return opened == -ENOENT && process != 0 ? -ESRCH : opened;
}

// The page size of an area by the long text, for kernels without the ioctl; the base page when it
// cannot be found.
static size_t
page_size_by_smaps(acre_process process, uint64_t start)
{
    static const char key[] = "KernelPageSize:";
    char bytes[1024];
    window text = {.file = open_proc(process, "smaps"), .capacity = sizeof bytes, .bytes = bytes};
    size_t size = acre_port_page_size();
    if (text.file < 0)
        return size;

    char *line = NULL;
    size_t length = 0;
    for (int inside = 0; take_line(&text, &line, &length) == 1;) {
        const char *at = line;
        if (line[0] >= 'A' && line[0] <= 'Z') {
            if (!inside || strncmp(line, key, sizeof key - 1) != 0)
                continue;
            at = line + sizeof key - 1;
            at += strspn(at, " ");
            size = (size_t)take_field(&at, 10) * 1024;
            break;
        }
        inside = take_field(&at, 16) == start;
    }
    sys_close(text.file);
    return size;
}

// Only files can have explicit huge pages, and only whole ones.
static int
may_be_huge(const raw_area *raw)
{
    size_t huge = acre_linux_smallest_huge_size();
    return raw->inode != 0 && huge != 0 && ((raw->start | raw->end) & (huge - 1)) == 0;
}

// `file` answers the ioctl, or is -1.
static void
find_page_size(int file, acre_process process, raw_area *raw)
{
    raw->page_size = acre_port_page_size();
    if (!may_be_huge(raw))
        return;
    if (file == -1) {
        raw->page_size = page_size_by_smaps(process, raw->start);
        return;
    }
    struct procmap_query request = {.size = sizeof request, .query_address = raw->start};
    int answer;
    if (sys_ioctl(file, PROCMAP_QUERY_REQUEST, &request, &answer) == ACRE_OK)
        raw->page_size = (size_t)request.page_size;
}

// ---- without a view -----------------------------------------------------------------------------

// -ENAMETOOLONG when the text does not fit into `bytes` (`last`: then without it).
static acre_status
look(int file, acre_process process, uintptr_t address, char *bytes, size_t capacity, int last,
     acre_area *out)
{
    if (acre_port_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME))
        return query_in_file(file, address, bytes, capacity, last, out);

    window text = {.file = file, .capacity = capacity, .bytes = bytes};
    raw_area raw;
    acre_status status = find_in_text(&text, address, &raw);
    if (status != ACRE_OK)
        return status;
    if (text.cut && !last)
        return -ENAMETOOLONG;
    if (has_escape(&raw))
        unescape(&raw);
    find_page_size(-1, process, &raw);
    return describe(&raw, out);
}

// Apart, so that only those who meet a long path need the room on their stack.
static ACRE_COLD acre_status
look_with_room(int file, uintptr_t address, acre_area *out)
{
    char bytes[LONGEST_LINE] = {0};
    acre_status status = rewind_text(file);
    return status == ACRE_OK ? look(file, 0, address, bytes, sizeof bytes, 1, out) : status;
}

acre_status
acre_port_area_at(uintptr_t address, acre_area *out)
{
    int file = open_proc(0, "maps");
    if (file < 0)
        return file;
    char bytes[512] = {0};
    acre_area area;
    acre_status status = look(file, 0, address, bytes, sizeof bytes, 0, &area);
    if (status == -ENAMETOOLONG)
        status = look_with_room(file, address, &area);
    sys_close(file);
    if (status != ACRE_OK)
        return status;
    area.path = NULL;
    area.name = NULL;
    *out = area;
    return ACRE_OK;
}

acre_status
acre_linux_query_self(uintptr_t address, acre_area *out)
{
    int file = open_proc(0, "maps");
    if (file < 0)
        return file;
    char bytes[512] = {0};
    acre_status status = query_in_file(file, address, bytes, sizeof bytes, 1, out);
    sys_close(file);
    return status;
}

// ---- room near an address -----------------------------------------------------------------------

// Goes through the areas of this process upwards, by whichever way there is.
typedef struct walker {
    window text;
    char bytes[512];
    uintptr_t position;
    int by_ioctl;
} walker;

// The next area that ends above the position: 1, 0 at the end, or a failure.
static acre_status
walk_on(walker *walk, acre_area *out)
{
    raw_area raw;
    acre_status status;
    if (walk->by_ioctl) {
        status = query_whatever_path(walk->text.file, walk->position, 1, walk->bytes,
                                     sizeof walk->bytes, &raw);
        status = status == ACRE_OK ? 1 : status == ACRE_NOT_MAPPED ? 0 : status;
    } else {
        do
            status = take_area(&walk->text, &raw);
        while (status == 1 && raw.end <= walk->position);
    }
    if (status == 1) {
        acre_status described = describe(&raw, out);
        if (described != ACRE_OK)
            return described;
        walk->position = out->end;
    }
    return status;
}

// A page that the kernel shows above the program's addresses (arm, x86-64); the hole below it is no
// program's either.
static int
is_the_kernels(const acre_area *area)
{
    return area->name != NULL &&
           (strcmp(area->name, "vectors") == 0 || strcmp(area->name, "vsyscall") == 0);
}

acre_status
acre_linux_find_near(size_t size, size_t alignment, uintptr_t near_address, size_t reach,
                     uintptr_t beyond, void **base)
{
    // Stacks grow down and the program break up, and both need room for that.
    enum { STACK_ROOM = 16 * 1024 * 1024, HEAP_ROOM = 64 * 1024 * 1024 };
    posix_room room = acre_posix_room_within(size, alignment, near_address, reach);
    room.beyond = beyond;
    walker areas = {.by_ioctl = acre_port_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME)};
    areas.text = (window){
        .file = open_proc(0, "maps"), .capacity = sizeof areas.bytes, .bytes = areas.bytes};
    if (areas.text.file < 0)
        return areas.text.file;

    // From a little below, for what grows from there.
    areas.position = room.low > HEAP_ROOM ? room.low - HEAP_ROOM : 0;
    uintptr_t hole = 0;
    acre_area area;
    acre_status status;
    while ((status = walk_on(&areas, &area)) == 1) {
        uintptr_t end = area.start;
        if (is_the_kernels(&area))
            break;
        if (area.flags & ACRE_AREA_STACK)
            end = end > STACK_ROOM ? end - STACK_ROOM : 0;
        if (end > hole)
            acre_posix_consider(&room, hole, end);
        hole = area.end;
        if (area.flags & ACRE_AREA_HEAP)
            hole = hole > UINTPTR_MAX - HEAP_ROOM ? UINTPTR_MAX : hole + HEAP_ROOM;
        if (hole >= room.high)
            break;
    }
    sys_close(areas.text.file);
    // Above the last area lies what is not the program's.
    if (status < 0)
        return status;
    if (room.best == 0)
        return -ENOMEM;
    *base = (void *)room.best;
    return ACRE_OK;
}

acre_status
acre_port_area_count(uint64_t *out)
{
    char bytes[512];
    window text = {.file = open_proc(0, "maps"), .capacity = sizeof bytes, .bytes = bytes};
    if (text.file < 0)
        return text.file;
    uint64_t count = 0;
    raw_area raw;
    acre_status status;
    while ((status = take_area(&text, &raw)) == 1)
        count++;
    sys_close(text.file);
    if (status == ACRE_OK)
        *out = count;
    return status;
}

// ---- views --------------------------------------------------------------------------------------

struct port_view {
    window text;     // for next
    int query_file;  // answers queries: the ioctl, or the text from its start
    int by_ioctl;
    int stepping;  // next goes by query from `position` on
    acre_process process;
    uintptr_t position;
    char queried[LONGEST_LINE];  // what a query reads, and answers with
    char bytes[];
};
_Static_assert(offsetof(struct port_view, bytes) + LONGEST_LINE <= PORT_VIEW_SIZE, "two lines fit");

static uintptr_t
handle_of(int file)
{
    return (uintptr_t)(unsigned)file + 1;
}

static int
file_of(uintptr_t handle)
{
    return (int)(handle - 1);
}

acre_status
acre_port_view_open(port_view *view, acre_process process, uintptr_t handle[2])
{
    if (process < 0)
        return -ESRCH;
    int file = open_proc(process, "maps");
    if (file < 0)
        return file;

    view->process = process;
    view->by_ioctl = acre_port_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME);
    view->query_file = view->by_ioctl ? file : open_proc(process, "maps");
    if (view->query_file < 0) {
        sys_close(file);
        return view->query_file;
    }
    view->text.file = file;
    view->text.bytes = view->bytes;
    view->text.capacity = PORT_VIEW_SIZE - offsetof(struct port_view, bytes);
    handle[0] = handle_of(file);
    handle[1] = view->by_ioctl ? 0 : handle_of(view->query_file);
    return ACRE_OK;
}

void
acre_port_view_close(const uintptr_t handle[2])
{
    for (int i = 0; i < 2; i++) {
        if (handle[i] != 0)
            sys_close(file_of(handle[i]));
    }
}

// -ESRCH when the process has ended or has become another program.
static acre_status
check_alive(port_view *view)
{
    if (view->by_ioctl) {
        struct procmap_query request = {.size = sizeof request, .query_flags = QUERY_OR_NEXT};
        int answer;
        acre_status status = sys_ioctl(view->query_file, PROCMAP_QUERY_REQUEST, &request, &answer);
        return status == -ENOENT ? ACRE_OK : status;
    }
    char byte;
    acre_status status = rewind_text(view->query_file);
    if (status != ACRE_OK)
        return status;
    ssize_t got = sys_read(view->query_file, &byte, 1);
    if (got < 0)
        return (acre_status)got;
    return got == 0 ? -ESRCH : ACRE_OK;
}

static acre_status
step(port_view *view, acre_area *out)
{
    raw_area raw;
    acre_status status = query_whatever_path(view->query_file, view->position, 1, view->queried,
                                             sizeof view->queried - 1, &raw);
    if (status == ACRE_NOT_MAPPED)
        return 0;
    if (status == ACRE_OK)
        status = describe(&raw, out);
    if (status != ACRE_OK)
        return status;
    view->position = out->end;
    return 1;
}

acre_status
acre_port_view_next(port_view *view, acre_area *out)
{
    if (view->stepping)
        return step(view, out);

    raw_area raw;
    acre_status status;
    do
        status = take_area(&view->text, &raw);
    while (status == 1 && raw.end <= view->position);
    if (status == 0)
        return check_alive(view);
    if (status < 0)
        return status;

    if (has_escape(&raw) && !view->by_ioctl)
        unescape(&raw);
    else if (has_escape(&raw))
        (void)query(view->query_file, (uintptr_t)raw.start, 0, view->queried,
                    sizeof view->queried - 1, &raw);
    find_page_size(view->by_ioctl ? view->query_file : -1, view->process, &raw);
    status = describe(&raw, out);
    return status == ACRE_OK ? 1 : status;
}

acre_status
acre_port_view_seek(port_view *view, uintptr_t address)
{
    acre_status status = check_alive(view);
    if (status == ACRE_OK && !view->by_ioctl)
        status = rewind_text(view->text.file);
    if (status != ACRE_OK)
        return status;
    view->stepping = view->by_ioctl;
    view->position = address;
    view->text.begin = 0;
    view->text.end = 0;
    view->text.at_end = 0;
    view->text.cut = 0;
    return ACRE_OK;
}

acre_status
acre_port_view_query(port_view *view, uintptr_t address, acre_area *out)
{
    if (view->by_ioctl)
        return query_in_file(view->query_file, address, view->queried, sizeof view->queried - 1, 1,
                             out);

    acre_status status = rewind_text(view->query_file);
    if (status == ACRE_OK)
        status = look(view->query_file, view->process, address, view->queried, sizeof view->queried,
                      1, out);
    if (status == ACRE_NOT_MAPPED && check_alive(view) == -ESRCH)
        return -ESRCH;
    return status;
}

#endif  // ACRE_ON_LINUX
