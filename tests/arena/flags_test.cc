// What an arena was asked to be, the kernel says it is: after growth, and after memory came back.
#include "tests/arena/arena_test.h"

using namespace acre_test;

namespace {

class Flags : public testing::Test {
  protected:
    void SetUp() override
    {
        if (emulated())
            GTEST_SKIP() << "no VmFlags to read";
    }
};

// Whether the first, a grown and a regrown page carry the flag; -1 when they differ.
int carries(uint32_t flags, const char *flag)
{
    Arena arena(with_flags(flags));
    unsigned char *first = bytes(&arena, 1);
    unsigned char *grown = bytes(&arena, 10 * MIB) + 10 * MIB - 1;
    int found = has_vm_flag(first, flag);
    if (found != has_vm_flag(grown, flag))
        return -1;
    acre_arena_reset(&arena);
    EXPECT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
    bytes(&arena, 20 * MIB);
    return found == has_vm_flag(grown, flag) ? found : -1;
}

// Under overcommit mode 2 everything is.
bool only_what_is_asked_for_is_accounted()
{
    acre_system system = {};
    EXPECT_EQ(ACRE_OK, acre_system_read(&system));
    return system.overcommit_mode != 2;
}

}  // namespace

TEST_F(Flags, no_dump)
{
    EXPECT_EQ(1, carries(ACRE_ARENA_NO_DUMP, "dd"));
    EXPECT_EQ(0, carries(0, "dd"));
}

TEST_F(Flags, no_huge)
{
    EXPECT_TRUE(carries(ACRE_ARENA_NO_HUGE, "nh") || !has_huge_pages());
    EXPECT_EQ(0, carries(0, "nh"));
}

TEST_F(Flags, dont_fork)
{
    EXPECT_EQ(1, carries(ACRE_ARENA_DONT_FORK, "dc"));
    EXPECT_EQ(0, carries(0, "dc"));
}

TEST_F(Flags, wipe_on_fork)
{
    EXPECT_EQ(1, carries(ACRE_ARENA_WIPE_ON_FORK, "wf"));
    EXPECT_EQ(0, carries(0, "wf"));
}

TEST_F(Flags, lazy_is_not_accounted_others_are)
{
    EXPECT_EQ(only_what_is_asked_for_is_accounted() ? 0 : 1, carries(ACRE_ARENA_LAZY, "ac"));
    EXPECT_EQ(1, carries(0, "ac"));
}

TEST_F(Flags, several_at_once)
{
    uint32_t flags = ACRE_ARENA_NO_DUMP | ACRE_ARENA_NO_HUGE | ACRE_ARENA_DONT_FORK |
                     ACRE_ARENA_LAZY | ACRE_ARENA_WIPE | ACRE_ARENA_NO_CACHE;
    EXPECT_EQ(1, carries(flags, "dd"));
    EXPECT_TRUE(carries(flags, "nh") || !has_huge_pages());
    EXPECT_EQ(1, carries(flags, "dc"));
    EXPECT_EQ(only_what_is_asked_for_is_accounted() ? 0 : 1, carries(flags, "ac"));
}

TEST_F(Flags, what_lies_beside_the_reservation_is_not_dumped_either)
{
    for (uint32_t fork : {ACRE_ARENA_DONT_FORK, ACRE_ARENA_WIPE_ON_FORK}) {
        Arena arena(with_flags(ACRE_ARENA_NO_DUMP | fork));
        EXPECT_TRUE(has_vm_flag(arena.core, "dd"));
    }
}

TEST_F(Flags, the_core_lies_in_the_reservation_unless_a_fork_would_lose_it)
{
    Arena plain;
    EXPECT_LT(plain.base - address(plain.core), 64 * KIB);
    size_t before = areas_now();
    {
        Arena absent(with_flags(ACRE_ARENA_DONT_FORK));
        EXPECT_FALSE(has_vm_flag(absent.core, "dc"));
        Arena wiped(with_flags(ACRE_ARENA_WIPE_ON_FORK));
        EXPECT_FALSE(has_vm_flag(wiped.core, "wf"));
        EXPECT_LE(areas_now(), before + 6);
    }
    EXPECT_EQ(before, areas_now());
}
