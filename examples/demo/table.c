#define _DEFAULT_SOURCE
#include "table.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <io.h>
#include <windows.h>
#else
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>
#endif

enum { LEFT = 32, RIGHT = 22, MOST = 40 };  // columns before the bars, behind them, and of them

// ---- what standard output is --------------------------------------------------------------------

#ifdef _WIN32
static int
is_terminal(void)
{
    return _isatty(_fileno(stdout));
}

static int
is_unicode(void)
{
    return GetConsoleOutputCP() == CP_UTF8;
}

static int
width_of_terminal(void)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    return GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info)
               ? info.srWindow.Right - info.srWindow.Left + 1
               : 0;
}
#else
static int
is_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

static int
is_unicode(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static int
width_of_terminal(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
#endif

table
table_open(int json)
{
    table self = {.json = json};
    const char *no_colour = getenv("NO_COLOR");
    const char *type = getenv("TERM");
    setlocale(LC_CTYPE, "");
    self.bars = is_terminal();
    self.colours = self.bars && (no_colour == NULL || no_colour[0] == 0) && type != NULL &&
                   strcmp(type, "dumb") != 0;
    self.unicode = is_unicode();
    self.width = width_of_terminal();
    if (self.width < 60)
        self.width = 80;
    return self;
}

// ---- for people ---------------------------------------------------------------------------------

static const char *
colour(const table *self, const char *code)
{
    return self->colours ? code : "";
}

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define GREEN "\033[32m"
#define PLAIN "\033[0m"

// "1 000 000", or "12.3 ms".
static void
format_value(char *out, size_t size, demo_unit unit, double value)
{
    if (unit == DEMO_SECONDS) {
        double micro = value * 1e6;
        if (micro >= 1e6)
            snprintf(out, size, "%.2f s ", value);
        else if (micro >= 1e3)
            snprintf(out, size, "%.*f ms", micro < 1e4 ? 2 : 1, micro / 1e3);
        else
            snprintf(out, size, "%.*f us", micro < 10 ? 2 : 1, micro);
        return;
    }
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%.0f", value);
    size_t at = 0;
    for (int i = 0; i < length && at + 2 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[at++] = ' ';
        out[at++] = digits[i];
    }
    out[at] = 0;
}

static void
print_bar(const table *self, double value, double longest, const char *code)
{
    static const char *const eighths[] = {"",       "\u258f", "\u258e", "\u258d",
                                          "\u258c", "\u258b", "\u258a", "\u2589"};
    int room = self->width - LEFT - RIGHT;
    room = room > MOST ? MOST : room;
    // A value above nothing shows.
    int parts = longest > 0 ? (int)(value / longest * room * 8 + 0.5) : 0;
    parts = parts == 0 && value > 0 ? 1 : parts;
    printf("%s", colour(self, code));
    int used = 0;
    if (self->unicode) {
        for (; used < parts / 8; used++)
            fputs("\u2588", stdout);
        if (parts % 8 != 0) {
            fputs(eighths[parts % 8], stdout);
            used++;
        }
    } else {
        for (; used < (parts + 7) / 8; used++)
            putchar('#');
    }
    printf("%s%*s ", colour(self, PLAIN), room - used, "");
}

static void
print_side(const table *self, const demo_line *line, const char *who, const demo_side *side)
{
    char value[32];
    double longest = line->hand.value > line->acre.value ? line->hand.value : line->acre.value;
    int is_acre = side == &line->acre;
    format_value(value, sizeof value, line->unit, side->value);
    printf("  %-8s %-20s ", who, side->how);
    if (self->bars)
        print_bar(self, side->value, longest, is_acre ? GREEN : YELLOW);
    printf("%s%10s%s", colour(self, is_acre ? BOLD : ""), value, colour(self, PLAIN));
    double better = line->unit == DEMO_COUNT ? line->acre.value : line->hand.value;
    double worse = line->unit == DEMO_COUNT ? line->hand.value : line->acre.value;
    if (is_acre && worse > 0)
        printf("  %s%.*fx%s", colour(self, BOLD), better / worse < 10 ? 1 : 0, better / worse,
               colour(self, PLAIN));
    putchar('\n');
}

static void
print_reason(const table *self, const char *code, const char *what, const char *why)
{
    printf("  %s%s: %s%s\n", colour(self, code), what, why, colour(self, PLAIN));
}

// ---- for programs -------------------------------------------------------------------------------

static void
print_string(const char *text)
{
    putchar('"');
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < ' ')
            printf("\\u%04x", (unsigned)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void
print_json_side(const char *key, const demo_line *line, const demo_side *side)
{
    double scale = line->unit == DEMO_SECONDS ? 1e9 : 1;
    printf(",\"%s\":{\"how\":", key);
    print_string(side->how);
    printf(",\"value\":%.0f}", side->value * scale);
}

static void
print_json(const demo_part *part, const demo_line *line)
{
    printf("{\"name\":\"%s\",\"title\":", part->name);
    print_string(part->title);
    if (line->skipped[0] != 0 || line->failed[0] != 0) {
        printf(",\"%s\":", line->failed[0] != 0 ? "failed" : "skipped");
        print_string(line->failed[0] != 0 ? line->failed : line->skipped);
        putchar('}');
        return;
    }
    printf(",\"unit\":\"%s\"", line->unit == DEMO_SECONDS ? "ns" : "count");
    print_json_side("hand", line, &line->hand);
    print_json_side("acre", line, &line->acre);
    printf(",\"facts\":{");
    for (size_t i = 0; i < line->fact_count; i++) {
        printf("%s\"%s\":", i == 0 ? "" : ",", line->facts[i].key);
        if (line->facts[i].text != NULL)
            print_string(line->facts[i].text);
        else
            printf("%" PRIu64, line->facts[i].number);
    }
    printf("},\"notes\":[");
    for (size_t i = 0; i < line->note_count; i++) {
        printf("%s", i == 0 ? "" : ",");
        print_string(line->notes[i]);
    }
    printf("]}");
}

// ---- the whole ----------------------------------------------------------------------------------

void
table_begin(const table *self, int small)
{
    if (self->json)
        printf("{\"version\":\"%s\",\"small\":%d,\"parts\":[", acre_version(), small);
    else
        printf("acre %s, each line beside the same thing by hand, measured now\n", acre_version());
    fflush(stdout);
}

void
table_part(table *self, const demo_part *part)
{
    if (self->json)
        return;
    printf("\n%s%s%s: %s\n", colour(self, BOLD), part->name, colour(self, PLAIN), part->title);
    fflush(stdout);
}

void
table_line(table *self, const demo_part *part, const demo_line *line)
{
    if (self->json) {
        printf("%s", self->begun++ == 0 ? "" : ",");
        print_json(part, line);
        return;
    }
    if (line->skipped[0] != 0 || line->failed[0] != 0) {
        if (line->failed[0] != 0)
            print_reason(self, RED, "failed", line->failed);
        else
            print_reason(self, YELLOW, "skipped", line->skipped);
        return;
    }
    print_side(self, line, "by hand", &line->hand);
    print_side(self, line, "acre", &line->acre);
    for (size_t i = 0; i < line->note_count; i++)
        printf("           %s%s%s\n", colour(self, DIM), line->notes[i], colour(self, PLAIN));
}

void
table_end(const table *self, double seconds)
{
    if (self->json)
        printf("],\"milliseconds\":%.0f}\n", seconds * 1e3);
    else
        printf("\nall of it: %.1f s\n", seconds);
}
