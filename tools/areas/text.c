// text.c - tables, differences and JSON on standard output.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "acre/page.h"
#include "areas.h"

void
areas_format_access(char out[5], const areas_item *item)
{
    out[0] = item->access & ACRE_READ ? 'r' : '-';
    out[1] = item->access & ACRE_WRITE ? 'w' : '-';
    out[2] = item->access & ACRE_EXEC ? 'x' : '-';
    out[3] = item->flags & ACRE_AREA_SHARED ? 's' : 'p';
    out[4] = 0;
}

// KiB, or "-" where the system says nothing.
static void
print_kib(int is_known, uint64_t bytes)
{
    if (is_known)
        printf(" %10" PRIu64, bytes / 1024);
    else
        printf(" %10s", "-");
}

static void
print_item(const areas_item *item)
{
    char access[5];
    areas_format_access(access, item);
    printf("%016" PRIx64, item->start);
    print_kib(1, item->end - item->start);
    print_kib(item->is_known, item->resident);
    print_kib(item->is_known, item->flags & ACRE_AREA_HUGE ? item->resident : item->transparent);
    printf(" %s %-9s ", access, areas_kind_name(item->kind));
    areas_print_name(stdout, item->name);
    printf("%s%s\n", item->flags & ACRE_AREA_DELETED ? " (deleted)" : "",
           item->has_marker_guards ? " (guards inside)" : "");
}

static void
print_header(const char *prefix)
{
    printf("%s%-16s %10s %10s %10s %s %-9s %s\n", prefix, "address", "KiB", "resident", "huge",
           "mode", "kind", "name");
}

void
areas_print_table(const areas_list *list)
{
    print_header("");
    for (size_t i = 0; i < list->count; i++)
        print_item(&list->items[i]);
}

static int
knows_memory(const areas_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].is_known)
            return 1;
    return 0;
}

void
areas_print_totals(const areas_list *list)
{
    areas_total totals[AREAS_KIND_COUNT + 1];
    int known = knows_memory(list);
    areas_sum(list, totals);
    printf("%-16s %10s %10s %10s %10s\n", "total", "areas", "KiB", "resident", "huge");
    for (int kind = 0; kind <= AREAS_KIND_COUNT; kind++) {
        const areas_total *total = &totals[kind];
        if (total->areas == 0 && kind != AREAS_KIND_COUNT)
            continue;
        printf("%-16s %10" PRIu64,
               kind == AREAS_KIND_COUNT ? "all" : areas_kind_name((areas_kind)kind), total->areas);
        print_kib(1, total->size);
        print_kib(known, total->resident);
        print_kib(known, kind == AREAS_HUGE ? total->resident : total->transparent);
        putchar('\n');
    }
    if (totals[AREAS_KIND_COUNT].with_markers != 0)
        printf("areas with guards inside them: %" PRIu64 "\n",
               totals[AREAS_KIND_COUNT].with_markers);
}

// ---- two moments --------------------------------------------------------------------------------

static int
is_same_place(const areas_item *a, const areas_item *b)
{
    return a->start == b->start && a->end == b->end;
}

static int
is_same(const areas_item *a, const areas_item *b)
{
    return is_same_place(a, b) && a->access == b->access && a->flags == b->flags &&
           a->resident == b->resident && strcmp(a->name, b->name) == 0;
}

static size_t
print_change(char mark, const areas_item *item)
{
    printf("%c ", mark);
    print_item(item);
    return 1;
}

size_t
areas_print_diff(const areas_list *before, const areas_list *after)
{
    size_t changes = 0, i = 0, j = 0;
    int64_t size = 0, resident = 0;
    print_header("  ");
    while (i < before->count || j < after->count) {
        const areas_item *old = i < before->count ? &before->items[i] : NULL;
        const areas_item *now = j < after->count ? &after->items[j] : NULL;
        int takes_old = old != NULL && (now == NULL || old->start <= now->start);
        int takes_now = now != NULL && (old == NULL || now->start <= old->start);
        if (takes_old && takes_now && !is_same(old, now))
            changes += print_change('~', now);
        else if (takes_old && !takes_now)
            changes += print_change('-', old);
        else if (takes_now && !takes_old)
            changes += print_change('+', now);
        if (takes_old) {
            size -= (int64_t)(old->end - old->start);
            resident -= (int64_t)old->resident;
            i++;
        }
        if (takes_now) {
            size += (int64_t)(now->end - now->start);
            resident += (int64_t)now->resident;
            j++;
        }
    }
    printf("changes: %zu; areas %+" PRId64 ", KiB %+" PRId64 ", resident %+" PRId64 "\n", changes,
           (int64_t)after->count - (int64_t)before->count, size / 1024, resident / 1024);
    return changes;
}

// ---- JSON ---------------------------------------------------------------------------------------

// Bytes outside ASCII as \u00XX: a path may be in any encoding.
static void
print_string(const char *text)
{
    putchar('"');
    for (; *text != 0; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < ' ' || byte >= 127)
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void
print_json_item(const areas_item *item)
{
    char access[5];
    areas_format_access(access, item);
    printf("{\"start\":\"0x%" PRIx64 "\",\"end\":\"0x%" PRIx64 "\",\"size\":%" PRIu64
           ",\"page_size\":%" PRIu64 ",\"access\":\"%s\",\"kind\":\"%s\",\"name\":",
           item->start, item->end, item->end - item->start, item->page_size, access,
           areas_kind_name(item->kind));
    print_string(item->name);
    printf(",\"deleted\":%d", (item->flags & ACRE_AREA_DELETED) != 0);
    if (item->is_known)
        printf(",\"resident\":%" PRIu64 ",\"transparent_huge\":%" PRIu64 ",\"locked\":%" PRIu64
               ",\"marker_guards\":%d",
               item->resident, item->transparent, item->locked, item->has_marker_guards);
    putchar('}');
}

static void
print_json_total(const char *kind, const areas_total *total)
{
    printf("{\"kind\":\"%s\",\"areas\":%" PRIu64 ",\"size\":%" PRIu64 ",\"resident\":%" PRIu64
           ",\"transparent_huge\":%" PRIu64 ",\"locked\":%" PRIu64 "}",
           kind, total->areas, total->size, total->resident, total->transparent, total->locked);
}

void
areas_print_json(const areas_list *list, acre_process process)
{
    areas_total totals[AREAS_KIND_COUNT + 1];
    areas_sum(list, totals);
    printf("{\"process\":%d,\"page_size\":%zu,\"areas\":[", process, acre_page_size());
    for (size_t i = 0; i < list->count; i++) {
        fputs(i == 0 ? "\n" : ",\n", stdout);
        print_json_item(&list->items[i]);
    }
    fputs("],\"totals\":[", stdout);
    for (int kind = 0; kind < AREAS_KIND_COUNT; kind++)
        if (totals[kind].areas != 0) {
            print_json_total(areas_kind_name((areas_kind)kind), &totals[kind]);
            putchar(',');
        }
    print_json_total("all", &totals[AREAS_KIND_COUNT]);
    fputs("]}\n", stdout);
}
