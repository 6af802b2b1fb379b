// Demands: met by every page of a map, also after it was decommitted and committed again.
#include "tests/mmap/maps.h"
#include "tests/support/core.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE(
    "Demand.dont_fork_is_absent_in_the_child "
    "Demand.of_a_file_map "
    "Demand.survives_decommit_and_commit");

struct Demand {
    uint32_t flag;
    const char *vm_flag;
};

const Demand demands[] = {
    {ACRE_MAP_NO_DUMP, "dd"},
    {ACRE_MAP_DONT_FORK, "dc"},
    {ACRE_MAP_WIPE_ON_FORK, "wf"},
    {ACRE_MAP_NO_HUGE, "nh"},
};

// Without huge pages there are none to keep away.
bool is_shown(const void *address, const Demand &demand)
{
    return has_vm_flag(address, demand.vm_flag) ||
           (demand.flag == ACRE_MAP_NO_HUGE && !has_huge_pages());
}

bool can_demand()
{
    return acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS) && acre_can(ACRE_CAN_WIPE_ON_FORK);
}

#define SKIP_UNLESS_DEMANDS_ARE_KEPT() \
    if (!can_demand())                 \
    GTEST_SKIP() << "this system takes advice without keeping it: acre refuses demands"

TEST(Demand, is_seen_in_the_areas_of_anonymous_maps)
{
    SKIP_UNLESS_DEMANDS_ARE_KEPT();
    for (const Demand &demand : demands) {
        Map map;
        acre_mmap_opts opts = flags(demand.flag);
        ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(demand.flag, map.flags);
        EXPECT_TRUE(is_shown(map.base, demand)) << demand.vm_flag;
    }
}

TEST(Demand, survives_decommit_and_commit)
{
    SKIP_UNLESS_DEMANDS_ARE_KEPT();
    for (const Demand &demand : demands) {
        Map map;
        acre_mmap_opts opts = flags(demand.flag);
        ASSERT_OK(acre_mmap_reserve(64 * page(), ACRE_READ_WRITE, &opts, &map));
        size_t areas = area_count();
        for (size_t round = 0; round < 32; round++) {
            ASSERT_OK(acre_mmap_commit(&map, round * page(), 3 * page()));
            bytes(map, round * page())[0] = 1;
            ASSERT_TRUE(is_shown(bytes(map, (round + 1) * page()), demand)) << demand.vm_flag;
            ASSERT_OK(acre_mmap_decommit(&map, round * page(), 3 * page()));
            ASSERT_TRUE(is_shown(bytes(map, (round + 1) * page()), demand)) << demand.vm_flag;
        }
        EXPECT_EQ(areas, area_count()) << demand.vm_flag;
        ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
        EXPECT_TRUE(is_shown(bytes(map, 5 * page()), demand)) << demand.vm_flag;
        EXPECT_TRUE(has_vm_flag(bytes(map, 5 * page()), "ac"));
        EXPECT_EQ(0, bytes(map, 5 * page())[0]);
    }
}

TEST(Demand, holds_for_what_replaces_other_pages)
{
    SKIP_UNLESS_DEMANDS_ARE_KEPT();
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    bytes(map)[0] = 1;
    bytes(map, 2 * page())[0] = 1;
    acre_mmap_opts opts = flags(ACRE_MAP_REPLACE | ACRE_MAP_NO_DUMP | ACRE_MAP_WIPE_ON_FORK);
    opts.address = bytes(map, page());
    acre_mmap replaced = {};
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, &opts, &replaced));
    EXPECT_EQ(opts.address, replaced.base);
    EXPECT_TRUE(has_vm_flag(replaced.base, "dd"));
    EXPECT_TRUE(has_vm_flag(replaced.base, "wf"));
    EXPECT_EQ(0, bytes(replaced, page())[0]);
    EXPECT_EQ(1, bytes(map)[0]);
    EXPECT_FALSE(has_vm_flag(map.base, "dd"));
}

TEST(Demand, wipe_on_fork_shows_the_child_zeros)
{
    SKIP_UNLESS_DEMANDS_ARE_KEPT();
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_WIPE_ON_FORK);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
    bytes(map)[9] = 9;
    EXPECT_EQ(0, in_child([&] { return bytes(map)[9]; }).code);
    EXPECT_EQ(9, bytes(map)[9]);
}

TEST(Demand, dont_fork_is_absent_in_the_child)
{
    SKIP_UNLESS_DEMANDS_ARE_KEPT();
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_DONT_FORK);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
    bytes(map)[0] = 1;
    Ended ended = in_child([&] { return permissions(map.base).empty() ? 7 : 8; });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(7, ended.code);
    EXPECT_EQ(SIGSEGV, signal_of_read(map.base));
}

TEST(Demand, of_a_file_map)
{
    SKIP_UNLESS_DEMANDS_ARE_KEPT();
    File file(std::string(3 * page(), 'f'));
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK);
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), page(), page() + 1, ACRE_READ, &opts, &map));
    EXPECT_TRUE(has_vm_flag(map.base, "dd"));
    EXPECT_TRUE(has_vm_flag(map.base, "dc"));
}

TEST(Demand, stack_marks_without_growing)
{
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_STACK);
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
    EXPECT_FALSE(has_vm_flag(map.base, "gd"));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_MAP_STACK), map.flags);
}

// ---- core files ---------------------------------------------------------------------------------

// A pattern that is in no program's text, told apart by its seed.
char pattern(size_t i, unsigned seed)
{
    uint64_t mixed = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) * (2 * seed + 1);
    mixed ^= mixed >> 29;
    return static_cast<char>((mixed * UINT64_C(0xbf58476d1ce4e5b9)) >> 56);
}

void fill(const acre_mmap &map, unsigned seed)
{
    for (size_t i = 0; i < map.size; i++)
        bytes(map)[i] = pattern(i, seed);
}

bool contains(const std::string &core, unsigned seed)
{
    std::string first;
    for (size_t i = 0; i < 256; i++)
        first += pattern(i, seed);
    return core.find(first) != std::string::npos;
}

TEST(Demand, no_dump_bytes_are_missing_from_a_real_core_file)
{
    SKIP_UNLESS_DEMANDS_ARE_KEPT();
    std::string reason = no_core_because();
    if (!reason.empty())
        GTEST_SKIP() << reason;

    std::string core = core_of([] {
        acre_mmap plain, secret, again;
        acre_mmap_opts opts = flags(ACRE_MAP_NO_DUMP);
        if (acre_mmap_anon(1 << 20, ACRE_READ_WRITE, nullptr, &plain) != ACRE_OK ||
            acre_mmap_anon(1 << 20, ACRE_READ_WRITE, &opts, &secret) != ACRE_OK ||
            acre_mmap_reserve(1 << 20, ACRE_READ_WRITE, &opts, &again) != ACRE_OK ||
            acre_mmap_commit(&again, 0, again.size) != ACRE_OK ||
            acre_mmap_decommit(&again, 0, again.size) != ACRE_OK ||
            acre_mmap_commit(&again, 0, again.size) != ACRE_OK)
            _exit(1);
        fill(plain, 1);
        fill(secret, 2);
        fill(again, 3);
    });
    if (core.empty())
        GTEST_SKIP() << "the child left no core file";
    EXPECT_TRUE(contains(core, 1));
    EXPECT_FALSE(contains(core, 2));
    EXPECT_FALSE(contains(core, 3));
}

}  // namespace
