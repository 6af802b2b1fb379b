// acre-doctor - what this machine can do for acre, and which of its limits will bite.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"

enum { FINE = 0, SOMETHING_BITES = 1, WRONG_USE = 2, NOT_WRITTEN = 3 };

static const char HELP[] =
    "Usage: acre-doctor [--json]\n"
    "Shows the limits that programs which use acre may meet on this machine, each with what it\n"
    "means and the command that changes it, and what acre can do here.\n"
    "\n"
    "  ok     nothing to do\n"
    "  note   matters to some programs\n"
    "  bites  something will be refused, or be slow\n"
    "\n"
    "  --json  one JSON object: version, page_size, physical_memory, areas, limits [{name, "
    "source,\n"
    "          state, value or unlimited, text, why, change}, ...], capabilities [{name, can}, "
    "...]\n"
    "  --help  show this\n"
    "\n"
    "It looks as the process that it is: start it where your program is started, with the same\n"
    "limits.  Exit status: 0 nothing bites; 1 something does; 2 wrong use; 3 standard output "
    "cannot\n"
    "be written.\n";

static int
refuse(const char *argument)
{
    fputs("acre-doctor: ", stderr);
    for (; *argument != 0; argument++)
        fputc((unsigned char)*argument < ' ' || *argument == 127 ? '?' : *argument, stderr);
    fputs(": no such option (see --help)\n", stderr);
    return WRONG_USE;
}

int
main(int count, char **arguments)
{
    int json = 0;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0) {
            fputs(HELP, stdout);
            return FINE;
        }
        if (strcmp(arguments[i], "--json") != 0)
            return refuse(arguments[i]);
        json = 1;
    }
    static doctor_report report;
    doctor_look(&report);
    if (json)
        doctor_print_json(&report);
    else
        doctor_print(&report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "acre-doctor: standard output: %s\n", strerror(errno));
        return NOT_WRITTEN;
    }
    return doctor_bites(&report) ? SOMETHING_BITES : FINE;
}
