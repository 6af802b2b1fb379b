// areas.h - what acre-areas knows of a process: its areas, read once, and what is made of them.
#ifndef ACRE_AREAS_AREAS_H_
#define ACRE_AREAS_AREAS_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "acre/area.h"

// X(NAME, name, colour in the picture)
#define AREAS_KINDS(X)                   \
    X(ANONYMOUS, "anonymous", "#4477aa") \
    X(HEAP, "heap", "#66ccee")           \
    X(STACK, "stack", "#228833")         \
    X(FILE, "file", "#ccbb44")           \
    X(SHARED, "shared", "#ee6677")       \
    X(HUGE, "huge", "#aa3377")           \
    X(GUARD, "guard", "#222222")         \
    X(RESERVED, "reserved", "#dddddd")   \
    X(SYSTEM, "system", "#999999")

typedef enum areas_kind {
#define AREAS_KIND_(name, text, colour) AREAS_##name,
    AREAS_KINDS(AREAS_KIND_)
#undef AREAS_KIND_
        AREAS_KIND_COUNT
} areas_kind;

const char *areas_kind_name(areas_kind kind);
const char *areas_kind_colour(areas_kind kind);

typedef struct areas_item {
    uint64_t start;
    uint64_t end;
    uint64_t page_size;
    uint64_t resident;     ///< bytes in memory, where `is_known`
    uint64_t transparent;  ///< bytes of those in transparent huge pages
    uint64_t locked;       ///< bytes
    char *name;            ///< path or name, "" = none; raw bytes
    areas_kind kind;
    uint32_t access;
    uint32_t flags;         ///< ACRE_AREA_*
    int has_marker_guards;  ///< as far as the kernel says (Linux 6.18 and later)
    int is_known;           ///< whether the system reported what is in memory
} areas_item;

typedef struct areas_list {
    areas_item *items;
    size_t count;
    size_t capacity;
} areas_list;

/// Reads the areas of a process, ascending.  0; AREAS_NO_PROCESS, of which nothing is said; or 1,
/// an error that was reported on standard error.
int areas_read(acre_process process, areas_list *out);
enum { AREAS_NO_PROCESS = -1 };  ///< it is not there, ended, or became another program meanwhile
int areas_append(areas_list *list, const areas_item *item, const char *name);
void areas_free(areas_list *list);
/// Writes down a moment for areas_load; 0 on success.
int areas_save(const areas_list *list, const char *path);
int areas_load(const char *path, areas_list *out);

/// One line on standard error; returns 1, the exit status.
int areas_fail(const char *what, const char *why);
/// Bytes that are no text as ?.
void areas_print_name(FILE *out, const char *name);
/// "rw-p".
void areas_format_access(char out[5], const areas_item *item);

typedef enum areas_order { BY_ADDRESS, BY_SIZE, BY_RESIDENT, BY_KIND, BY_NAME } areas_order;
typedef struct areas_filter {
    int kinds;         ///< bits 1 << areas_kind; 0 = all
    uint32_t access;   ///< at least these
    uint64_t least;    ///< bytes
    const char *name;  ///< part of the name; NULL = any
} areas_filter;
/// Takes out what the filter does not let through.
void areas_select(areas_list *list, const areas_filter *filter);
void areas_sort(areas_list *list, areas_order order);

typedef struct areas_total {
    uint64_t areas, size, resident, transparent, locked, with_markers;
} areas_total;
/// By kind, and of all at [AREAS_KIND_COUNT].
void areas_sum(const areas_list *list, areas_total out[AREAS_KIND_COUNT + 1]);

void areas_print_table(const areas_list *list);
void areas_print_totals(const areas_list *list);
void areas_print_json(const areas_list *list, acre_process process);
/// What is gone (-), new (+), or has changed its size, access or memory (~); returns how many.
size_t areas_print_diff(const areas_list *before, const areas_list *after);
/// The picture; 0 on success.
int areas_write_svg(const areas_list *list, acre_process process, const char *path);

#endif  // ACRE_AREAS_AREAS_H_
