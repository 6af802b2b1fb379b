// Wishes that few systems grant: droppable pages, names, nodes.

#include "acre/area.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

// ---- droppable ----------------------------------------------------------------------------------

TEST(Droppable, is_what_the_system_has_or_plain_memory)
{
    acre_mmap_opts opts = flags(ACRE_MAP_DROPPABLE);
    for (int reserved = 0; reserved < 2; reserved++) {
        Map map;
        if (reserved)
            ASSERT_OK(acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, &opts, &map));
        else
            ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
        for (int round = 0; round < 2; round++) {
            ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
            bytes(map)[0] = 1;
            bool granted = map.flags & ACRE_MAP_DROPPABLE;
            EXPECT_EQ(granted, has_vm_flag(map.base, "dp"));
            EXPECT_EQ(granted, has_vm_flag(map.base, "wf"));
            EXPECT_EQ(granted, has_vm_flag(map.base, "dd"));
            ASSERT_OK(acre_mmap_decommit(&map, 0, map.size));
        }
    }
}

TEST(Droppable, is_neither_locked_nor_guarded)
{
    acre_mmap_opts opts = flags(ACRE_MAP_DROPPABLE);
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
    if ((map.flags & ACRE_MAP_DROPPABLE) == 0)
        GTEST_SKIP() << "this kernel has no droppable memory (Linux 6.11)";
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_lock(&map, 0, page()); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_lock_on_fault(&map, 0, page()); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_guard(&map, 0, page()); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_unguard(&map, 0, page()); });
    expect_refused(ACRE_BAD_RANGE, map, [&] { return acre_mmap_lock(&map, 0, map.size + 1); });
    EXPECT_FALSE(has_vm_flag(map.base, "lo"));
    bytes(map)[5] = 5;
    Ended ended = in_child([&] { return bytes(map)[5]; });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
    ASSERT_OK(acre_mmap_resize(&map, 8 * page(), ACRE_RESIZE_MAY_MOVE));
    EXPECT_TRUE(has_vm_flag(bytes(map, 7 * page()), "dp"));
}

TEST(Droppable, contradicts_locks_files_and_sharing)
{
    File file(std::string(page(), 'f'));
    acre_mmap untouched = {};
    for (uint32_t more : {ACRE_MAP_LOCKED, ACRE_MAP_LOCK_ON_FAULT, ACRE_MAP_SHARED}) {
        acre_mmap_opts opts = flags(ACRE_MAP_DROPPABLE | more);
        expect_refused(ACRE_BAD_OPTION, untouched,
                       [&] { return acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &untouched); });
    }
    acre_mmap_opts opts = flags(ACRE_MAP_DROPPABLE);
    expect_refused(ACRE_BAD_OPTION, untouched, [&] {
        return acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ, &opts, &untouched);
    });
    expect_refused(ACRE_BAD_OPTION, untouched,
                   [&] { return acre_mmap_ring(page(), &opts, &untouched); });
}

// ---- names --------------------------------------------------------------------------------------

TEST(Name, is_shown_by_the_systems_tools)
{
    if (kOnWindows)
        GTEST_SKIP() << "maps have no names here";
    acre_mmap_opts opts = {};
    char name[] = "symbols";
    opts.name = name;
    Map map, reserved, written, exec;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, &opts, &reserved));
    ASSERT_OK(acre_mmap_twin(page(), &opts, &written, &exec));
    name[0] = 'X';  // it was copied
    EXPECT_TRUE(written.flags & exec.flags & ACRE_GOT_NAME);
    EXPECT_EQ("symbols", name_at(written.base));
    EXPECT_EQ("symbols", name_at(exec.base));
    EXPECT_EQ(acre_can(ACRE_CAN_NAME) != 0, (map.flags & ACRE_GOT_NAME) != 0);
    EXPECT_EQ(acre_can(ACRE_CAN_NAME) != 0, (reserved.flags & ACRE_GOT_NAME) != 0);
    if (!acre_can(ACRE_CAN_NAME))
        GTEST_SKIP() << "this kernel gives anonymous memory no names (CONFIG_ANON_VMA_NAME)";
    EXPECT_EQ("symbols", name_at(map.base));
    EXPECT_EQ("symbols", name_at(reserved.base));
}

TEST(Name, that_the_system_does_not_take_is_not_granted)
{
    std::string endless(1000, 'n');
    acre_mmap_opts opts = {};
    opts.name = endless.c_str();
    File file(std::string(page(), 'f'));
    Map map, mapped;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
    EXPECT_EQ(0u, map.flags & ACRE_GOT_NAME);
    // Pages of a file have the file's name.
    opts.name = "text";
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ, &opts, &mapped));
    EXPECT_EQ(0u, mapped.flags & ACRE_GOT_NAME);
}

// ---- nodes --------------------------------------------------------------------------------------

// The policy of the page at `address`, and whether `node` is in it.
bool prefers(const void *address, unsigned node)
{
    enum { POLICY_OF_ADDRESS = 2, PREFERRED = 1 };
    int policy = -1;
    unsigned long nodes[1024 / (8 * sizeof(unsigned long))] = {};
    if (syscall(SYS_get_mempolicy, &policy, nodes, 1024ul, address, POLICY_OF_ADDRESS) != 0)
        return false;
    return policy == PREFERRED &&
           (nodes[node / (8 * sizeof nodes[0])] >> node % (8 * sizeof nodes[0]) & 1) != 0;
}

TEST(Node, is_preferred_by_every_page)
{
    if (!acre_can(ACRE_CAN_PLACE_ON_NODES))
        GTEST_SKIP() << "this system has no nodes";
    acre_mmap_opts opts = {};
    opts.node_plus_one = 1;
    for (int reserved = 0; reserved < 2; reserved++) {
        Map map;
        if (reserved)
            ASSERT_OK(acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, &opts, &map));
        else
            ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(static_cast<uint32_t>(ACRE_GOT_NODE), map.flags & ACRE_GOT_NODE);
        EXPECT_TRUE(prefers(map.base, 0));
        ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
        ASSERT_OK(acre_mmap_decommit(&map, 2 * page(), 2 * page()));
        ASSERT_OK(acre_mmap_commit(&map, 2 * page(), page()));
        EXPECT_TRUE(prefers(bytes(map, 2 * page()), 0));
    }
}

TEST(Node, added_by_a_resize_is_preferred_too)
{
    if (!acre_can(ACRE_CAN_PLACE_ON_NODES))
        GTEST_SKIP() << "this system has no nodes";
    acre_mmap_opts opts = {};
    opts.node_plus_one = 1;
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_resize(&map, 64 * page(), ACRE_RESIZE_MAY_MOVE));
    EXPECT_TRUE(prefers(map.base, 0));
    EXPECT_TRUE(prefers(bytes(map, 63 * page()), 0));
}

TEST(Node, that_is_not_there_is_not_granted)
{
    acre_mmap_opts opts = {};
    for (uint32_t node : {1000u, 1023u, 1024u, UINT32_MAX - 1}) {
        opts.node_plus_one = node + 1;
        Map map;
        ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(0u, map.flags & ACRE_GOT_NODE) << node;
        bytes(map)[0] = 1;
    }
    acre_mmap untouched = {};
    File file(std::string(page(), 'f'));
    expect_refused(ACRE_BAD_OPTION, untouched, [&] {
        return acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ, &opts, &untouched);
    });
}

}  // namespace
