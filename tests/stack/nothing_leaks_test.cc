// Ten thousand stacks later the process is as large as before.
#include <cstdint>

#include "acre/page.h"
#include "acre/stack.h"
#include "gtest/gtest.h"
#include "mmap/port/memory.h"
#include "tests/support/support.h"

namespace {

SKIP_WITHOUT_ADVICE("Leaks.*");

const int LIVE = 16;
// What the C library and sanitizers map for themselves meanwhile; a leak would show thousandfold.
const size_t OTHER_AREAS = 8;
const size_t OTHER_ADDRESSES = 4 << 20;

// Each round replaces the oldest of LIVE stacks, of changing sizes and flags.
void churn(int rounds)
{
    acre_stack stacks[LIVE] = {};
    bool no_dumps = acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS);
    for (int i = 0; i < rounds; i++) {
        acre_stack &stack = stacks[i % LIVE];
        if (stack.base != nullptr) {
            ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK);
        }
        acre_stack_opts opts = {};
        opts.header_size = static_cast<size_t>(i % 3) * 100;
        opts.flags = i % 5 == 0 && no_dumps ? ACRE_STACK_NO_DUMP : 0;
        ASSERT_EQ(acre_stack_create(static_cast<size_t>(1 + i % 7) * 10000, &opts, &stack),
                  ACRE_OK);
        static_cast<char *>(stack.base)[stack.size - 1] = 1;
    }
    for (acre_stack &stack : stacks)
        ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

void expect_no_leak()
{
    churn(200);
    size_t areas = acre_test::area_count();
    size_t addresses = acre_test::status_bytes("VmSize");
    churn(10000);
    EXPECT_LE(acre_test::area_count(), areas + OTHER_AREAS);
    EXPECT_LE(acre_test::status_bytes("VmSize"), addresses + OTHER_ADDRESSES);
}

TEST(Leaks, no_areas_and_no_addresses_over_ten_thousand_rounds)
{
    expect_no_leak();
}

TEST(Leaks, nor_with_protected_pages)
{
    acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    expect_no_leak();
    acre_port_pretend_nothing();
}

}  // namespace
