// Advice: what the kernel took, by its own flags; what is refused, and that a part keeps its own.

#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE(
    "Advice.a_commit_refused_half_way_hides_no_committed_byte "
    "Advice.a_commit_refused_half_way_over_parts_commits_nothing "
    "Advice.collapse_makes_huge_pages_now "
    "Advice.demands_hold_in_the_child "
    "Advice.is_seen_in_the_area_until_it_is_taken_back "
    "Advice.on_a_part_is_the_parts_alone "
    "Advice.page_out_of_file_pages_takes_them_out");

struct Pair {
    acre_advice advice;
    acre_advice undo;
    const char *flag;  // that the area has between the two
};

const Pair pairs[] = {
    {ACRE_ADVISE_SEQUENTIAL, ACRE_ADVISE_NORMAL, "sr"},
    {ACRE_ADVISE_RANDOM, ACRE_ADVISE_NORMAL, "rr"},
    {ACRE_ADVISE_HUGE, ACRE_ADVISE_NO_HUGE, "hg"},
    {ACRE_ADVISE_NO_HUGE, ACRE_ADVISE_HUGE, "nh"},
    {ACRE_ADVISE_NO_DUMP, ACRE_ADVISE_DUMP, "dd"},
    {ACRE_ADVISE_DONT_FORK, ACRE_ADVISE_DO_FORK, "dc"},
    {ACRE_ADVISE_WIPE_ON_FORK, ACRE_ADVISE_KEEP_ON_FORK, "wf"},
};

bool is_huge(acre_advice advice)
{
    return advice == ACRE_ADVISE_HUGE || advice == ACRE_ADVISE_NO_HUGE;
}

bool is_taken_here(acre_advice advice)
{
    acre_system system = {};
    if (is_huge(advice))
        return acre_system_read(&system) == ACRE_OK && system.transparent_huge_size != 0;
    return acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS) && acre_can(ACRE_CAN_WIPE_ON_FORK);
}

TEST(Advice, is_seen_in_the_area_until_it_is_taken_back)
{
    for (const Pair &pair : pairs) {
        if (!is_taken_here(pair.advice))
            continue;
        Map map;
        ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
        bytes(map, 3 * page())[0] = 9;
        ASSERT_OK(acre_mmap_advise(&map, 0, map.size, pair.advice)) << pair.flag;
        EXPECT_TRUE(has_vm_flag(map.base, pair.flag)) << pair.flag;
        EXPECT_EQ(0u, map.flags);
        ASSERT_OK(acre_mmap_advise(&map, 0, map.size, pair.undo)) << pair.flag;
        EXPECT_FALSE(has_vm_flag(map.base, pair.flag)) << pair.flag;
        EXPECT_EQ(9, bytes(map, 3 * page())[0]);
    }
}

TEST(Advice, on_a_part_is_the_parts_alone)
{
    for (const Pair &pair : pairs) {
        if (!is_taken_here(pair.advice))
            continue;
        Map map;
        ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
        ASSERT_OK(acre_mmap_advise(&map, 2 * page(), 3 * page(), pair.advice)) << pair.flag;
        for (size_t i = 0; i < 8; i++)
            EXPECT_EQ(i >= 2 && i < 5, has_vm_flag(bytes(map, i * page()), pair.flag))
                << pair.flag << i;
    }
}

TEST(Advice, of_every_kind_works_on_committed_pages)
{
    if (emulated())
        GTEST_SKIP() << "an emulator's advice is not the kernel's";
    for (acre_advice advice : {ACRE_ADVISE_NORMAL, ACRE_ADVISE_SEQUENTIAL, ACRE_ADVISE_RANDOM,
                               ACRE_ADVISE_WILL_NEED, ACRE_ADVISE_COLD}) {
        File file(std::string(8 * page(), 'f'));
        acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
        Map anon, mapped, ring;
        ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &anon));
        ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 8 * page(), ACRE_READ_WRITE, &opts,
                                 &mapped));
        ASSERT_OK(acre_mmap_ring(4 * page(), nullptr, &ring));
        for (acre_mmap *map : {static_cast<acre_mmap *>(&anon), static_cast<acre_mmap *>(&mapped),
                               static_cast<acre_mmap *>(&ring)}) {
            bytes(*map)[0] = 'x';
            EXPECT_OK(acre_mmap_advise(map, 0, map->size, advice)) << advice;
            EXPECT_EQ('x', bytes(*map)[0]);
        }
    }
}

