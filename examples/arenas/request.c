// A server's worker: what a request needs goes with the request.
#include <stdio.h>

#include "acre/arena.h"
#include "acre/arena_printf.h"

// quote begins
// One arena for each worker thread.  Memory stays committed from one request to the next.
static int
serve(acre_arena *arena, const char *request)
{
    acre_arena_mark mark = acre_arena_save(arena);
    char *name = acre_arena_strdup(arena, request);
    char *answer = name != NULL ? acre_arena_printf(arena, "hello, %s", name) : NULL;
    int served = answer != NULL && puts(answer) >= 0;
    acre_arena_restore(arena, mark);  // on every way out, also that of a failure
    return served;
}
// quote ends

int
main(void)
{
    acre_arena_opts opts = {.name = "worker", .limit = 1 << 20};  // no request takes more
    acre_arena arena;
    if (acre_arena_create(&opts, &arena) != ACRE_OK)
        return 1;
    int served = serve(&arena, "world") && serve(&arena, "again");
    return acre_arena_destroy(&arena) == ACRE_OK && served ? 0 : 1;
}
