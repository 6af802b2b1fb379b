// line.c - filling in what a part found.
#include <stdarg.h>
#include <stdio.h>

#include "demo.h"

static void
add_fact(demo_line *line, demo_fact fact)
{
    if (line->fact_count < DEMO_FACTS)
        line->facts[line->fact_count++] = fact;
}

void
demo_number(demo_line *line, const char *key, uint64_t number)
{
    add_fact(line, (demo_fact){key, number, NULL});
}

void
demo_text(demo_line *line, const char *key, const char *text)
{
    add_fact(line, (demo_fact){key, 0, text});
}

void
demo_note(demo_line *line, const char *format, ...)
{
    if (line->note_count == DEMO_NOTES)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->notes[line->note_count++], DEMO_NOTE_SIZE, format, arguments);
    va_end(arguments);
}

void
demo_skip(demo_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->skipped, sizeof line->skipped, format, arguments);
    va_end(arguments);
}

void
demo_fail(demo_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->failed, sizeof line->failed, format, arguments);
    va_end(arguments);
}

int
demo_went_well(demo_line *line, const char *call, acre_status status)
{
    if (status == ACRE_OK)
        return 1;
    if (acre_status_unsupported(status))
        demo_skip(line, "%s: %s", call, acre_status_text(status));
    else
        demo_fail(line, "%s: %s", call, acre_status_text(status));
    return 0;
}
