// demo - what is special about acre, each time beside the same thing by hand.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "demo.h"
#include "measure.h"
#include "table.h"

enum { FAILED = 1, WRONG_USE = 2 };

static const demo_part PARTS[] = {
    {"stacks", "guarded stacks of 64 KiB, a byte of each touched; how many there can be",
     stacks_run},
    {"trees", "a binary tree: built, walked and dropped", trees_run},
    {"snapshot", "3 % of the pages of a large state changed, and the state as it was before",
     snapshot_run},
    {"areas", "which memory area holds an address, in a process that has many", areas_run},
    {"overflow", "8 coroutines, one of which overflows its stack: how many finish their work",
     overflow_run},
};
enum { PART_COUNT = sizeof PARTS / sizeof PARTS[0] };

static const char HELP[] =
    "Usage: demo [OPTION]... [PART]...\n"
    "Does what acre is for, beside the same thing by hand, and measures both: all of it in about\n"
    "10 seconds, or the parts named.\n"
    "\n";

static const char OPTIONS[] =
    "\n"
    "  --small   as little of everything as shows the difference (a second)\n"
    "  --json    one JSON object: version, small, parts [{name, title, unit, hand {how, value},\n"
    "            acre {how, value}, facts {...}, notes [...]}, ...], milliseconds; a part that\n"
    "            cannot run has skipped or failed (why) instead of what follows its title.\n"
    "            Units: count, ns\n"
    "  --help    show this\n"
    "\n"
    "Times are those of the processor, so that other programs do not count.  On a terminal there "
    "are\n"
    "bars, and colours unless NO_COLOR is set or TERM is dumb.\n"
    "\n"
    "Exit status: 0 all parts ran or were skipped, with the reason; 1 one failed; 2 wrong use.\n";

static void
print_help(void)
{
    fputs(HELP, stdout);
    for (size_t i = 0; i < PART_COUNT; i++)
        printf("  %-9s %s\n", PARTS[i].name, PARTS[i].title);
    fputs(OPTIONS, stdout);
}

// One line, whatever the argument is.
static int
refuse(const char *argument, const char *why)
{
    fputs("demo: ", stderr);
    for (; *argument != 0; argument++)
        fputc((unsigned char)*argument < ' ' || *argument == 127 ? '?' : *argument, stderr);
    fprintf(stderr, ": %s (see --help)\n", why);
    return WRONG_USE;
}

static int
select_part(const char *name, int *selected)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        if (strcmp(PARTS[i].name, name) == 0) {
            selected[i] = 1;
            return 1;
        }
    }
    return 0;
}

static int
run_parts(const int *selected, int small, table *out)
{
    int failed = 0;
    double begin = measure_now();
    table_begin(out, small);
    for (size_t i = 0; i < PART_COUNT; i++) {
        if (!selected[i])
            continue;
        demo_line line = {0};
        table_part(out, &PARTS[i]);
        PARTS[i].run(small, &line);
        table_line(out, &PARTS[i], &line);
        failed |= line.failed[0] != 0;
    }
    table_end(out, measure_now() - begin);
    return failed;
}

int
main(int count, char **arguments)
{
    int selected[PART_COUNT] = {0};
    int json = 0, small = 0, named = 0;
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (strcmp(argument, "--help") == 0) {
            print_help();
            return 0;
        }
        if (strcmp(argument, "--json") == 0)
            json = 1;
        else if (strcmp(argument, "--small") == 0)
            small = 1;
        else if (argument[0] == '-')
            return refuse(argument, "no such option");
        else if (select_part(argument, selected))
            named = 1;
        else
            return refuse(argument, "no such part");
    }
    for (size_t i = 0; i < PART_COUNT && !named; i++)
        selected[i] = 1;

    table out = table_open(json);
    int failed = run_parts(selected, small, &out);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "demo: standard output: %s\n", strerror(errno));
        return FAILED;
    }
    return failed ? FAILED : 0;
}
