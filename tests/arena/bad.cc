// A program that does one thing wrong with an arena, for checkers to report.
#include <cstdio>
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
};

}  // namespace

int main(int argc, char **argv)
{
    if (argc != 2 || acre_arena_create(nullptr, &arena) != ACRE_OK)
        return 2;
    for (const auto &one : cases) {
        if (std::strcmp(one.name, argv[1]) == 0) {
            one.run();
            std::puts("done");
            return 0;
        }
    }
    return 2;
}
