// Linux: the areas that are mapped: one of them, their number, views.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/areas.h"
#include "mmap/port/linux/facts.h"
#include "mmap/port/probe.h"

#include <string.h>

// ---- page sizes ---------------------------------------------------------------------------------

// Finds the page size of an area in smaps, for kernels without the ioctl; returns the base page
// size when it is not found.
static size_t
page_size_by_smaps(acre_process process, uint64_t start)
{
    static const char key[] = "KernelPageSize:";
    char bytes[1024];
    linux_window text = {
        .file = acre_linux_open_proc(process, "smaps"), .capacity = sizeof bytes, .bytes = bytes};
    size_t size = acre_port_page_size();
    if (text.file < 0)
        return size;

    char *line = NULL;
    size_t length = 0;
    for (int inside = 0; acre_linux_take_line(&text, &line, &length) == 1;) {
        const char *at = line;
        if (line[0] >= 'A' && line[0] <= 'Z') {
            if (!inside || strncmp(line, key, sizeof key - 1) != 0)
                continue;
            at = line + sizeof key - 1;
            at += strspn(at, " ");
            size = (size_t)linux_take_field(&at, 10) * 1024;
            break;
        }
        inside = linux_take_field(&at, 16) == start;
    }
    sys_close(text.file);
    return size;
}

// Explicit huge pages always belong to a file, and an area holds only whole ones.
static int
may_be_huge(const linux_raw_area *raw)
{
    return raw->inode != 0 && acre_linux_may_be_huge((uintptr_t)raw->start) &&
           acre_linux_may_be_huge((uintptr_t)raw->end);
}

// `file` is a descriptor for the ioctl, or -1.
static void
find_page_size(int file, acre_process process, linux_raw_area *raw)
{
    raw->page_size = acre_port_page_size();
    if (!may_be_huge(raw))
        return;
    if (file == -1) {
        raw->page_size = page_size_by_smaps(process, raw->start);
        return;
    }
    size_t size = acre_linux_query_page_size(file, raw->start);
    raw->page_size = size != 0 ? size : raw->page_size;
}

// ---- without a view -----------------------------------------------------------------------------

static acre_status
query_in_file(int file, acre_process process, uintptr_t address, char *text, size_t capacity,
              int last, acre_area *out)
{
    linux_raw_area raw;
    acre_status status =
        last ? acre_linux_query_whatever_path(file, address, 0, text, capacity, &raw)
             : acre_linux_query(file, address, 0, text, capacity, &raw);
    return status == ACRE_OK ? acre_linux_describe(&raw, process, out) : status;
}

// Returns -ESRCH when the text is empty.
static acre_status
find_in_text(linux_window *text, uintptr_t address, linux_raw_area *raw)
{
    acre_status status = acre_linux_take_area(text, raw);
    if (status == 0)
        return -ESRCH;
    while (status == 1 && raw->end <= address)
        status = acre_linux_take_area(text, raw);
    if (status < 0)
        return status;
    return status == 1 && raw->start <= address ? ACRE_OK : ACRE_NOT_MAPPED;
}

// Returns -ENAMETOOLONG when the area's text does not fit into `bytes`; with `last` leaves the text
// out instead.
static acre_status
find_area(int file, acre_process process, uintptr_t address, char *bytes, size_t capacity, int last,
          acre_area *out)
{
    if (acre_port_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME)) {
        acre_status queried = query_in_file(file, process, address, bytes, capacity, last, out);
        if (!linux_is_closed(queried))
            return queried;
    }
    linux_window text = {.file = file, .capacity = capacity, .bytes = bytes};
    linux_raw_area raw;
    acre_status status = find_in_text(&text, address, &raw);
    if (status != ACRE_OK)
        return status;
    if (text.cut && !last)
        return -ENAMETOOLONG;
    if (acre_linux_has_escape(&raw))
        acre_linux_unescape(&raw, process);
    find_page_size(-1, process, &raw);
    return acre_linux_describe(&raw, process, out);
}

// A function of its own, so that only callers that meet a long path need the stack space.
static ACRE_COLD acre_status
find_area_with_room(int file, uintptr_t address, acre_area *out)
{
    char bytes[LONGEST_LINE] = {0};
    acre_status status = acre_linux_rewind_text(file);
    return status == ACRE_OK ? find_area(file, 0, address, bytes, sizeof bytes, 1, out) : status;
}

static acre_status
find_own_area(uintptr_t address, acre_area *out)
{
    int file = acre_linux_open_proc(0, "maps");
    if (file < 0)
        return file;
    char bytes[512] = {0};
    acre_status status = find_area(file, 0, address, bytes, sizeof bytes, 0, out);
    if (status == -ENAMETOOLONG)
        status = find_area_with_room(file, address, out);
    sys_close(file);
    return status;
}

acre_status
acre_port_area_at(uintptr_t address, acre_area *out)
{
    acre_area area;
    acre_status status = find_own_area(address, &area);
    if (status == -ESRCH && acre_linux_turns_to_thread())
        status = find_own_area(address, &area);
    if (status != ACRE_OK)
        return status;
    area.path = NULL;
    area.name = NULL;
    *out = area;
    return ACRE_OK;
}

static acre_status
count_areas(uint64_t *out)
{
    char bytes[512];
    linux_window text = {
        .file = acre_linux_open_proc(0, "maps"), .capacity = sizeof bytes, .bytes = bytes};
    if (text.file < 0)
        return text.file;
    uint64_t count = 0;
    linux_raw_area raw;
    acre_status status;
    while ((status = acre_linux_take_area(&text, &raw)) == 1)
        count++;
    sys_close(text.file);
    *out = count;
    return status == 0 && count == 0 ? -ESRCH : status;
}

