// A parser: nodes that live together, and an array that grows at the arena's end.
#include <stdio.h>

#include "acre/arena.h"

// quote begins
typedef struct word {
    const char *text;
    size_t length;
} word;

typedef struct words {
    word *items;
    size_t count, room;
} words;

// The array is the newest block, so it grows where it is; else it would move at each doubling.
static int
add(acre_arena *arena, words *list, word item)
{
    if (list->count == list->room) {
        size_t room = list->room != 0 ? 2 * list->room : 64;
        word *items =
            acre_arena_resize(arena, list->items, list->room * sizeof(word), room * sizeof(word));
        if (items == NULL)
            return 0;  // the list is as it was
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = item;
    return 1;
}

// The words point into the text: nothing is copied.
static int
parse(acre_arena *arena, const char *text, words *out)
{
    words list = {NULL, 0, 0};
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (length > 0 && !add(arena, &list, (word){text, length}))
            return 0;
        text += length + (text[length] == ' ');
    }
    *out = list;
    return 1;
}
// quote ends

int
main(void)
{
    acre_arena arena;
    if (acre_arena_create(NULL, &arena) != ACRE_OK)
        return 1;
    words list;
    int parsed = parse(&arena, "all of these  go at once", &list);
    if (parsed)
        printf("%zu words, the last is \"%.*s\"\n", list.count,
               (int)list.items[list.count - 1].length, list.items[list.count - 1].text);
    return acre_arena_destroy(&arena) == ACRE_OK && parsed ? 0 : 1;
}