TEST(Advice, page_out_of_file_pages_takes_them_out)
{
    if (emulated())
        GTEST_SKIP() << "an emulator's advice is not the kernel's";
    Map anon, map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &anon));
    std::memset(anon.base, 1, anon.size);
    EXPECT_OK(acre_mmap_advise(&anon, 0, anon.size, ACRE_ADVISE_PAGE_OUT));
    EXPECT_EQ(1, bytes(anon)[7 * page()]);

    // Clean pages of a file that this process may write are unmapped at once.
    File file(std::string(8 * page(), 'f'));
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 8 * page(), ACRE_READ, nullptr, &map));
    ASSERT_OK(acre_mmap_flush(&map, 0, map.size, ACRE_FLUSH_WAIT));
    size_t resident = 0;
    ASSERT_OK(acre_mmap_populate(&map, 0, map.size));
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(map.size, resident);
    EXPECT_OK(acre_mmap_advise(&map, 0, map.size, ACRE_ADVISE_PAGE_OUT));
    EXPECT_EQ('f', bytes(map)[7 * page()]);
}

TEST(Advice, collapse_makes_huge_pages_now)
{
    acre_system system = {};
    ASSERT_OK(acre_system_read(&system));
    if (system.transparent_huge_size == 0)
        GTEST_SKIP() << "this system has no transparent huge pages";
    size_t huge = static_cast<size_t>(system.transparent_huge_size);
    Map map;
    acre_mmap_opts opts = {};
    opts.alignment = huge;
    ASSERT_OK(acre_mmap_anon(2 * huge, ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_advise(&map, 0, huge, ACRE_ADVISE_NO_HUGE));
    for (size_t at = 0; at < map.size; at += page())
        bytes(map)[at] = 3;
    // Once it is allowed, the kernel may do it by itself.
    EXPECT_EQ(0u, smaps_bytes(map.base, "AnonHugePages"));
    ASSERT_OK(acre_mmap_advise(&map, 0, huge, ACRE_ADVISE_HUGE));
    acre_status status = acre_mmap_advise(&map, 0, huge, ACRE_ADVISE_COLLAPSE);
    if (status == -EINVAL || acre_status_unsupported(status))
        GTEST_SKIP() << "this kernel does not collapse on demand (Linux 6.1)";
    if (status == -ENOMEM || status == -EAGAIN)
        GTEST_SKIP() << "no huge page is free now";
    EXPECT_OK(status);
    EXPECT_EQ(huge, smaps_bytes(map.base, "AnonHugePages"));
    for (size_t at = 0; at < map.size; at += page())
        ASSERT_EQ(3, bytes(map)[at]);
}

TEST(Advice, demands_hold_in_the_child)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK) || !acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS))
        GTEST_SKIP() << "this system takes advice without keeping it";
    Map map;
    ASSERT_OK(acre_mmap_anon(3 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 7, map.size);
    ASSERT_OK(acre_mmap_advise(&map, page(), page(), ACRE_ADVISE_WIPE_ON_FORK));
    ASSERT_OK(acre_mmap_advise(&map, 2 * page(), page(), ACRE_ADVISE_DONT_FORK));
    Ended ended = in_child([&] {
        return bytes(map)[0] == 7 && bytes(map)[page()] == 0 &&
                       permissions(bytes(map, 2 * page())).empty()
                   ? 0
                   : 1;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
    EXPECT_EQ(7, bytes(map)[2 * page()]);

    ASSERT_OK(acre_mmap_advise(&map, page(), page(), ACRE_ADVISE_KEEP_ON_FORK));
    ASSERT_OK(acre_mmap_advise(&map, 2 * page(), page(), ACRE_ADVISE_DO_FORK));
    ended =
        in_child([&] { return bytes(map)[page()] == 7 && bytes(map)[2 * page()] == 7 ? 0 : 1; });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
}

TEST(Advice, that_the_system_would_not_keep_is_refused)
{
    if (kOnWindows)
        GTEST_SKIP() << "there is no fork, and advice about it holds";
    Map map;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
    acre_port_pretend_without(ACRE_CAN_EXCLUDE_FROM_DUMPS);
    for (acre_advice advice :
         {ACRE_ADVISE_NO_DUMP, ACRE_ADVISE_DUMP, ACRE_ADVISE_DONT_FORK, ACRE_ADVISE_DO_FORK,
          ACRE_ADVISE_WIPE_ON_FORK, ACRE_ADVISE_KEEP_ON_FORK})
        expect_refused(-ENOTSUP, map, [&] { return acre_mmap_advise(&map, 0, page(), advice); });
    acre_port_pretend_nothing();
}

TEST(Advice, wiping_is_refused_for_memory_that_others_see)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK) || !acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS))
        GTEST_SKIP() << "no wiping on fork here";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
    expect_refused(-EINVAL, map,
                   [&] { return acre_mmap_advise(&map, 0, page(), ACRE_ADVISE_WIPE_ON_FORK); });
}

// ---- with guards --------------------------------------------------------------------------------

