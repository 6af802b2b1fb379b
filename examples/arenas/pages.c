// A database's page cache: pages of one size that come back, within a limit.
#include <stdio.h>

#include "acre/arena.h"

// quote begins
enum { PAGE = 8192 };

typedef union page {
    union page *next;  // while it is free
    unsigned char bytes[PAGE];
} page;

typedef struct page_cache {
    acre_arena arena;  // its limit is the cache's
    page *free;
} page_cache;

// NULL when all pages are in use: write one back and give it.
static page *
take_page(page_cache *cache)
{
    page *taken = cache->free;
    if (taken == NULL)
        return acre_arena_alloc_aligned(&cache->arena, sizeof(page), PAGE);
    cache->free = taken->next;
    return taken;
}

static void
give_page(page_cache *cache, page *given)
{
    given->next = cache->free;
    cache->free = given;
}
// quote ends

int
main(void)
{
    // One page more: the first begins at the first multiple of its size.
    acre_arena_opts opts = {.name = "page cache", .limit = 101 * PAGE, .flags = ACRE_ARENA_NO_DUMP};
    page_cache cache = {.free = NULL};
    acre_status status = acre_arena_create(&opts, &cache.arena);
    if (acre_status_unsupported(status)) {
        opts.flags = 0;
        status = acre_arena_create(&opts, &cache.arena);
    }
    if (status != ACRE_OK)
        return 1;
    page *first = NULL;
    size_t count = 0;
    for (page *taken; (taken = take_page(&cache)) != NULL; count++)
        first = first != NULL ? first : taken;
    int is_limit = acre_arena_status(&cache.arena) == ACRE_FULL;
    if (first != NULL)
        give_page(&cache, first);
    printf("%zu pages, then %s; one came back %s\n", count, is_limit ? "full" : "no memory",
           first != NULL && take_page(&cache) == first ? "and went out again" : "in vain");
    return acre_arena_destroy(&cache.arena) == ACRE_OK ? 0 : 1;
}
