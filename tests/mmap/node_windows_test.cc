// Nodes on Windows: where pages lie is what QueryWorkingSetEx says.
#include <windows.h>

#include <psapi.h>

#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

constexpr unsigned NOWHERE = 64;  // one more than nodes there can be

unsigned node_of(void *address)
{
    PSAPI_WORKING_SET_EX_INFORMATION page = {};
    page.VirtualAddress = address;
    bool told = QueryWorkingSetEx(GetCurrentProcess(), &page, sizeof page) != 0;
    return told && page.VirtualAttributes.Valid ? page.VirtualAttributes.Node : NOWHERE;
}

acre_mmap_opts on(unsigned node)
{
    acre_mmap_opts opts = {};
    opts.node_plus_one = node + 1;
    return opts;
}

unsigned highest_node()
{
    ULONG highest = 0;
    return GetNumaHighestNodeNumber(&highest) ? highest : 0;
}

TEST(NodeOnWindows, has_the_pages_that_prefer_it)
{
    if (!acre_can(ACRE_CAN_PLACE_ON_NODES))
        GTEST_SKIP() << "this system does not place pages on nodes";
    for (unsigned node = 0; node <= highest_node(); node++) {
        acre_mmap_opts opts = on(node);
        for (int reserved = 0; reserved < 2; reserved++) {
            Map map;
            if (reserved)
                ASSERT_OK(acre_mmap_reserve(40 * page(), ACRE_READ_WRITE, &opts, &map));
            else
                ASSERT_OK(acre_mmap_anon(40 * page(), ACRE_READ_WRITE, &opts, &map));
            EXPECT_NE(0u, map.flags & ACRE_GOT_NODE);
            ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
            ASSERT_OK(acre_mmap_decommit(&map, 2 * page(), 2 * page()));
            ASSERT_OK(acre_mmap_commit(&map, 2 * page(), page()));
            ASSERT_OK(acre_mmap_resize(&map, 80 * page(), ACRE_RESIZE_MAY_MOVE));
            ASSERT_OK(acre_mmap_commit(&map, 79 * page(), page()));
            for (size_t at : {size_t{0}, 2 * page(), 79 * page()}) {
                bytes(map)[at] = 1;
                EXPECT_EQ(node, node_of(bytes(map, at))) << at;
            }
        }
    }
}

TEST(NodeOnWindows, that_is_not_there_is_not_granted)
{
    for (uint32_t node : {highest_node() + 1, 1000u, UINT32_MAX - 1}) {
        acre_mmap_opts opts = on(node);
        Map map;
        ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(0u, map.flags & ACRE_GOT_NODE) << node;
        bytes(map)[0] = 1;
    }
}

}  // namespace
