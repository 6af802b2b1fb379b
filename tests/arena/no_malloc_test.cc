// No function of //arena calls malloc or anything that does.
#include "tests/support/no_malloc.h"
#include "tests/arena/arena_test.h"

using namespace acre_test;

namespace {

void nothing(void *)
{
}

acre_status drop(const char *, size_t, void *)
{
    return ACRE_OK;
}

// Answers the number of calls that did not go as they should: an assertion would allocate.
int use_everything()
{
    static char memory[4096];
    int wrong = 0;
    auto expect = [&](acre_status expected, acre_status status) { wrong += status != expected; };
    acre_arena arena = {};
    acre_arena_opts opts = options();
    opts.name = "no malloc";
    expect(ACRE_OK, acre_arena_create(&opts, &arena));
    acre_arena_mark mark = acre_arena_save(&arena);
    wrong += acre_arena_alloc(&arena, 100) == nullptr;
    wrong += acre_arena_alloc_aligned(&arena, 10 * MIB, 4096) == nullptr;
    wrong += acre_arena_zalloc(&arena, 100, 8) == nullptr;
    wrong += acre_arena_calloc(&arena, 10, 10, 8) == nullptr;
    wrong += acre_arena_memdup(&arena, memory, sizeof memory) == nullptr;
    wrong += acre_arena_strdup(&arena, "text") == nullptr;
    char *text = acre_arena_strndup(&arena, "text", 2);
    wrong += acre_arena_resize(&arena, text, 3, 300) == nullptr;
    wrong += acre_arena_resize_aligned(&arena, nullptr, 0, 30, 64) == nullptr;
    expect(ACRE_OK, acre_arena_defer(&arena, nothing, nullptr));
    expect(ACRE_OK, acre_arena_ensure(&arena, MIB));
    wrong += !acre_arena_owns(&arena, text);
    wrong += acre_arena_alloc(&arena, SIZE_MAX) != nullptr;
    expect(ACRE_BAD_SIZE, acre_arena_status(&arena));
    acre_arena_stats stats;
    acre_arena_stats_read(&arena, &stats);
    expect(ACRE_OK, acre_arena_report(&arena, drop, nullptr));
    expect(ACRE_OK, acre_arena_totals_report(drop, nullptr));
    acre_arena_restore(&arena, mark);
    expect(ACRE_OK, acre_arena_trim(&arena, 0));
    (void)acre_status_unsupported(acre_arena_prefault(&arena, 0));
    acre_arena_reset(&arena);
    expect(ACRE_OK, acre_arena_destroy(&arena));
    expect(ACRE_OK, acre_arena_over(memory, sizeof memory, &arena));
    wrong += acre_arena_alloc(&arena, 100) == nullptr;
    expect(ACRE_OK, acre_arena_destroy(&arena));
    acre_arena_cache_limit(0);
    acre_arena_cache_trim();
    return wrong;
}

TEST(NoMalloc, is_called_by_any_function)
{
    if (!can_forbid_malloc())
        GTEST_SKIP() << "the sanitizer brings a malloc of its own, which it calls itself";
    forbid_malloc(true);
    int wrong = use_everything();
    forbid_malloc(false);
    EXPECT_EQ(0, wrong);
}

}  // namespace
