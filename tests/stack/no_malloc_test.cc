// No function of //stack calls malloc or anything that does.
#include "tests/support/no_malloc.h"

#include <gtest/gtest.h>

#include "acre/stack.h"
#include "acre/stack_bounds.h"
#include "acre/stack_overflow.h"
#include "acre/stack_pool.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_WITHOUT_ADVICE("NoMalloc.is_called_by_any_function");

acre_status pass(const acre_stack_info *, void *)
{
    return ACRE_OK;
}

acre_status drop(const char *, size_t, void *)
{
    return ACRE_OK;
}

void ignore(const acre_stack_info *, const void *, const void *, void *)
{
}

// Answers the number of calls that did not go as they should: an assertion would allocate.
int use_everything()
{
    int wrong = 0;
    auto expect = [&](acre_status expected, acre_status status) { wrong += status != expected; };
    acre_stack_opts opts = {};
    opts.header_size = 100;
    opts.flags = ACRE_STACK_DONT_FORK;
    for (int i = 0; i < 100; i++) {
        acre_stack stack;
        acre_stack_info info;
        size_t used;
        expect(ACRE_OK, acre_stack_create(64 * 1024, i % 2 ? &opts : nullptr, &stack));
        expect(ACRE_OK, acre_stack_find(stack.base, &info));
        expect(ACRE_OK, acre_stack_used(&stack, &used));
        expect(ACRE_OK, acre_stack_each(pass, nullptr));
        expect(ACRE_OK, acre_stack_report(drop, nullptr));
        expect(ACRE_OK, acre_stack_destroy(&stack));
        expect(ACRE_NOT_OURS, acre_stack_find(&stack, &info));
    }
    acre_status overflow = acre_stack_overflow_install(ignore, nullptr);
    if (!acre_status_unsupported(overflow)) {
        expect(ACRE_OK, overflow);
        expect(ACRE_OK, acre_stack_overflow_thread_enter());
        expect(ACRE_OK, acre_stack_overflow_thread_leave());
        expect(ACRE_OK, acre_stack_overflow_thread_leave());
        expect(ACRE_OK, acre_stack_overflow_remove());
    }
    return wrong;
}

int use_pool()
{
    int wrong = 0;
    auto expect = [&](acre_status expected, acre_status status) { wrong += status != expected; };
    acre_stack_pool_opts opts = {};
    opts.keep = 1;
    acre_stack_pool *pool = nullptr;
    acre_stack_pool_stats stats;
    expect(ACRE_OK, acre_stack_pool_create(&opts, &pool));
    static acre_stack stacks[400];
    for (acre_stack &stack : stacks) {
        acre_stack_info info;
        size_t used;
        expect(ACRE_OK, acre_stack_pool_take(pool, &stack));
        expect(ACRE_OK, acre_stack_commit(&stack, stack.size));
        acre_stack_bounds bounds;
        expect(ACRE_OK, acre_stack_bounds_of(&stack, &bounds));
        static_cast<volatile char *>(stack.base)[0] = 1;
        static_cast<volatile char *>(stack.base)[stack.size - 8192] = 1;
        expect(ACRE_OK, acre_stack_find(stack.base, &info));
        expect(ACRE_OK, acre_stack_used(&stack, &used));
    }
    expect(ACRE_OK, acre_stack_each(pass, nullptr));
    expect(ACRE_OK, acre_stack_report(drop, nullptr));
    expect(ACRE_OK, acre_stack_pool_report(pool, drop, nullptr));
    for (acre_stack &stack : stacks)
        expect(ACRE_OK, acre_stack_pool_give(pool, &stack));
    expect(ACRE_STALE, acre_stack_pool_give(pool, &stacks[0]));
    expect(ACRE_OK, acre_stack_pool_prewarm(pool, 500));
    expect(ACRE_OK, acre_stack_pool_trim(pool, 100));
    expect(ACRE_OK, acre_stack_pool_flush(pool));
    expect(ACRE_OK, acre_stack_pool_stats_read(pool, &stats));
    expect(ACRE_OK, acre_stack_pool_take(pool, &stacks[0]));
    expect(ACRE_OK, acre_stack_pool_give(pool, &stacks[0]));
    expect(ACRE_OK, acre_stack_pool_destroy(pool));
    return wrong;
}

TEST(NoMalloc, is_called_by_any_function)
{
    if (!can_forbid_malloc())
        GTEST_SKIP() << "the sanitizer brings a malloc of its own, which it calls itself";
    forbid_malloc(true);
    int wrong = use_everything();
    wrong += use_pool();
    forbid_malloc(false);
    EXPECT_EQ(0, wrong);
}

}  // namespace
