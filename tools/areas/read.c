// read.c - the areas as acre reports them; on Linux also what smaps adds to each.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "acre/page.h"
#include "areas.h"

enum { LARGEST_GUARD = 1 << 20 };  // bytes; what is larger and inaccessible is a reservation

static const struct {
    const char *name;
    const char *colour;
} KINDS[AREAS_KIND_COUNT] = {
#define AREAS_KIND_(name, text, colour) {text, colour},
    AREAS_KINDS(AREAS_KIND_)
#undef AREAS_KIND_
};

const char *
areas_kind_name(areas_kind kind)
{
    return KINDS[kind].name;
}

const char *
areas_kind_colour(areas_kind kind)
{
    return KINDS[kind].colour;
}

int
areas_fail(const char *what, const char *why)
{
    fputs("acre-areas: ", stderr);
    areas_print_name(stderr, what);
    fprintf(stderr, ": %s\n", why);
    return 1;
}

void
areas_print_name(FILE *out, const char *name)
{
    for (; *name != 0; name++)
        fputc((unsigned char)*name < ' ' || *name == 127 ? '?' : *name, out);
}

int
areas_append(areas_list *list, const areas_item *item, const char *name)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        areas_item *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL)
            return areas_fail("areas", strerror(ENOMEM));
        list->items = items;
        list->capacity = capacity;
    }
    size_t length = strlen(name) + 1;
    char *copy = malloc(length);
    if (copy == NULL)
        return areas_fail("areas", strerror(ENOMEM));
    memcpy(copy, name, length);
    list->items[list->count] = *item;
    list->items[list->count++].name = copy;
    return 0;
}

void
areas_free(areas_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (areas_list){0};
}

// Guards are told from reservations afterwards.
static areas_kind
kind_of(const acre_area *area)
{
    if (area->flags & ACRE_AREA_STACK)
        return AREAS_STACK;
    if (area->flags & ACRE_AREA_HEAP)
        return AREAS_HEAP;
    if (area->flags & ACRE_AREA_SYSTEM)
        return AREAS_SYSTEM;
    if (area->flags & ACRE_AREA_HUGE)
        return AREAS_HUGE;
    if (area->flags & ACRE_AREA_FILE)
        return AREAS_FILE;
    if (area->flags & ACRE_AREA_SHARED)
        return AREAS_SHARED;
    return area->flags & ACRE_AREA_RESERVED ? AREAS_RESERVED : AREAS_ANONYMOUS;
}

// A small inaccessible area right below one that may be written is taken for its guard.
static void
find_guards(areas_list *list)
{
    for (size_t i = 0; i + 1 < list->count; i++) {
        areas_item *item = &list->items[i];
        const areas_item *next = item + 1;
        if (item->kind == AREAS_RESERVED && item->end - item->start <= LARGEST_GUARD &&
            next->start == item->end && (next->access & ACRE_WRITE))
            item->kind = AREAS_GUARD;
    }
}

#ifdef __linux__
static areas_item *
find_item(areas_list *list, uint64_t start, uint64_t end)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].start < start)
            low = middle + 1;
        else
            high = middle;
    }
    areas_item *item = low < list->count ? &list->items[low] : NULL;
    return item != NULL && item->start == start && item->end == end ? item : NULL;
}

// An area that changed since it was listed stays unknown.
static void
read_smaps(acre_process process, areas_list *list)
{
    char path[40], line[4700];
    areas_item *item = NULL;
    if (process == 0)
        snprintf(path, sizeof path, "/proc/self/smaps");
    else
        snprintf(path, sizeof path, "/proc/%d/smaps", process);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return;  // of other users' processes: the areas alone
    while (fgets(line, sizeof line, file) != NULL) {
        uint64_t start, end, kib;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
            item = find_item(list, start, end);
        } else if (item == NULL) {
            continue;
        } else if (sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
            item->resident = kib * 1024;
            item->is_known = 1;
        } else if (sscanf(line, "AnonHugePages: %" SCNu64, &kib) == 1 ||
                   sscanf(line, "ShmemPmdMapped: %" SCNu64, &kib) == 1 ||
                   sscanf(line, "FilePmdMapped: %" SCNu64, &kib) == 1) {
            item->transparent += kib * 1024;
        } else if (sscanf(line, "Private_Hugetlb: %" SCNu64, &kib) == 1 ||
                   sscanf(line, "Shared_Hugetlb: %" SCNu64, &kib) == 1) {
            item->resident += kib * 1024;  // Rss leaves them out
        } else if (sscanf(line, "Locked: %" SCNu64, &kib) == 1) {
            item->locked = kib * 1024;
        } else if (strncmp(line, "VmFlags:", 8) == 0) {
            item->has_marker_guards = strstr(line, " gu") != NULL;
        }
    }
    fclose(file);
}
#endif