acre_status
acre_port_area_count(uint64_t *out)
{
    uint64_t count;
    acre_status status = count_areas(&count);
    if (status == -ESRCH && acre_linux_turns_to_thread())
        status = count_areas(&count);
    if (status == ACRE_OK)
        *out = count;
    return status;
}

// ---- views --------------------------------------------------------------------------------------

struct port_view {
    linux_window text;  // read by next
    int query_file;     // for queries: the ioctl, or the text from its start; may be text.file
    int by_ioctl;
    int stepping;  // next queries for the area after `position` instead of reading the text
    acre_process process;
    uintptr_t position;
    char queried[LONGEST_LINE];  // a query's buffer, which its result points into
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

// Opens the maps of a process, through another thread when the first has exited.
static int
open_shown(acre_process process)
{
    int file = acre_linux_open_proc(process, "maps");
    if (file < 0)
        return file;
    // The ioctl is cheap; to read one byte of the text, the kernel writes a page of it.
    acre_status status = acre_port_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME)
                             ? acre_linux_query_alive(file)
                             : acre_linux_text_alive(file);
    if (status != -ESRCH)
        return file;
    sys_close(file);
    if (process != 0)
        return acre_linux_open_of_task(process, "maps");
    (void)acre_linux_turns_to_thread();
    return acre_linux_open_proc(0, "maps");
}

acre_status
acre_port_view_open(port_view *view, acre_process process, uintptr_t handle[2])
{
    if (process < 0)
        return -ESRCH;
    int file = open_shown(process);
    if (file < 0)
        return file;

    view->process = process;
    view->by_ioctl = acre_port_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME);
    view->query_file = view->by_ioctl ? file : open_shown(process);
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

// Returns -ESRCH when the process has exited or has executed another program.
static acre_status
check_alive(port_view *view)
{
    acre_status status = view->by_ioctl ? acre_linux_query_alive(view->query_file) : -ENOTSUP;
    return linux_is_closed(status) ? acre_linux_text_alive(view->query_file) : status;
}

static void
forget_text(port_view *view)
{
    view->text.begin = 0;
    view->text.end = 0;
    view->text.at_end = 0;
    view->text.cut = 0;
}

// The ioctl is refused: use only the text from here on.
static acre_status
turn_to_text(port_view *view)
{
    acre_status status = view->stepping ? acre_linux_rewind_text(view->text.file) : ACRE_OK;
    if (status == ACRE_OK && view->stepping)
        forget_text(view);
    view->stepping = 0;
    view->by_ioctl = 0;
    return status;
}

static acre_status
query_next(port_view *view, acre_area *out)
{
    linux_raw_area raw;
    acre_status status = acre_linux_query_whatever_path(
        view->query_file, view->position, 1, view->queried, sizeof view->queried - 1, &raw);
    if (status == ACRE_NOT_MAPPED)
        return 0;
    if (status == ACRE_OK)
        status = acre_linux_describe(&raw, view->process, out);
    if (status != ACRE_OK)
        return status;
    view->position = out->end;
    return 1;
}

acre_status
acre_port_view_next(port_view *view, acre_area *out)
{
    acre_status status = ACRE_OK;
    if (view->stepping) {
        status = query_next(view, out);
        if (!linux_is_closed(status))
            return status;
        status = turn_to_text(view);
        if (status != ACRE_OK)
            return status;
    }
    linux_raw_area raw;
    do
        status = acre_linux_take_area(&view->text, &raw);
    while (status == 1 && raw.end <= view->position);
    if (status == 0)
        return check_alive(view);
    if (status < 0)
        return status;

    if (acre_linux_has_escape(&raw) && !view->by_ioctl)
        acre_linux_unescape(&raw, view->process);
    else if (acre_linux_has_escape(&raw))
        (void)acre_linux_query(view->query_file, (uintptr_t)raw.start, 0, view->queried,
                               sizeof view->queried - 1, &raw);
    find_page_size(view->by_ioctl ? view->query_file : -1, view->process, &raw);
    status = acre_linux_describe(&raw, view->process, out);
    return status == ACRE_OK ? 1 : status;
}

acre_status
acre_port_view_seek(port_view *view, uintptr_t address)
{
    acre_status status = check_alive(view);
    if (status == ACRE_OK && !view->by_ioctl)
        status = acre_linux_rewind_text(view->text.file);
    if (status != ACRE_OK)
        return status;
    view->stepping = view->by_ioctl;
    view->position = address;
    forget_text(view);
    return ACRE_OK;
}

acre_status
acre_port_view_query(port_view *view, uintptr_t address, acre_area *out)
{
    if (view->by_ioctl) {
        acre_status queried = query_in_file(view->query_file, view->process, address, view->queried,
                                            sizeof view->queried - 1, 1, out);
        if (!linux_is_closed(queried))
            return queried;
        acre_status turned = turn_to_text(view);
        if (turned != ACRE_OK)
            return turned;
    }
    // If next reads the same file, it must continue where it was.
    int shared = view->query_file == view->text.file;
    off_t before = shared ? sys_position(view->query_file) : 0;
    acre_status status = acre_linux_rewind_text(view->query_file);
    if (status == ACRE_OK)
        status = find_area(view->query_file, view->process, address, view->queried,
                           sizeof view->queried, 1, out);
    acre_status restored = shared ? sys_seek(view->query_file, before) : ACRE_OK;
    return restored != ACRE_OK ? restored : status;
}

#endif  // ACRE_ON_LINUX
