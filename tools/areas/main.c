// acre-areas - what is mapped in a process.
#define _DEFAULT_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#include <unistd.h>
#endif

#include "areas.h"

enum { WRONG_USE = 2 };

static const char HELP[] =
    "Usage: acre-areas [OPTION]... [PID]\n"
    "Shows the memory areas of a process (default: of itself), ascending, and their totals by "
    "kind.\n"
    "\n"
    "  --sort ORDER   address (default), size, resident, kind, name\n"
    "  --kind KIND    only these (may be given several times): anonymous, heap, stack, file, "
    "shared,\n"
    "                 huge (explicit huge pages), guard, reserved (addresses without memory), "
    "system\n"
    "  --access RWX   only what may be used so: any of the letters r, w, x\n"
    "  --name TEXT    only those whose path or name contains TEXT\n"
    "  --least SIZE   only those of at least SIZE bytes (K, M, G may follow)\n"
    "  --totals       the totals alone\n"
    "  --save FILE    write this moment down\n"
    "  --diff FILE    what has changed since the moment in FILE: - gone, + new, ~ changed\n"
    "  --watch N      print what changes every N seconds, until the process ends (which is status "
    "0)\n"
    "  --json         one JSON object: process, page_size, areas, totals\n"
    "  --svg FILE     write the address space as a picture\n"
    "  --help         show this\n"
    "\n"
    "Sizes are in KiB.  What is in memory (resident, huge) is shown on Linux, of processes that "
    "you\n"
    "may look into; areas inside of which guards lie are marked from Linux 6.18 on.\n"
    "\n"
    "Exit status: 0 done; 1 the process or a file could not be read or written; 2 wrong use.\n";

typedef struct options {
    acre_process process;
    areas_filter filter;
    areas_order order;
    const char *save;
    const char *diff;
    const char *svg;
    uint64_t watch;  ///< seconds; 0 = no
    int totals;
    int json;
} options;

static int
refuse(const char *argument, const char *why)
{
    fputs("acre-areas: ", stderr);
    areas_print_name(stderr, argument);
    fprintf(stderr, ": %s (see --help)\n", why);
    return WRONG_USE;
}

// Digits, and with `suffixes` a K, M or G.
static int
parse_number(const char *text, int suffixes, uint64_t most, uint64_t *out)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    int shift = 0;
    if (suffixes && *end != 0) {
        const char *suffix = strchr("KMG", *end);
        shift = suffix == NULL ? 0 : 10 * (int)(suffix - "KMG" + 1);
        end += suffix != NULL;
    }
    if (errno != 0 || *end != 0 || number > most >> shift)
        return 0;
    *out = (uint64_t)number << shift;
    return 1;
}

static int
parse_order(const char *text, areas_order *out)
{
    static const char *const names[] = {"address", "size", "resident", "kind", "name"};
    for (int i = 0; i < 5; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (areas_order)i;
            return 1;
        }
    return 0;
}

static int
parse_kind(const char *text, int *kinds)
{
    for (int i = 0; i < AREAS_KIND_COUNT; i++)
        if (strcmp(text, areas_kind_name((areas_kind)i)) == 0) {
            *kinds |= 1 << i;
            return 1;
        }
    return 0;
}

static int
parse_access(const char *text, uint32_t *out)
{
    if (*text == 0 || text[strspn(text, "rwx")] != 0)
        return 0;
    *out = (strchr(text, 'r') != NULL ? (uint32_t)ACRE_READ : 0) |
           (strchr(text, 'w') != NULL ? (uint32_t)ACRE_WRITE : 0) |
           (strchr(text, 'x') != NULL ? (uint32_t)ACRE_EXEC : 0);
    return 1;
}

// An option with a value; 0, or the exit status.
static int
take_value(const char *option, const char *value, options *out)
{
    int good = 1;
    if (strcmp(option, "--sort") == 0)
        good = parse_order(value, &out->order);
    else if (strcmp(option, "--kind") == 0)
        good = parse_kind(value, &out->filter.kinds);
    else if (strcmp(option, "--access") == 0)
        good = parse_access(value, &out->filter.access);
    else if (strcmp(option, "--name") == 0)
        out->filter.name = value;
    else if (strcmp(option, "--least") == 0)
        good = parse_number(value, 1, UINT64_MAX, &out->filter.least);
    else if (strcmp(option, "--watch") == 0)
        good = parse_number(value, 0, 86400, &out->watch) && out->watch > 0;
    else if (strcmp(option, "--save") == 0)
        out->save = value;
    else if (strcmp(option, "--diff") == 0)
        out->diff = value;
    else if (strcmp(option, "--svg") == 0)
        out->svg = value;
    else
        return refuse(option, "no such option");
    return good ? 0 : refuse(value, "is not what that option takes");
}

