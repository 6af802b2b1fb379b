// concordance - the words of all files below some paths, and how often each occurs.
//
// Why coroutines: thousands of files are open at once, so that the system can bring their pages in
// side by side, and still each file is read by straight-line code (open, map, read a piece, yield,
// the next piece) that keeps its place in local variables.  Callbacks would tear that loop apart
// into states; a thread for each file would cost a kernel thread and its stack.  A coroutine costs
// a guarded stack of acre's, of which it touches a page or two.  The stacks come from a pool, so
// the next file takes the stack of one that was read, and guards take none of the memory areas that
// the files need.  The words lie in an arena, and the files are maps.
//
//     bazel run -c opt //examples/concordance -- /usr/include
#define _DEFAULT_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reading.h"
#include "report.h"
#include "system.h"
#include "words.h"

enum { SOME_FAILED = 1, WRONG_USE = 2 };

typedef struct options {
    char **paths;
    size_t path_count;
    size_t top;
    int json;
    int help;
} options;

static const char HELP[] =
    "Usage: concordance [OPTION]... [--] [PATH]...\n"
    "Counts the words of all files below the paths (default: /usr/include).  A word is a run of\n"
    "ASCII letters, counted in lower case.\n"
    "\n"
    "  --top N   show the N most frequent words (default 20)\n"
    "  --json    one JSON object: files, bytes, words, distinct, top [[word, count], ...],\n"
    "            areas, resident_bytes, peak_stacks\n"
    "  --help    show this\n"
    "\n"
    "Binary files are counted like any other.  Symbolic links are followed when given, not when\n"
    "found below; sockets, pipes and devices found below are passed over.  A file given twice is\n"
    "counted twice.\n"
    "\n"
    "Files that cannot be read, vanish or shrink meanwhile are told on standard error, one line\n"
    "each; of one that shrinks the words before that point count.\n"
    "\n"
    "Exit status: 0 all files were read; 1 some were not; 2 wrong use, nothing was read.\n";

static int
refuse(const char *what, const char *reason)
{
    report_failure("", what, reason);
    return 0;
}

static int
parse_top(const char *text, size_t *out)
{
    size_t length = text == NULL ? 0 : strlen(text);
    if (length == 0 || strspn(text, "0123456789") != length)
        return refuse("--top", "wants a number (see --help)");
    // Beyond the largest number: all words.
    uintmax_t number = strtoumax(text, NULL, 10);
    *out = number < SIZE_MAX ? (size_t)number : SIZE_MAX;
    return 1;
}

// One option, which may take the argument after it.
static int
parse_option(const char *option, char ***next, options *out)
{
    static const char TOP_IS[] = "--top=";
    if (strcmp(option, "--help") == 0)
        out->help = 1;
    else if (strcmp(option, "--json") == 0)
        out->json = 1;
    else if (strncmp(option, TOP_IS, sizeof(TOP_IS) - 1) == 0)
        return parse_top(option + sizeof(TOP_IS) - 1, &out->top);
    else if (strcmp(option, "--top") != 0)
        return refuse(option, "no such option (see --help)");
    else if (!parse_top(**next, &out->top))
        return 0;
    else
        ++*next;
    return 1;
}

// `arguments` ends with NULL; the paths among them move to its front.
static int
parse(char **arguments, options *out)
{
    char **next = arguments;
    int options_end = 0;
    out->paths = arguments;
    while (*next != NULL) {
        char *argument = *next++;
        if (options_end || argument[0] != '-')
            out->paths[out->path_count++] = argument;
        else if (strcmp(argument, "--") == 0)
            options_end = 1;
        else if (!parse_option(argument, &next, out))
            return 0;
    }
    return 1;
}

static int
check_paths(const options *given)
{
    for (size_t i = 0; i < given->path_count; i++) {
        struct stat facts;
        if (stat(given->paths[i], &facts) != 0)
            return refuse(given->paths[i], report_reason(-errno));
        if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode))
            return refuse(given->paths[i], "neither a file nor a directory");
    }
    return 1;
}

static int
flush_output(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 1;
    return refuse("standard output", report_reason(errno != 0 ? -errno : -EIO));
}

static acre_status
count_and_report(const options *given, acre_arena *arena, results *all)
{
    words counted;
    acre_status status = words_create(arena, &counted);
    int progress_wanted = !given->json && isatty(STDERR_FILENO);
    if (status == ACRE_OK)
        status = read_all(given->paths, given->path_count, progress_wanted, &counted, all);
    if (status != ACRE_OK)
        return status;
    int (*report)(words *, size_t, const results *) = given->json ? report_json : report_text;
    return report(&counted, given->top, all) ? ACRE_OK : acre_arena_status(arena);
}

static acre_status
create_arena(acre_arena *out)
{
    acre_arena_opts opts = {.name = "words"};
    // Half of the addresses are for stacks and files.  Without a limit there are enough for all.
    size_t addresses = system_address_limit();
    if (addresses / 2 < SIZE_MAX / 4)
        opts.reserve = addresses / 2;
    return acre_arena_create(&opts, out);
}

static int
run(const options *given)
{
    acre_arena arena;
    results all;
    acre_status status = create_arena(&arena);
    if (status == ACRE_OK) {
        status = count_and_report(given, &arena, &all);
        acre_status destroyed = acre_arena_destroy(&arena);
        if (status == ACRE_OK)
            status = destroyed;
    }
    if (status != ACRE_OK) {
        refuse("cannot go on", report_reason(status));
        return SOME_FAILED;
    }
    if (all.failed != 0)
        fprintf(stderr, "concordance: %" PRIu64 " files or directories not read to the end\n",
                all.failed);
    return flush_output() && all.failed == 0 ? EXIT_SUCCESS : SOME_FAILED;
}

int
main(int count, char **arguments)
{
    static char usual_path[] = "/usr/include";
    static char *usual_paths[] = {usual_path, NULL};
    options given = {.top = 20};
    // Lines in one piece; where that is refused they are only slower.
    (void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    if (!parse(arguments + (count > 0), &given))
        return WRONG_USE;
    if (given.help) {
        fputs(HELP, stdout);
        return flush_output() ? EXIT_SUCCESS : SOME_FAILED;
    }
    if (given.path_count == 0) {
        given.paths = usual_paths;
        given.path_count = 1;
    }
    return check_paths(&given) ? run(&given) : WRONG_USE;
}
