// A program that does one thing wrong with an arena, for checkers to report.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "acre/arena.h"

namespace {

acre_arena arena;

char *block(size_t size)
{
    return static_cast<char *>(acre_arena_alloc(&arena, size));
}

// So that the compiler must do it.
volatile char sink;

void touch(const char *byte)
{
    sink = *byte;
}

void nothing_wrong()
{
    acre_arena_mark mark = acre_arena_save(&arena);
    for (size_t size = 1; size < 300; size++)
        std::memset(block(size), 1, size);
    acre_arena_restore(&arena, mark);
    char *text = acre_arena_strdup(&arena, "a text that grows");
    text = static_cast<char *>(acre_arena_resize(&arena, text, 18, 1000));
    std::memset(text + 18, 1, 1000 - 18);
    text = static_cast<char *>(acre_arena_resize(&arena, text, 1000, 18));
    const char *zeros = static_cast<char *>(acre_arena_zalloc(&arena, 3000000, 1));
    if (zeros[0] != 0 || zeros[2999999] != 0 || text[0] != 'a')
        std::puts("unreachable");
    acre_arena_reset(&arena);
    acre_arena other = {};
    if (acre_arena_destroy(&arena) != ACRE_OK || acre_arena_create(nullptr, &other) != ACRE_OK)
        std::puts("unreachable");
    arena = other;
    std::memset(block(5000), 1, 5000);
}

void use_after_restore()
{
    acre_arena_mark mark = acre_arena_save(&arena);
    char *gone = block(100);
    std::memset(gone, 1, 100);
    acre_arena_restore(&arena, mark);
    touch(gone + 50);
}

void use_after_reset()
{
    char *gone = block(100);
    std::memset(gone, 1, 100);
    acre_arena_reset(&arena);
    touch(gone + 99);
}

void use_after_destroy()
{
    char *gone = block(100);
    std::memset(gone, 1, 100);
    if (acre_arena_destroy(&arena) == ACRE_OK)
        touch(gone);
}

void overflow_between_blocks()
{
    char *first = block(20);
    char *second = block(20);
    std::memset(second, 1, 20);
    first[20] = 1;
}

void overflow_of_aligned()
{
    char *first = static_cast<char *>(acre_arena_alloc_aligned(&arena, 24, 8));
    touch(static_cast<char *>(acre_arena_alloc_aligned(&arena, 24, 8)) - 1);
    sink = first[0];
}

void use_of_what_was_given_back()
{
    char *shrunk = block(100);
    std::memset(shrunk, 1, 100);
    char *last = block(1);
    shrunk = static_cast<char *>(acre_arena_resize(&arena, shrunk, 100, 40));
    *last = 1;
    touch(shrunk + 60);
}

void read_of_unset_bytes()
{
    char *unset = block(100);
    std::memset(unset, 1, 50);
    if (unset[50] == 7)
        std::puts("seven");
    else
        std::puts("not seven");
}

// ---- what malloc gave, to which only an arena points --------------------------------------------

// More than have a root region of their own.
const size_t MANY = 400;
acre_arena many[MANY];

acre_arena_opts uncached()
{
    acre_arena_opts opts = {};
    opts.reserve = size_t{1} << 20;
    opts.flags = ACRE_ARENA_NO_CACHE;
    return opts;
}

struct Node {
    void *owned;
    Node *next;
};

// The node's address is a global's business: what it owns is the arena's.
Node *list;

__attribute__((noinline)) void own_in(acre_arena *of)
{
    Node *node = ACRE_NEW(of, Node);
    node->owned = std::malloc(100);
    node->next = list;
    list = node;
}

// Overwrites what is left of the pointers on the stack.
__attribute__((noinline)) void forget()
{
    volatile char bytes[16384];
    for (volatile char &byte : bytes)
        byte = 0;
}

void create_or_exit(const acre_arena_opts *opts, acre_arena *of)
{
    if (acre_arena_create(opts, of) != ACRE_OK)
        std::exit(3);
}

void destroy_or_exit(acre_arena *of)
{
    if (acre_arena_destroy(of) != ACRE_OK)
        std::exit(3);
}

void owned_by_an_arena()
{
    own_in(&arena);
}

void owned_behind_megabytes()
{
    std::memset(block(size_t{5} << 20), 1, size_t{5} << 20);
    own_in(&arena);
}

void owned_by_an_arena_from_the_cache()
{
    destroy_or_exit(&arena);
    create_or_exit(nullptr, &arena);
    own_in(&arena);
}

void owned_by_every_kind_of_arena()
{
    static acre_arena arenas[2];
    acre_arena_opts opts = uncached();
    opts.flags |= ACRE_ARENA_DONT_FORK;
    create_or_exit(&opts, &arenas[0]);
    opts.flags = ACRE_ARENA_NO_CACHE | ACRE_ARENA_WIPE_ON_FORK;
    create_or_exit(&opts, &arenas[1]);
    own_in(&arenas[0]);
    own_in(&arenas[1]);
}

void owned_by_the_handler()
{
    acre_arena_opts opts = uncached();
    opts.flags |= ACRE_ARENA_DONT_FORK;
    opts.exhausted = [](acre_arena *, size_t, acre_status, void *) {};
    opts.context = std::malloc(100);
    static acre_arena other;
    create_or_exit(&opts, &other);
}

void owned_by_many_arenas()
{
    acre_arena_opts opts = uncached();
    for (acre_arena &one : many) {
        create_or_exit(&opts, &one);
        own_in(&one);
    }
    // And when half of them are gone, and made again.
    for (size_t i = 0; i < MANY; i += 2) {
        std::free(list->owned);
        list = list->next;
        destroy_or_exit(&many[MANY - 1 - i / 2]);
    }
    for (size_t i = 0; i < MANY; i += 2) {
        create_or_exit(&opts, &many[MANY - 1 - i / 2]);
        own_in(&many[MANY - 1 - i / 2]);
    }
}

void lost_by_reset()
{
    own_in(&arena);
    list = nullptr;
    acre_arena_reset(&arena);
}

void lost_by_restore()
{
    acre_arena_mark mark = acre_arena_save(&arena);
    own_in(&arena);
    list = nullptr;
    acre_arena_restore(&arena, mark);
}

void lost_by_destroy()
{
    own_in(&arena);
    list = nullptr;
    destroy_or_exit(&arena);
}

void lost_by_destroy_without_cache()
{
    static acre_arena other;
    acre_arena_opts opts = uncached();
    create_or_exit(&opts, &other);
    own_in(&other);
    list = nullptr;
    destroy_or_exit(&other);
}

void lost_by_destroying_many()
{
    owned_by_many_arenas();
    list = nullptr;
    for (acre_arena &one : many)
        destroy_or_exit(&one);
}

const struct {
    const char *name;
    void (*run)();
} cases[] = {
    {"nothing_wrong", nothing_wrong},
    {"use_after_restore", use_after_restore},
    {"use_after_reset", use_after_reset},
    {"use_after_destroy", use_after_destroy},
    {"overflow_between_blocks", overflow_between_blocks},
    {"overflow_of_aligned", overflow_of_aligned},
    {"use_of_what_was_given_back", use_of_what_was_given_back},
    {"read_of_unset_bytes", read_of_unset_bytes},
    {"owned_by_an_arena", owned_by_an_arena},
    {"owned_behind_megabytes", owned_behind_megabytes},
    {"owned_by_an_arena_from_the_cache", owned_by_an_arena_from_the_cache},
    {"owned_by_every_kind_of_arena", owned_by_every_kind_of_arena},
    {"owned_by_the_handler", owned_by_the_handler},
    {"owned_by_many_arenas", owned_by_many_arenas},
    {"lost_by_reset", lost_by_reset},
    {"lost_by_restore", lost_by_restore},
    {"lost_by_destroy", lost_by_destroy},
    {"lost_by_destroy_without_cache", lost_by_destroy_without_cache},
    {"lost_by_destroying_many", lost_by_destroying_many},
};

}  // namespace

int main(int argc, char **argv)
{
    if (argc != 2 || acre_arena_create(nullptr, &arena) != ACRE_OK)
        return 2;
    for (const auto &one : cases) {
        if (std::strcmp(one.name, argv[1]) == 0) {
            one.run();
            forget();
            std::puts("done");
            return 0;
        }
    }
    return 2;
}