// 0, or the exit status, or -1 after --help.
static int
parse_arguments(int count, char **arguments, options *out)
{
    int has_process = 0;
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        uint64_t number;
        if (strcmp(argument, "--help") == 0) {
            fputs(HELP, stdout);
            return -1;
        }
        if (strcmp(argument, "--json") == 0) {
            out->json = 1;
        } else if (strcmp(argument, "--totals") == 0) {
            out->totals = 1;
        } else if (argument[0] == '-') {
            static const char *const with_value[] = {"--sort", "--kind",  "--access",
                                                     "--name", "--least", "--watch",
                                                     "--save", "--diff",  "--svg"};
            int takes = 0;
            for (size_t j = 0; j < sizeof with_value / sizeof with_value[0]; j++)
                takes |= strcmp(argument, with_value[j]) == 0;
            if (!takes)
                return refuse(argument, "no such option");
            if (i + 1 == count)
                return refuse(argument, "wants a value");
            int status = take_value(argument, arguments[++i], out);
            if (status != 0)
                return status;
        } else if (!has_process && parse_number(argument, 0, INT32_MAX, &number) && number > 0) {
            out->process = (acre_process)number;
            has_process = 1;
        } else {
            return refuse(argument, has_process ? "only one process" : "is no process id");
        }
    }
    if (out->watch != 0 &&
        (out->json || out->diff != NULL || out->svg != NULL || out->save != NULL))
        return refuse("--watch", "not with --json, --diff, --svg or --save");
    if (out->diff != NULL && (out->json || out->totals))
        return refuse("--diff", "not with --json or --totals");
    return 0;
}

static void
wait_seconds(uint64_t seconds)
{
#ifdef _WIN32
    Sleep((DWORD)seconds * 1000);
#else
    struct timespec time = {.tv_sec = (time_t)seconds};
    nanosleep(&time, NULL);
#endif
}

static int
read_selected(const options *given, areas_list *out)
{
    int status = areas_read(given->process, out);
    if (status == 0)
        areas_select(out, &given->filter);
    else
        areas_free(out);
    return status;
}

static int
fail_no_process(acre_process process)
{
    char number[24];
    snprintf(number, sizeof number, "%d", process);
    return areas_fail(number, "no such process");
}

// Until the process ends, which is no failure once it was seen.
static int
watch(const options *given)
{
    areas_list before, now;
    int status = read_selected(given, &before);
    if (status == AREAS_NO_PROCESS)
        return fail_no_process(given->process);
    if (status == 0)
        areas_print_totals(&before);
    while (status == 0) {
        if (fflush(stdout) != 0)
            break;  // which main reports
        wait_seconds(given->watch);
        status = read_selected(given, &now);
        // It may have become another program just now, which can be looked at.
        if (status == AREAS_NO_PROCESS)
            status = read_selected(given, &now);
        if (status == 0) {
            areas_print_diff(&before, &now);
            areas_free(&before);
            before = now;
        }
    }
    areas_free(&before);
    if (status != AREAS_NO_PROCESS)
        return status;
    printf("process %d has ended\n", given->process);
    return 0;
}

static int
show(const options *given)
{
    areas_list now, before = {0};
    int status = read_selected(given, &now);
    if (status == AREAS_NO_PROCESS)
        return fail_no_process(given->process);
    if (status == 0 && given->save != NULL)
        status = areas_save(&now, given->save);
    if (status == 0 && given->svg != NULL)
        status = areas_write_svg(&now, given->process, given->svg);
    if (status == 0 && given->diff != NULL) {
        status = areas_load(given->diff, &before);
        areas_select(&before, &given->filter);
        if (status == 0)
            areas_print_diff(&before, &now);
    } else if (status == 0 && given->json) {
        areas_sort(&now, given->order);
        areas_print_json(&now, given->process);
    } else if (status == 0 && given->svg == NULL && given->save == NULL) {
        areas_sort(&now, given->order);
        if (!given->totals) {
            areas_print_table(&now);
            putchar('\n');
        }
        areas_print_totals(&now);
    }
    areas_free(&before);
    areas_free(&now);
    return status;
}

int
main(int count, char **arguments)
{
    options given = {0};
    int status = parse_arguments(count, arguments, &given);
    if (status > 0)
        return status;
    if (status == 0)
        status = given.watch != 0 ? watch(&given) : show(&given);
    else
        status = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        return areas_fail("standard output", strerror(errno));
    return status;
}