TEST(Advice, to_wipe_forbids_guards_until_the_whole_map_is_kept_again)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK) || !acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS))
        GTEST_SKIP() << "no wiping on fork here";
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_advise(&map, page(), page(), ACRE_ADVISE_WIPE_ON_FORK));
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_guard(&map, 0, page()); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_unguard(&map, 0, page()); });
    ASSERT_OK(acre_mmap_advise(&map, page(), page(), ACRE_ADVISE_KEEP_ON_FORK));
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_guard(&map, 0, page()); });
    ASSERT_OK(acre_mmap_advise(&map, 0, map.size, ACRE_ADVISE_KEEP_ON_FORK));
    ASSERT_OK(acre_mmap_guard(&map, 0, page()));

    // Pages that were given back have forgotten it, too.
    Map reserved;
    ASSERT_OK(acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, nullptr, &reserved));
    ASSERT_OK(acre_mmap_advise(&reserved, 0, page(), ACRE_ADVISE_WIPE_ON_FORK));
    expect_refused(ACRE_BAD_STATE, reserved, [&] { return acre_mmap_guard(&reserved, 0, page()); });
    ASSERT_OK(acre_mmap_decommit(&reserved, 0, reserved.size));
    EXPECT_FALSE(has_vm_flag(reserved.base, "wf"));
    EXPECT_OK(acre_mmap_guard(&reserved, 0, page()));
}

TEST(Advice, to_wipe_is_refused_where_markers_stand)
{
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        GTEST_SKIP() << "this kernel has no guard markers (Linux 6.13)";
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_guard(&map, 0, page()));
    expect_refused(ACRE_BAD_STATE, map, [&] {
        return acre_mmap_advise(&map, 2 * page(), page(), ACRE_ADVISE_WIPE_ON_FORK);
    });
    EXPECT_FALSE(has_vm_flag(bytes(map, 2 * page()), "wf"));
}

// ---- commits over parts -------------------------------------------------------------------------

// A range so large that the second of its areas is refused by every accounting, in an area too
// many.
TEST(Advice, a_commit_refused_half_way_over_parts_commits_nothing)
{
    acre_system system = {};
    ASSERT_OK(acre_system_read(&system));
    size_t small = 16 * page();
    size_t large = 4 * static_cast<size_t>(system.physical_memory);
    if (sizeof(void *) != 8 || system.overcommit_mode == 1)
        GTEST_SKIP() << "nothing is refused here";
    large = large / page() * page();
    Map map;
    ASSERT_OK(acre_mmap_reserve(small + large, ACRE_READ_WRITE, nullptr, &map));
    acre_status advised = acre_mmap_advise(&map, 0, small, ACRE_ADVISE_RANDOM);
    EXPECT_TRUE(advised == ACRE_OK || (kOnWindows && acre_status_unsupported(advised)));
    for (int way = 0; way < 2; way++) {
        expect_refused(-ENOMEM, map, [&] {
            return way == 0 ? acre_mmap_commit(&map, 0, map.size)
                            : acre_mmap_protect(&map, 0, map.size, ACRE_READ_WRITE);
        });
        EXPECT_EQ("---p", permissions(map.base));
        if (!kOnWindows) {
            EXPECT_FALSE(has_vm_flag(map.base, "ac"));
            EXPECT_TRUE(has_vm_flag(map.base, "rr"));
        }
    }
}

TEST(Advice, a_commit_refused_half_way_hides_no_committed_byte)
{
    acre_system system = {};
    ASSERT_OK(acre_system_read(&system));
    size_t small = 16 * page();
    size_t large = 4 * static_cast<size_t>(system.physical_memory) / page() * page();
    if (sizeof(void *) != 8 || system.overcommit_mode == 1)
        GTEST_SKIP() << "nothing is refused here";
    Map map;
    ASSERT_OK(acre_mmap_reserve(small + large, ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, small));
    acre_status advised = acre_mmap_advise(&map, page(), page(), ACRE_ADVISE_RANDOM);
    EXPECT_TRUE(advised == ACRE_OK || (kOnWindows && acre_status_unsupported(advised)));
    bytes(map)[0] = 4;
    bytes(map)[page()] = 5;
    expect_refused(-ENOMEM, map, [&] { return acre_mmap_commit(&map, 0, map.size); });
    EXPECT_EQ(4, bytes(map)[0]);
    EXPECT_EQ(5, bytes(map)[page()]);
    // Hidden by a protection is not reserved.
    ASSERT_OK(acre_mmap_protect(&map, 0, small, ACRE_NONE));
    EXPECT_STATUS(-ENOMEM, acre_mmap_commit(&map, 0, map.size));
    ASSERT_OK(acre_mmap_commit(&map, 0, small));
    EXPECT_EQ(4, bytes(map)[0]);
    EXPECT_EQ(5, bytes(map)[page()]);
}

}  // namespace