int
areas_read(acre_process process, areas_list *out)
{
    char number[24];
    acre_areas view;
    acre_area area;
    *out = (areas_list){0};
    snprintf(number, sizeof number, "%d", process);
    acre_status status = acre_areas_open(process, &view);
    if (status == -ESRCH)
        return AREAS_NO_PROCESS;
    if (status != ACRE_OK)
        return areas_fail(number, acre_status_text(status));
    while ((status = acre_areas_next(&view, &area)) == 1) {
        areas_item item = {.start = area.start,
                           .end = area.end,
                           .page_size = area.page_size,
                           .kind = kind_of(&area),
                           .access = area.access,
                           .flags = area.flags};
        const char *name = area.path != NULL ? area.path : area.name != NULL ? area.name : "";
        if (areas_append(out, &item, name) != 0) {
            acre_areas_close(&view);
            return 1;
        }
    }
    acre_areas_close(&view);
    if (status == -ESRCH)
        return AREAS_NO_PROCESS;
    if (status < 0)
        return areas_fail(number, acre_status_text(status));
    find_guards(out);
#ifdef __linux__
    read_smaps(process, out);
#endif
    return 0;
}

// ---- moments ------------------------------------------------------------------------------------

static const char FIRST_LINE[] = "acre-areas 1\n";

int
areas_save(const areas_list *list, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return areas_fail(path, strerror(errno));
    fputs(FIRST_LINE, file);
    for (size_t i = 0; i < list->count; i++) {
        const areas_item *item = &list->items[i];
        fprintf(file, "%" PRIx64 " %" PRIx64 " %d %u %u %d %" PRIu64 " %" PRIu64 " %" PRIu64 " ",
                item->start, item->end, (int)item->kind, (unsigned)item->access,
                (unsigned)item->flags, item->is_known, item->resident, item->transparent,
                item->page_size);
        areas_print_name(file, item->name);
        fputc('\n', file);
    }
    int failed = fflush(file) != 0 || ferror(file);
    int reason = errno;
    failed |= fclose(file) != 0;
    return failed ? areas_fail(path, strerror(reason)) : 0;
}

int
areas_load(const char *path, areas_list *out)
{
    char line[4700];
    *out = (areas_list){0};
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return areas_fail(path, strerror(errno));
    int good = fgets(line, sizeof line, file) != NULL && strcmp(line, FIRST_LINE) == 0;
    while (good && fgets(line, sizeof line, file) != NULL) {
        areas_item item = {0};
        int kind, at = 0;
        line[strcspn(line, "\n")] = 0;
        good = sscanf(line,
                      "%" SCNx64 " %" SCNx64 " %d %" SCNu32 " %" SCNu32 " %d %" SCNu64 " %" SCNu64
                      " %" SCNu64 "%n",
                      &item.start, &item.end, &kind, &item.access, &item.flags, &item.is_known,
                      &item.resident, &item.transparent, &item.page_size, &at) == 9 &&
               kind >= 0 && kind < AREAS_KIND_COUNT && line[at] == ' ';
        item.kind = good ? (areas_kind)kind : AREAS_SYSTEM;
        good = good && areas_append(out, &item, line + at + 1) == 0;
    }
    fclose(file);
    return good ? 0 : areas_fail(path, "is not what --save wrote");
}
