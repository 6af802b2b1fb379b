// What acre_stack_create refuses, and that nothing is different afterwards.

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "acre/page.h"
#include "acre/stack.h"
#include "gtest/gtest.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_EMULATED("an emulator does not keep a limit of addresses",
              "Refused.more_than_the_address_space_leaves");

// By effect: sanitizers reserve terabytes for their shadow.
bool sanitized()
{
    return acre_test::status_bytes("VmSize") / 1024 / 1024 > 1024 * 1024;
}

class Refused : public testing::Test {
  protected:
    void SetUp() override
    {
        // The tables behind find are mapped by the first stack.
        acre_stack first;
        ASSERT_EQ(acre_stack_create(65536, nullptr, &first), ACRE_OK);
        ASSERT_EQ(acre_stack_destroy(&first), ACRE_OK);
        // And reading the kernel's word takes memory the first time.
        ASSERT_GT(acre_test::area_count(), 0u);
        ASSERT_GT(acre_test::status_bytes("VmSize"), 0u);
    }

    void expect(acre_status status, size_t size, const acre_stack_opts *opts)
    {
        acre_stack out;
        std::memset(&out, 0x5a, sizeof(out));
        acre_stack before = out;
        size_t areas = acre_test::area_count();
        size_t addresses = acre_test::status_bytes("VmSize");
        errno = 77;
        EXPECT_EQ(acre_stack_create(size, opts, &out), status);
        EXPECT_EQ(errno, 77);
        EXPECT_EQ(acre_test::area_count(), areas);
        EXPECT_EQ(acre_test::status_bytes("VmSize"), addresses);
        EXPECT_EQ(std::memcmp(&out, &before, sizeof(out)), 0);
    }
};

TEST_F(Refused, no_size)
{
    acre_stack_opts opts = {};
    expect(ACRE_BAD_SIZE, 0, nullptr);
    expect(ACRE_BAD_SIZE, 0, &opts);
    opts.flags = 1u << 31;
    expect(ACRE_BAD_SIZE, 0, &opts);
}

TEST_F(Refused, sizes_that_wrap_around)
{
    const size_t page = acre_page_size();
    for (size_t size : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - page, SIZE_MAX - 5 * page})
        expect(ACRE_BAD_SIZE, size, nullptr);

    for (size_t large : {SIZE_MAX, SIZE_MAX - page + 1, SIZE_MAX - 2 * page}) {
        acre_stack_opts guard = {};
        guard.guard_size = large;
        expect(ACRE_BAD_SIZE, 65536, &guard);
        acre_stack_opts header = {};
        header.header_size = large;
        expect(ACRE_BAD_SIZE, 65536, &header);
    }
    acre_stack_opts both = {};
    both.guard_size = SIZE_MAX / 2 + 1;
    both.header_size = SIZE_MAX / 2 + 1;
    expect(ACRE_BAD_SIZE, 65536, &both);
}

TEST_F(Refused, unknown_flags)
{
    const uint32_t known = ACRE_STACK_NO_DUMP | ACRE_STACK_LOCKED | ACRE_STACK_DONT_FORK |
                           ACRE_STACK_PAGE_GUARDS | ACRE_STACK_NO_COLOUR;
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if (known & bit)
            continue;
        acre_stack_opts opts = {};
        opts.flags = bit;
        expect(ACRE_BAD_OPTION, 65536, &opts);
        opts.flags = bit | ACRE_STACK_NO_DUMP;
        expect(ACRE_BAD_OPTION, 65536, &opts);
    }
}

TEST_F(Refused, reserved_words)
{
    for (size_t i = 0; i < 9; i++) {
        acre_stack_opts opts = {};
        opts.reserved[i] = 1;
        expect(ACRE_BAD_OPTION, 65536, &opts);
    }
}

TEST_F(Refused, more_than_the_address_space_leaves)
{
    if (sanitized())
        GTEST_SKIP() << "a sanitizer cannot do without its address space";
    acre_test::Ended ended = acre_test::in_child([this] {
        struct rlimit limit = {};
        limit.rlim_cur = limit.rlim_max = acre_test::status_bytes("VmSize") + (64 << 20);
        if (setrlimit(RLIMIT_AS, &limit) != 0)
            return 2;
        expect(-ENOMEM, 256 << 20, nullptr);
        return HasFailure() ? 1 : 0;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(ended.code, 0);
}

}  // namespace
