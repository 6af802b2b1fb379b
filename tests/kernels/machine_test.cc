// What a test can only check where it owns the machine: exact accounting, control groups, what each
// kernel can do.
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

constexpr size_t MIB = size_t{1} << 20;

acre_system system_now()
{
    acre_system now = {};
    EXPECT_OK(acre_system_read(&now));
    return now;
}

bool write_file(const std::string &path, const std::string &value)
{
    std::ofstream out(path);
    out << value << std::flush;
    return out.good();
}

// ---- capabilities -------------------------------------------------------------------------------

struct Since {
    acre_capability what;
    int major, minor;
};

// Of mainline Linux; Debian's kernels carry none of these to older versions.
const Since capabilities[] = {
    {ACRE_CAN_EXCLUDE_FROM_DUMPS, 3, 4},
    {ACRE_CAN_LOCK, 2, 6},
    {ACRE_CAN_LOCK_ON_FAULT, 4, 4},
    {ACRE_CAN_GUARD_WITH_MARKERS, 6, 13},
    {ACRE_CAN_FIX_ADDRESS, 4, 17},
    {ACRE_CAN_REPLACE, 2, 6},
    {ACRE_CAN_SEAL_IMAGES, 5, 1},
    {ACRE_CAN_WIPE_ON_FORK, 4, 14},
    {ACRE_CAN_MOVE, 2, 6},
    {ACRE_CAN_TWIN, 3, 17},
    {ACRE_CAN_JIT, 2, 6},
    {ACRE_CAN_QUERY_IN_CONSTANT_TIME, 6, 11},
#if UINTPTR_MAX > UINT32_MAX
    {ACRE_CAN_SEAL, 6, 10},
#endif
};

TEST(Machine, can_what_its_kernel_can)
{
    struct utsname name;
    int major, minor;
    ASSERT_EQ(0, uname(&name));
    ASSERT_EQ(2, std::sscanf(name.release, "%d.%d", &major, &minor));
    for (const Since &since : capabilities) {
        bool has = major > since.major || (major == since.major && minor >= since.minor);
        EXPECT_EQ(has, acre_can(since.what) == 1)
            << "capability " << since.what << " on " << name.release;
    }
}

// ---- accounting ---------------------------------------------------------------------------------

// The kernel counts per processor and sums up now and then: what is asked of it is larger than that
// error.
constexpr size_t PART = 64 * MIB;
constexpr size_t ERROR = 16 * MIB;

#define EXPECT_COMMITTED(bytes, before)                  \
    EXPECT_NEAR(static_cast<double>((before) + (bytes)), \
                static_cast<double>(system_now().committed), double{ERROR})

TEST(Accounting, follows_commit_and_decommit_and_never_a_reservation)
{
    uint64_t before = system_now().committed;
    Map map;
    ASSERT_OK(acre_mmap_reserve(16 * PART, ACRE_READ_WRITE, nullptr, &map));
    EXPECT_COMMITTED(0u, before);
    ASSERT_OK(acre_mmap_commit(&map, PART, PART));
    EXPECT_COMMITTED(PART, before);
    ASSERT_OK(acre_mmap_decommit(&map, PART, PART));
    EXPECT_COMMITTED(0u, before);
}

TEST(Accounting, refuses_a_commit_beyond_the_limit_and_leaves_what_was_there)
{
    acre_system system = system_now();
    if (system.overcommit_mode != 2)
        GTEST_SKIP() << "vm.overcommit_memory is not 2";
    ASSERT_GT(system.commit_limit, system.committed);
    size_t left = static_cast<size_t>(system.commit_limit - system.committed) / MIB * MIB;

    Map map;
    ASSERT_OK(acre_mmap_reserve(PART + left, ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, PART));
    bytes(map)[1] = 1;
    expect_refused(-ENOMEM, map, [&] { return acre_mmap_commit(&map, PART, left); });
    EXPECT_EQ("---p", permissions(bytes(map, PART)));
    EXPECT_EQ(1, bytes(map)[1]);
    EXPECT_COMMITTED(PART, system.committed);
    EXPECT_OK(acre_mmap_commit(&map, PART, PART));
}

TEST(Accounting, of_shared_maps_is_by_the_object)
{
    uint64_t before = system_now().committed;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map map;
    ASSERT_OK(acre_mmap_anon(PART, ACRE_READ_WRITE, &opts, &map));
    EXPECT_COMMITTED(PART, before);
    ASSERT_OK(acre_mmap_unmap(&map));
    EXPECT_COMMITTED(0u, before);
}

// ---- control groups -----------------------------------------------------------------------------

// A group below the root and one below that; the test's children join the inner one.
class ControlGroup : public testing::Test {
  protected:
    void SetUp() override
    {
        if (geteuid() != 0)
            GTEST_SKIP() << "only root makes control groups";
        ASSERT_EQ(0, mkdir(outer.c_str(), 0755));
        ASSERT_TRUE(write_file(outer + "/cgroup.subtree_control", "+memory"));
        ASSERT_EQ(0, mkdir(inner.c_str(), 0755));
    }
    void TearDown() override
    {
        if (geteuid() != 0)
            return;
        EXPECT_EQ(0, rmdir(inner.c_str()));
        EXPECT_EQ(0, rmdir(outer.c_str()));
    }
    bool join() const
    {
        return write_file(inner + "/cgroup.procs", "0");
    }

    const std::string outer = "/sys/fs/cgroup/outer";
    const std::string inner = outer + "/in ner";
};

TEST_F(ControlGroup, the_least_limit_on_the_way_to_the_root_counts)
{
    Ended ended = in_child([&] {
        if (!join())
            return 1;
        if (system_now().memory_limit != 0)
            return 2;
        if (!write_file(outer + "/memory.max", "201326592") ||
            system_now().memory_limit != 201326592)
            return 3;
        if (!write_file(inner + "/memory.max", "100663296") ||
            system_now().memory_limit != 100663296)
            return 4;
        if (!write_file(inner + "/memory.max", "402653184") ||
            system_now().memory_limit != 201326592)
            return 5;
        return write_file(outer + "/memory.max", "max") && system_now().memory_limit == 402653184
                   ? 0
                   : 6;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
}

TEST_F(ControlGroup, refuses_no_commit_and_kills_at_the_touch)
{
    ASSERT_TRUE(write_file(inner + "/memory.max", std::to_string(64 * MIB)));
    Ended ended = in_child([&] {
        acre_mmap map = {};
        if (!join() || acre_mmap_anon(256 * MIB, ACRE_READ_WRITE, nullptr, &map) != ACRE_OK)
            return 1;
        for (size_t i = 0; i < map.size; i += page())
            bytes(map)[i] = 1;
        return 2;
    });
    EXPECT_FALSE(ended.exited);
    EXPECT_EQ(SIGKILL, ended.code);
}

TEST_F(ControlGroup, discard_makes_room_below_the_limit)
{
    ASSERT_TRUE(write_file(inner + "/memory.max", std::to_string(64 * MIB)));
    Ended ended = in_child([&] {
        acre_mmap map = {};
        if (!join() || acre_mmap_anon(32 * MIB, ACRE_READ_WRITE, nullptr, &map) != ACRE_OK)
            return 1;
        for (int round = 0; round < 4; round++) {
            for (size_t i = 0; i < map.size; i += page())
                bytes(map)[i] = 1;
            if (acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW) != ACRE_OK)
                return 2;
        }
        return acre_mmap_unmap(&map) == ACRE_OK ? 0 : 3;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
}

}  // namespace
