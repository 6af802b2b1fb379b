// Programs are compiled against these sizes: they never change.
#include <cstddef>

#include "acre/stack.h"
#include "acre/stack_overflow.h"
#include "acre/stack_pool.h"
#include "gtest/gtest.h"

namespace {

// `wide` with 64-bit pointers, `narrow` with 32-bit ones.
constexpr size_t by_pointer(size_t wide, size_t narrow)
{
    return sizeof(void *) == 8 ? wide : narrow;
}

static_assert(sizeof(acre_stack) == by_pointer(48, 28), "acre_stack");
static_assert(sizeof(acre_stack_opts) == by_pointer(64, 52), "acre_stack_opts");
static_assert(sizeof(acre_stack_info) == by_pointer(56, 36), "acre_stack_info");
static_assert(sizeof(acre_stack_pool_opts) == by_pointer(88, 64), "acre_stack_pool_opts");
static_assert(sizeof(acre_stack_pool_stats) == by_pointer(64, 36), "acre_stack_pool_stats");

static_assert(ACRE_STACK_NO_DUMP == 1 && ACRE_STACK_LOCKED == 2 && ACRE_STACK_DONT_FORK == 4, "");
static_assert(ACRE_STACK_USABLE == 1 && ACRE_STACK_GUARD == 2 && ACRE_STACK_FREE == 3, "");
static_assert(ACRE_GUARD_MARKER == 1 && ACRE_GUARD_PAGES == 2, "");

TEST(StructSizes, members_lie_where_programs_expect_them)
{
    EXPECT_EQ(offsetof(acre_stack, generation), by_pointer(28, 16));
    EXPECT_EQ(offsetof(acre_stack_opts, flags), by_pointer(24, 12));
    EXPECT_EQ(offsetof(acre_stack_info, where), by_pointer(40, 20));
    EXPECT_EQ(offsetof(acre_stack_pool_opts, flags), by_pointer(48, 24));
    EXPECT_EQ(offsetof(acre_stack_pool_stats, guard_kind), by_pointer(56, 28));
}

}  // namespace
