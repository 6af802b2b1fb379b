// What a stack is asked to be, as the kernel has it.
#include <cstdint>
#include <string>

#include "acre/page.h"
#include "acre/stack.h"
#include "gtest/gtest.h"
#include "tests/support/support.h"

namespace {

class Flags : public testing::Test {
  protected:
    void SetUp() override
    {
        if (acre_test::emulated())
            GTEST_SKIP() << "the emulator shows no VmFlags";
    }

    void TearDown() override
    {
        if (stack_.base != nullptr) {
            EXPECT_EQ(acre_stack_destroy(&stack_), ACRE_OK);
        }
    }

    acre_status create(uint32_t flags)
    {
        acre_stack_opts opts = {};
        opts.flags = flags;
        opts.header_size = 64;
        return acre_stack_create(SIZE, &opts, &stack_);
    }

    // Of the lowest byte, the top, the header and the guard alike.
    bool everywhere(const char *flag) const
    {
        const char *base = static_cast<const char *>(stack_.base);
        return acre_test::has_vm_flag(base, flag) && acre_test::has_vm_flag(base - 1, flag) &&
               acre_test::has_vm_flag(base + stack_.size - 1, flag) &&
               acre_test::has_vm_flag(stack_.header, flag);
    }

    bool anywhere(const char *flag) const
    {
        const char *base = static_cast<const char *>(stack_.base);
        return acre_test::has_vm_flag(base, flag) || acre_test::has_vm_flag(base - 1, flag);
    }

    static constexpr size_t SIZE = 256 * 1024;
    acre_stack stack_ = {};
};

TEST_F(Flags, none_asked_for_none_set)
{
    ASSERT_EQ(create(0), ACRE_OK);
    EXPECT_FALSE(anywhere("dd"));
    EXPECT_FALSE(anywhere("dc"));
    EXPECT_FALSE(anywhere("lo"));
    EXPECT_FALSE(anywhere("gd"));
}

TEST_F(Flags, never_huge_pages)
{
    acre_system system;
    ASSERT_EQ(acre_system_read(&system), ACRE_OK);
    if (system.transparent_huge_size == 0)
        GTEST_SKIP() << "this kernel has no transparent huge pages";
    ASSERT_EQ(create(0), ACRE_OK);
    EXPECT_TRUE(everywhere("nh"));
}

TEST_F(Flags, not_accounted)
{
    acre_system system;
    ASSERT_EQ(acre_system_read(&system), ACRE_OK);
    if (system.overcommit_mode == 2)
        GTEST_SKIP() << "under overcommit mode 2 everything is accounted";
    ASSERT_EQ(create(0), ACRE_OK);
    EXPECT_FALSE(anywhere("ac"));
}

TEST_F(Flags, no_dump)
{
    ASSERT_EQ(create(ACRE_STACK_NO_DUMP), ACRE_OK);
    EXPECT_TRUE(everywhere("dd"));
    EXPECT_FALSE(anywhere("dc"));
}

TEST_F(Flags, dont_fork)
{
    ASSERT_EQ(create(ACRE_STACK_DONT_FORK), ACRE_OK);
    EXPECT_TRUE(everywhere("dc"));
    EXPECT_FALSE(anywhere("dd"));
}

TEST_F(Flags, both)
{
    ASSERT_EQ(create(ACRE_STACK_NO_DUMP | ACRE_STACK_DONT_FORK), ACRE_OK);
    EXPECT_TRUE(everywhere("dd"));
    EXPECT_TRUE(everywhere("dc"));
}

TEST_F(Flags, locked_is_met_or_refused)
{
    size_t before = acre_test::area_count();
    acre_status status = create(ACRE_STACK_LOCKED);
    if (status != ACRE_OK) {
        acre_system system;
        ASSERT_EQ(acre_system_read(&system), ACRE_OK);
        bool limited = status == -ENOMEM && system.lock_limit < SIZE;
        EXPECT_TRUE(limited || acre_status_unsupported(status)) << acre_status_name(status);
        EXPECT_EQ(stack_.base, nullptr);
        EXPECT_EQ(acre_test::area_count(), before);
        return;
    }
    const char *base = static_cast<const char *>(stack_.base);
    EXPECT_TRUE(acre_test::has_vm_flag(base, "lo"));
    EXPECT_TRUE(acre_test::has_vm_flag(base + stack_.size - 1, "lo"));
    EXPECT_FALSE(acre_test::readable(base - 1));
    // All of it is present, so how deep it was used is not told.
    size_t used = 77;
    EXPECT_EQ(acre_stack_used(&stack_, &used), -ENOTSUP);
    EXPECT_EQ(used, 77u);
}

}  // namespace
