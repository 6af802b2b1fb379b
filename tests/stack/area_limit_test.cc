// At the process's limit of memory areas: what fails changes nothing, and works later.

#include <cstring>

#include "acre/area.h"
#include "acre/page.h"
#include "acre/stack.h"
#include "gtest/gtest.h"
#include "mmap/port/memory.h"
#include "tests/support/expect.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_EMULATED("an emulator needs areas of its own",
              "AreaLimit.without_an_area_for_the_guard_there_is_no_stack");

// Cuts one mapping into areas of a page each until the system refuses.
class Filler {
  public:
    bool fill(size_t limit)
    {
        page_ = acre_page_size();
        size_ = (limit + 16) * page_;
        base_ = static_cast<char *>(
            mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        if (base_ == MAP_FAILED)
            return false;
        for (size_t at = page_; at + page_ < size_; at += 2 * page_) {
            if (mprotect(base_ + at, page_, PROT_READ) != 0)
                return true;
        }
        return false;
    }

    bool empty()
    {
        return mprotect(base_, size_, PROT_NONE) == 0 && munmap(base_, size_) == 0;
    }

  private:
    char *base_ = nullptr;
    size_t size_ = 0;
    size_t page_ = 0;
};

// Whether the areas of its neighbours and its own are one.
bool lies_in_the_middle(const acre_stack &stack)
{
    acre_area area;
    uintptr_t base = reinterpret_cast<uintptr_t>(stack.base);
    uintptr_t room = 128 * 1024;  // more than its guard
    return acre_area_at(stack.base, &area) == ACRE_OK && area.start + room < base &&
           base + stack.size + room < area.end;
}

bool is_ours(const acre_stack &stack)
{
    acre_stack_info info;
    return acre_stack_find(stack.base, &info) == ACRE_OK && info.generation == stack.generation;
}

// By effect: sanitizers reserve terabytes for their shadow.
bool sanitized()
{
    return acre_test::status_bytes("VmSize") / 1024 / 1024 > 1024 * 1024;
}

class AreaLimit : public testing::Test {
  protected:
    void SetUp() override
    {
        acre_system system;
        ASSERT_EQ(acre_system_read(&system), ACRE_OK);
        limit_ = static_cast<size_t>(system.area_limit);
        if (limit_ == 0 || limit_ > 300000)
            GTEST_SKIP() << "no limit of memory areas, or one too high to reach: " << limit_;
        if (sanitized())
            GTEST_SKIP() << "a sanitizer cannot do without memory areas of its own";
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
    size_t limit_ = 0;
};

TEST_F(AreaLimit, destroy_in_the_middle_of_an_area_fails_and_leaves_the_stack_without_memory)
{
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        GTEST_SKIP() << "without markers no stack lies in the middle of an area";
    acre_test::Ended ended = acre_test::in_child([this] {
        acre_stack stacks[16];
        for (acre_stack &stack : stacks)
            STEP(1, acre_stack_create(65536, nullptr, &stack) == ACRE_OK);
        acre_stack *found = nullptr;
        for (acre_stack &stack : stacks) {
            if (lies_in_the_middle(stack))
                found = &stack;
        }
        if (found == nullptr)
            return 77;
        Filler filler;
        STEP(2, filler.fill(limit_));

        acre_stack &middle = *found;
        std::memset(middle.base, 1, middle.size);
        const acre_stack before = middle;
        STEP(3, acre_stack_destroy(&middle) == ACRE_TOO_MANY_AREAS);
        STEP(4, std::memcmp(&middle, &before, sizeof(middle)) == 0);
        STEP(5, is_ours(middle));
        size_t used;
        STEP(9, acre_stack_used(&middle, &used) == ACRE_OK && used == 0);
        static_cast<char *>(middle.base)[middle.size - 1] = 1;

        STEP(6, filler.empty());
        STEP(7, acre_stack_destroy(&middle) == ACRE_OK);
        STEP(8, !is_ours(before));
        return 0;
    });
    EXPECT_TRUE(ended.exited);
    if (ended.code == 77)
        GTEST_SKIP() << "no two stacks lie side by side here";
    EXPECT_EQ(ended.code, 0);
}

TEST_F(AreaLimit, without_an_area_for_the_guard_there_is_no_stack)
{
    acre_test::Ended ended = acre_test::in_child([this] {
        acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        acre_stack stack;
        STEP(1, acre_stack_create(65536, nullptr, &stack) == ACRE_OK);
        STEP(2, acre_stack_destroy(&stack) == ACRE_OK);
        Filler filler;
        STEP(3, filler.fill(limit_));

        std::memset(&stack, 0x5a, sizeof(stack));
        const acre_stack before = stack;
        acre_status status = acre_stack_create(65536, nullptr, &stack);
        STEP(4, status == ACRE_TOO_MANY_AREAS || status == -ENOMEM);
        STEP(5, std::memcmp(&stack, &before, sizeof(stack)) == 0);

        STEP(6, filler.empty());
        STEP(7, acre_stack_create(65536, nullptr, &stack) == ACRE_OK);
        return 0;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(ended.code, 0);
}

}  // namespace
