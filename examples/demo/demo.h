// demo.h - what the parts of the demo share: a part does one thing twice, by hand and with acre,
// and fills in one line.
#ifndef DEMO_DEMO_H_
#define DEMO_DEMO_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "acre/status.h"

typedef enum demo_unit {
    DEMO_COUNT,   ///< things: more is better
    DEMO_SECONDS  ///< less is better
} demo_unit;

typedef struct demo_side {
    const char *how;  ///< "mmap + mprotect"
    double value;     ///< of the line's unit
} demo_side;

typedef struct demo_fact {
    const char *key;
    uint64_t number;
    const char *text;  ///< instead of the number; NULL = none
} demo_fact;

enum { DEMO_FACTS = 12, DEMO_NOTES = 4, DEMO_NOTE_SIZE = 160 };

/// What a part found.  All-zero at first.
typedef struct demo_line {
    demo_unit unit;
    demo_side hand;
    demo_side acre;
    demo_fact facts[DEMO_FACTS];
    size_t fact_count;
    char notes[DEMO_NOTES][DEMO_NOTE_SIZE];  ///< for people: what else was seen, what was made
                                             ///< smaller
    size_t note_count;
    char skipped[DEMO_NOTE_SIZE];  ///< why the part cannot run here; "" = it did
    char failed[DEMO_NOTE_SIZE];   ///< what went wrong; "" = nothing
} demo_line;

typedef struct demo_part {
    const char *name;
    const char *title;
    /// @param small  not 0: as little of everything as shows the difference
    void (*run)(int small, demo_line *line);
} demo_part;

void stacks_run(int small, demo_line *line);
void trees_run(int small, demo_line *line);
void snapshot_run(int small, demo_line *line);
void areas_run(int small, demo_line *line);
void overflow_run(int small, demo_line *line);

void demo_number(demo_line *line, const char *key, uint64_t number);
/// @param text  lives as long as the line
void demo_text(demo_line *line, const char *key, const char *text);

#ifdef __MINGW_PRINTF_FORMAT
#define DEMO_PRINTF_ __attribute__((format(__MINGW_PRINTF_FORMAT, 2, 3)))
#elif defined(__GNUC__) || defined(__clang__)
#define DEMO_PRINTF_ __attribute__((format(printf, 2, 3)))
#else
#define DEMO_PRINTF_
#endif
void demo_note(demo_line *line, const char *format, ...) DEMO_PRINTF_;
void demo_skip(demo_line *line, const char *format, ...) DEMO_PRINTF_;
void demo_fail(demo_line *line, const char *format, ...) DEMO_PRINTF_;
/// Whether `status` is ACRE_OK; else the line says that `call` failed, or that this system cannot.
int demo_went_well(demo_line *line, const char *call, acre_status status);

#endif  // DEMO_DEMO_H_
