// svg.c - the address space as a picture.
//
// Addresses are far too many to be drawn to scale: what lies together is one group, with its first
// address on the left; within it each area is a block, wider by the same step each time that its
// size doubles, as a scale shows.  A bar below a block shows how much of it is in memory.
// Neighbours of one kind share a block once there are too many to be seen.
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "areas.h"

enum { LEFT = 150, WIDTH = 1000, HEIGHT = 26, LINE = 34, TOP = 100, MANY = 1500 };

static const uint64_t FAR = (uint64_t)1 << 30;  // bytes between two groups

typedef struct pen {
    FILE *out;
    int x;
    int y;
} pen;

// Text inside of XML; what is not ASCII may be no text.
static void
write_text(FILE *out, const char *text)
{
    for (; *text != 0; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '&')
            fputs("&amp;", out);
        else if (byte == '<')
            fputs("&lt;", out);
        else if (byte == '>')
            fputs("&gt;", out);
        else
            fputc(byte < ' ' || byte >= 127 ? '?' : byte, out);
    }
}

static void
write_size(FILE *out, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    fprintf(out, "%.*f %s", value < 10 && unit > 0 ? 1 : 0, value, units[unit]);
}

static int
width_of(uint64_t size)
{
    int doublings = 0;
    for (; size >= 8192; size /= 2)
        doublings++;
    return 4 + 5 * doublings;
}

static void
write_legend(FILE *out, const areas_list *list)
{
    areas_total totals[AREAS_KIND_COUNT + 1];
    int x = 10;
    areas_sum(list, totals);
    for (int kind = 0; kind < AREAS_KIND_COUNT; kind++) {
        if (totals[kind].areas == 0)
            continue;
        fprintf(out, "<rect x=\"%d\" y=\"36\" width=\"12\" height=\"12\" fill=\"%s\"/>", x,
                areas_kind_colour((areas_kind)kind));
        fprintf(out, "<text x=\"%d\" y=\"47\">%s %" PRIu64 "</text>\n", x + 17,
                areas_kind_name((areas_kind)kind), totals[kind].areas);
        x += 125;
    }
}

// Blocks of some sizes, and the bar.
static void
write_scale(FILE *out)
{
    int x = 10;
    for (uint64_t size = 4096; size <= (uint64_t)1 << 36; size <<= 6) {
        int width = width_of(size);
        fprintf(out, "<rect x=\"%d\" y=\"62\" width=\"%d\" height=\"12\" class=\"s\"/>", x,
                width - 1);
        fprintf(out, "<text x=\"%d\" y=\"73\">", x + width + 4);
        write_size(out, size);
        fputs("</text>\n", out);
        x += width + 70;
    }
    fprintf(out,
            "<rect x=\"%d\" y=\"66\" width=\"30\" height=\"5\" class=\"m\"/>"
            "<text x=\"%d\" y=\"73\">in memory</text>\n",
            x, x + 34);
}

static void
write_address(const pen *at, uint64_t address, const char *colour)
{
    fprintf(at->out, "<text x=\"10\" y=\"%d\" class=\"%s\">%012" PRIx64 "</text>\n", at->y + 15,
            colour, address);
}

// One block for `count` areas of one kind from `first` on.
static void
write_block(pen *at, const areas_item *first, size_t count)
{
    uint64_t size = 0, resident = 0;
    char access[5];
    for (size_t i = 0; i < count; i++) {
        size += first[i].end - first[i].start;
        resident += first[i].resident;
    }
    int width = width_of(size);
    if (at->x + width > WIDTH + LEFT) {
        at->x = LEFT;
        at->y += LINE;
        write_address(at, first->start, "c");
    }
    areas_format_access(access, first);
    fprintf(at->out, "<g><title>0x%" PRIx64 " ", first->start);
    write_size(at->out, size);
    fprintf(at->out, ", in memory ");
    write_size(at->out, resident);
    fprintf(at->out, "; %s %s ", access, areas_kind_name(first->kind));
    write_text(at->out, first->name);
    if (count > 1)
        fprintf(at->out, " (%zu areas)", count);
    int full = size == 0 ? 0 : (int)((double)resident / (double)size * (width - 1) + 0.999);
    full = full < width - 1 ? full : width - 1;
    fprintf(at->out,
            "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>"
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"5\" class=\"m\"/></g>\n",
            at->x, at->y, width - 1, HEIGHT - 6, areas_kind_colour(first->kind), at->x,
            at->y + HEIGHT - 5, full);
    at->x += width;
}

// How many areas from `first` on share a block.
static size_t
share_block(const areas_list *list, size_t first)
{
    size_t last = first + 1;
    if (list->count <= MANY)
        return 1;
    while (last < list->count && list->items[last].kind == list->items[first].kind &&
           list->items[last].start - list->items[last - 1].end < FAR &&
           last - first < list->count / MANY * 16)
        last++;
    return last - first;
}

static int
is_far(const areas_list *list, size_t i)
{
    return i == 0 || list->items[i].start - list->items[i - 1].end >= FAR;
}

// Blocks, or only where they end.
static int
write_blocks(FILE *out, const areas_list *list)
{
    pen at = {out, LEFT, TOP - LINE};
    for (size_t i = 0; i < list->count;) {
        if (is_far(list, i)) {
            at.x = LEFT;
            at.y += LINE;
            write_address(&at, list->items[i].start, "t");
        }
        size_t count = share_block(list, i);
        write_block(&at, &list->items[i], count);
        i += count;
    }
    return at.y + LINE;
}

int
areas_write_svg(const areas_list *list, acre_process process, const char *path)
{
    FILE *out = fopen(path, "w+");
    if (out == NULL)
        return areas_fail(path, strerror(errno));
    // The height is known at the end: room is left for it.
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%06d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<style>.b{fill:#fff}.m{fill:#404040}.s{fill:none;stroke:#777}text{fill:#111}"
            "text.c{fill:#777}\n"
            "@media(prefers-color-scheme:dark){.b{fill:#14171c}.m{fill:#c8ccd2}text{fill:#dde2e8}"
            "text.c{fill:#8b949e}[fill=\"#222222\"]{fill:#f0f0f0}[fill=\"#dddddd\"]{fill:#3a414b}}"
            "</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" class=\"b\"/>\n"
            "<text x=\"10\" y=\"22\" font-size=\"16\">",
            LEFT + WIDTH + 20, 0);
    if (process == 0)
        fputs("acre-areas itself", out);
    else
        fprintf(out, "process %d", process);
    fprintf(out, ": %zu areas; a block grows by a step when its size doubles</text>\n",
            list->count);
    long room = (long)strlen("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1170\" height=\"");
    write_legend(out, list);
    write_scale(out);
    int height = write_blocks(out, list);
    fputs("</svg>\n", out);
    int failed = fseek(out, room, SEEK_SET) != 0 || fprintf(out, "%06d", height + 10) != 6 ||
                 fflush(out) != 0 || ferror(out);
    int reason = errno;
    failed |= fclose(out) != 0;
    return failed ? areas_fail(path, strerror(reason)) : 0;
}
