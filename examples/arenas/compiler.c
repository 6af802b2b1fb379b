// A compiler: symbols stay, what one function needs goes, and files are closed whatever happens.
#include <stdio.h>

#include "acre/arena.h"

// quote begins
static void
close_file(void *file)
{
    fclose(file);
}

// A file that the arena closes: at the next restore, reset or destroy that takes it back.
static FILE *
open_in(acre_arena *arena, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file != NULL && acre_arena_defer(arena, close_file, file) != ACRE_OK) {
        fclose(file);
        file = NULL;
    }
    return file;
}

// Returns the symbol, which lives as long as `symbols`.  `scratch` is as it was before.
static const char *
compile(acre_arena *symbols, acre_arena *scratch, const char *path)
{
    const char *symbol = NULL;
    acre_arena_mark mark = acre_arena_save(scratch);
    FILE *file = open_in(scratch, path);
    char *line = acre_arena_alloc(scratch, 256);
    if (file != NULL && line != NULL && fgets(line, 256, file) != NULL)
        symbol = acre_arena_strndup(symbols, line, strcspn(line, " \n"));
    acre_arena_restore(scratch, mark);  // closes the file
    return symbol;
}
// quote ends

int
main(int count, char **arguments)
{
    acre_arena symbols;
    acre_arena scratch;
    if (acre_arena_create(NULL, &symbols) != ACRE_OK ||
        acre_arena_create(NULL, &scratch) != ACRE_OK)
        return 1;
    const char *symbol = count > 1 ? compile(&symbols, &scratch, arguments[1]) : NULL;
    printf("%s\n", symbol != NULL ? symbol : "nothing to compile");
    int destroyed = acre_arena_destroy(&scratch) == ACRE_OK;
    destroyed &= acre_arena_destroy(&symbols) == ACRE_OK;
    return destroyed ? 0 : 1;
}
