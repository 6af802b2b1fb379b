// select.c - which areas, in which order, and their sums.
#include <stdlib.h>
#include <string.h>

#include "areas.h"

static int
is_wanted(const areas_item *item, const areas_filter *filter)
{
    return (filter->kinds == 0 || (filter->kinds & 1 << item->kind)) &&
           (item->access & filter->access) == filter->access &&
           item->end - item->start >= filter->least &&
           (filter->name == NULL || strstr(item->name, filter->name) != NULL);
}

void
areas_select(areas_list *list, const areas_filter *filter)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (is_wanted(&list->items[i], filter))
            list->items[kept++] = list->items[i];
        else
            free(list->items[i].name);
    }
    list->count = kept;
}

static int
by_address(const void *left, const void *right)
{
    const areas_item *a = left, *b = right;
    return (a->start > b->start) - (a->start < b->start);
}

static int
by_size(const void *left, const void *right)
{
    const areas_item *a = left, *b = right;
    uint64_t first = a->end - a->start, second = b->end - b->start;
    return first == second ? by_address(left, right) : first < second ? 1 : -1;
}

static int
by_resident(const void *left, const void *right)
{
    const areas_item *a = left, *b = right;
    return a->resident == b->resident ? by_size(left, right) : a->resident < b->resident ? 1 : -1;
}

static int
by_kind(const void *left, const void *right)
{
    const areas_item *a = left, *b = right;
    return a->kind == b->kind ? by_address(left, right) : (int)a->kind - (int)b->kind;
}

static int
by_name(const void *left, const void *right)
{
    const areas_item *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order == 0 ? by_address(left, right) : order;
}

void
areas_sort(areas_list *list, areas_order order)
{
    int (*const compare[])(const void *, const void *) = {by_address, by_size, by_resident, by_kind,
                                                          by_name};
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, compare[order]);
}

void
areas_sum(const areas_list *list, areas_total out[AREAS_KIND_COUNT + 1])
{
    memset(out, 0, sizeof *out * (AREAS_KIND_COUNT + 1));
    for (size_t i = 0; i < list->count; i++) {
        const areas_item *item = &list->items[i];
        areas_total *const sums[] = {&out[item->kind], &out[AREAS_KIND_COUNT]};
        for (size_t j = 0; j < 2; j++) {
            sums[j]->areas++;
            sums[j]->size += item->end - item->start;
            sums[j]->resident += item->resident;
            sums[j]->transparent += item->transparent;
            sums[j]->locked += item->locked;
            sums[j]->with_markers += item->has_marker_guards != 0;
        }
    }
}
