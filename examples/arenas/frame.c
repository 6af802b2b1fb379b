// A game's frames: what a frame makes lives until the next one has been made.
#include <stdio.h>

#include "acre/arena.h"

// quote begins
typedef struct frames {
    acre_arena arenas[2];
    unsigned current;
} frames;

// What the frame before the last made is gone; what the last one made can still be read.
static acre_arena *
begin_frame(frames *all)
{
    all->current ^= 1;
    acre_arena_reset(&all->arenas[all->current]);
    return &all->arenas[all->current];
}
// quote ends

int
main(void)
{
    frames all = {.current = 0};
    acre_arena_opts opts = {.name = "frame", .keep = 4 << 20};  // kept from frame to frame
    for (int i = 0; i < 2; i++) {
        if (acre_arena_create(&opts, &all.arenas[i]) != ACRE_OK)
            return 1;
    }
    int *last = NULL;
    int moved = 0;
    for (int frame = 1; frame <= 3; frame++) {
        int *position = ACRE_NEW(begin_frame(&all), int);
        if (position == NULL)
            return 1;
        *position = 10 * frame;
        moved = last != NULL ? *position - *last : 0;
        last = position;
    }
    printf("moved by %d since the last frame\n", moved);
    int destroyed = 1;
    for (int i = 0; i < 2; i++)
        destroyed &= acre_arena_destroy(&all.arenas[i]) == ACRE_OK;
    return destroyed ? 0 : 1;
}
