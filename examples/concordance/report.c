#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// ---- standard error -----------------------------------------------------------------------------

enum { BAR_CELLS = 40, BAR_LINE = 79 };

static int bar_percent = -1;  // what the bar shows; -1 = there is none

void
report_progress(uint64_t done, uint64_t all)
{
    // Files may have come up since they were counted.
    int percent = done < all ? (int)(done * 100 / all) : 100;
    if (percent == bar_percent)
        return;
    int cells = percent * BAR_CELLS / 100;
    fprintf(stderr, "\r[%.*s%.*s] %3d %%", cells, "########################################",
            BAR_CELLS - cells, "                                        ", percent);
    fflush(stderr);
    bar_percent = percent;
}

void
report_progress_end(void)
{
    if (bar_percent < 0)
        return;
    fprintf(stderr, "\r%*s\r", BAR_LINE, "");
    fflush(stderr);
    bar_percent = -1;
}

// Control characters as \ooo: a name may hold newlines, and a terminal obeys it.
static void
print_escaped(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < ' ' || *at == 0x7f || *at == '\\')
            fprintf(stderr, "\\%03o", *at);
        else
            putc(*at, stderr);
    }
}

const char *
report_reason(acre_status status)
{
    return status < 0 && status >= -4095 ? strerror(-status) : acre_status_text(status);
}

void
report_failure(const char *directory, const char *name, const char *reason)
{
    report_progress_end();
    fputs("concordance: ", stderr);
    print_escaped(directory);
    size_t length = strlen(directory);
    if (length != 0 && directory[length - 1] != '/' && name[0] != '\0')
        putc('/', stderr);
    print_escaped(name);
    fprintf(stderr, ": %s\n", reason);
}

// ---- standard output ----------------------------------------------------------------------------

static size_t
shown_count(const words *counted, size_t top)
{
    return top < counted->distinct ? top : counted->distinct;
}

int
report_text(words *counted, size_t top, const results *all)
{
    const word *const *sorted = words_sorted(counted);
    if (sorted == NULL)
        return 0;
    size_t shown = shown_count(counted, top);
    for (size_t i = 0; i < shown; i++)
        printf("%10" PRIu64 " %s\n", sorted[i]->count, sorted[i]->text);
    if (shown != 0)
        putchar('\n');

    const double million = 1e6;
    double megabytes = (double)all->bytes / million;
    printf("%10" PRIu64 " files\n", all->files);
    printf("%10" PRIu64 " bytes\n", all->bytes);
    printf("%10" PRIu64 " words\n", counted->total);
    printf("%10zu distinct words\n", counted->distinct);
    printf("%10.1f MB/s\n\n", all->seconds > 0 ? megabytes / all->seconds : 0.0);
    printf("%10" PRIu64 " stacks alive at the peak\n", all->peak_stacks);
    printf("%10" PRIu64 " memory areas then\n", all->areas);
    printf("%10.1f MB resident at most\n", (double)all->resident_bytes / million);
    printf("%10.1f MB of addresses reserved at most\n", (double)all->reserved_bytes / million);
    return 1;
}

int
report_json(words *counted, size_t top, const results *all)
{
    const word *const *sorted = words_sorted(counted);
    if (sorted == NULL)
        return 0;
    printf("{\"files\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"words\": %" PRIu64
           ", \"distinct\": %zu, \"top\": [",
           all->files, all->bytes, counted->total, counted->distinct);
    size_t shown = shown_count(counted, top);
    for (size_t i = 0; i < shown; i++) {
        // Words are letters: nothing to escape.
        printf("%s[\"%s\", %" PRIu64 "]", i == 0 ? "" : ", ", sorted[i]->text, sorted[i]->count);
    }
    printf("], \"areas\": %" PRIu64 ", \"resident_bytes\": %" PRIu64 ", \"peak_stacks\": %" PRIu64
           "}\n",
           all->areas, all->resident_bytes, all->peak_stacks);
    return 1;
}
