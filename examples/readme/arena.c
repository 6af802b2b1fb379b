#include <stdio.h>

#include "acre/arena.h"

int
main(void)
{
    // README begins
    acre_arena arena;
    if (acre_arena_create(NULL, &arena) != ACRE_OK)
        return 1;
    int *kept = ACRE_NEW(&arena, int);  // zeroed; NULL when the arena is exhausted
    acre_arena_mark mark = acre_arena_save(&arena);
    char *gone = acre_arena_strdup(&arena, "until the mark is restored");
    acre_arena_restore(&arena, mark);
    printf("kept %d, gone %d\n", acre_arena_owns(&arena, kept), !acre_arena_owns(&arena, gone));
    ACRE_IGNORE(acre_arena_destroy(&arena));
    // README ends
    return 0;
}
