// table.h - lines for people, on a terminal or in a pipe, and for programs.
#ifndef DEMO_TABLE_H_
#define DEMO_TABLE_H_

#include "demo.h"

typedef struct table {
    int json;
    int bars;     ///< a terminal
    int colours;  ///< and it wants them
    int unicode;  ///< and can show the blocks that bars are made of
    int width;    ///< columns
    int begun;    ///< lines so far
} table;

/// Looks at standard output and the environment.
table table_open(int json);
void table_begin(const table *self, int small);
/// Before a part runs: what it is about.
void table_part(table *self, const demo_part *part);
void table_line(table *self, const demo_part *part, const demo_line *line);
void table_end(const table *self, double seconds);

#endif  // DEMO_TABLE_H_
