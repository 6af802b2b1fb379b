// With kernel markers a thousand stacks lie in few memory areas.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "acre/page.h"
#include "acre/stack.h"
#include "gtest/gtest.h"
#include "mmap/port/memory.h"
#include "tests/support/support.h"

namespace {

const size_t COUNT = 1000;
// Stacks lie side by side, but for holes that some fill and what others (acre's tables, a
// sanitizer) map in between.  A guard that costs an area would show a thousandfold.
const size_t FEW = COUNT / 20;

// The areas of this process that any of the stacks lies in, guards included.
size_t areas_of(const std::vector<acre_stack> &stacks)
{
    std::vector<uintptr_t> addresses;
    for (const acre_stack &stack : stacks) {
        uintptr_t base = reinterpret_cast<uintptr_t>(stack.base);
        addresses.insert(addresses.end(), {base - 1, base, base + stack.size - 1});
    }
    std::sort(addresses.begin(), addresses.end());

    std::ifstream maps("/proc/self/maps");
    std::string line;
    size_t count = 0;
    while (std::getline(maps, line)) {
        uintptr_t start = 0;
        uintptr_t end = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &start, &end) != 2)
            continue;
        auto first = std::lower_bound(addresses.begin(), addresses.end(), start);
        count += first != addresses.end() && *first < end;
    }
    return count;
}

class Areas : public testing::Test {
  protected:
    void SetUp() override
    {
        if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
            GTEST_SKIP() << "this system has no guard markers";
        stacks_.reserve(COUNT);
    }

    void TearDown() override
    {
        for (acre_stack &stack : stacks_)
            EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
        acre_port_pretend_nothing();
    }

    void create(bool touch)
    {
        for (size_t i = 0; i < COUNT; i++) {
            acre_stack stack;
            ASSERT_EQ(acre_stack_create(64 * 1024, nullptr, &stack), ACRE_OK);
            stacks_.push_back(stack);
            if (touch)
                static_cast<char *>(stack.base)[stack.size - 1] = 1;
        }
    }

    std::vector<acre_stack> stacks_;
};

TEST_F(Areas, a_thousand_more_stacks_add_few)
{
    create(false);
    size_t first = areas_of(stacks_);
    EXPECT_LE(first, FEW);
    create(false);
    EXPECT_LE(areas_of(stacks_), first + FEW);
}

TEST_F(Areas, touched_ones_too)
{
    create(true);
    size_t first = areas_of(stacks_);
    EXPECT_LE(first, FEW);
    create(true);
    EXPECT_LE(areas_of(stacks_), first + FEW);
}

TEST_F(Areas, protected_pages_are_counted_as_what_they_are)
{
    acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    create(false);
    EXPECT_GE(areas_of(stacks_), 2 * COUNT);
    for (const acre_stack &stack : stacks_) {
        ASSERT_EQ(stack.guard_kind, static_cast<uint32_t>(ACRE_GUARD_PAGES));
        ASSERT_FALSE(acre_test::readable(static_cast<char *>(stack.base) - 1));
    }
    EXPECT_EQ(acre_test::permissions(static_cast<char *>(stacks_[0].base) - 1), "---p");
}

}  // namespace
