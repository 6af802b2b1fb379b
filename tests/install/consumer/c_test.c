// Each package does its work in a C program that has acre as its users get it.
#include <string.h>

#include "acre/area.h"
#include "acre/arena.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/stack.h"
#include "check.h"

static void reserve_commit_and_look(void)
{
    size_t page = acre_page_size();
    acre_mmap map;
    acre_area area;
    CHECK(acre_mmap_reserve(16 * page, ACRE_READ_WRITE, NULL, &map) == ACRE_OK);
    CHECK(acre_mmap_commit(&map, page, 2 * page) == ACRE_OK);

    char *bytes = (char *)map.base + page;
    CHECK(bytes[0] == 0 && bytes[2 * page - 1] == 0);
    memset(bytes, 'a', 2 * page);
    CHECK(acre_area_at(bytes, &area) == ACRE_OK);
    CHECK(area.access == ACRE_READ_WRITE && area.end - area.start == 2 * page);

    CHECK(acre_mmap_decommit(&map, page, 2 * page) == ACRE_OK);
    CHECK(acre_area_at(bytes, &area) == ACRE_OK && area.access == ACRE_NONE);
    CHECK(acre_mmap_unmap(&map) == ACRE_OK);
    CHECK(map.base == NULL);
}

static void allocate_and_take_back(void)
{
    acre_arena arena;
    CHECK(acre_arena_create(NULL, &arena) == ACRE_OK);
    acre_arena_mark start = acre_arena_save(&arena);
    char *word = acre_arena_strdup(&arena, "word");
    int *numbers = ACRE_NEW_ARRAY(&arena, int, 100000);
    CHECK(word != NULL && strcmp(word, "word") == 0);
    CHECK(numbers != NULL && numbers[0] == 0 && numbers[99999] == 0);

    acre_arena_restore(&arena, start);
    CHECK(acre_arena_strdup(&arena, "other") == word);
    CHECK(acre_arena_destroy(&arena) == ACRE_OK);
}

static void use_a_guarded_stack(void)
{
    acre_stack stack;
    acre_stack_info info;
    size_t used = 1;
    CHECK(acre_stack_create((size_t)1 << 16, NULL, &stack) == ACRE_OK);
    CHECK(stack.size >= (size_t)1 << 16);
    CHECK(acre_stack_used(&stack, &used) == ACRE_OK && used == 0);

    char *top = (char *)stack.base + stack.size;
    memset(top - 100, 1, 100);
    CHECK(acre_stack_used(&stack, &used) == ACRE_OK && used >= 100 && used < stack.size);
    CHECK(acre_stack_find((char *)stack.base - 1, &info) == ACRE_OK);
    CHECK(info.where == ACRE_STACK_GUARD && info.base == stack.base);
    CHECK(acre_stack_destroy(&stack) == ACRE_OK);
}

int main(void)
{
    reserve_commit_and_look();
    allocate_and_take_back();
    use_a_guarded_stack();
    return 0;
}
