// POSIX contexts run on acre's stacks.
#include "acre/stack_ucontext.h"
#include "gtest/gtest.h"
#include "tests/stack/adapters/where.h"
#include "tests/stack/pool.h"

using namespace acre_test;

namespace {

ucontext_t caller;
const acre_stack_pool *expected;
acre_stack_info seen;
bool ran_right;

void run()
{
    seen = stack_here();
    ran_right = runs_in(expected);
}

bool switch_to(const acre_stack &stack)
{
    static ucontext_t context;
    seen = {};
    if (getcontext(&context) != 0)
        return false;
    acre_stack_to_ucontext(&stack, &context);
    context.uc_link = &caller;
    makecontext(&context, run, 0);
    return swapcontext(&caller, &context) == 0;
}

TEST(Ucontext, runs_on_a_stack_of_the_pool)
{
    Pool pool;
    expected = pool;
    for (int i = 0; i < 100; i++) {
        acre_stack stack;
        ASSERT_EQ(ACRE_OK, acre_stack_pool_take(pool, &stack));
        ASSERT_TRUE(switch_to(stack));
        EXPECT_TRUE(ran_right);
        EXPECT_EQ(stack.base, seen.base);
        ASSERT_EQ(ACRE_OK, acre_stack_pool_give(pool, &stack));
    }
}

TEST(Ucontext, runs_on_a_stack_of_its_own)
{
    acre_stack stack;
    ASSERT_EQ(ACRE_OK, acre_stack_create(64 * 1024, nullptr, &stack));
    ASSERT_TRUE(switch_to(stack));
    EXPECT_EQ(stack.base, seen.base);
    EXPECT_EQ(nullptr, seen.pool);
    EXPECT_EQ(ACRE_OK, acre_stack_destroy(&stack));
}

}  // namespace
