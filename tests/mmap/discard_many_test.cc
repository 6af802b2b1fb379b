// Many ranges discarded by one call: each is, and the count tells how far it came.
#include <vector>

#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_WITHOUT_ADVICE(
    "DiscardMany.lazily_keeps_the_pages_until_they_are_wanted "
    "DiscardMany.a_locked_range_in_the_middle_is_emptied_and_stays_locked "
    "DiscardMany.counts_up_to_the_first_range_that_is_not_there");

void fill(const acre_mmap &map)
{
    for (size_t at = 0; at < map.size; at += page())
        bytes(map)[at] = 1;
}

// Every other page of the map.
std::vector<acre_range> every_other(const acre_mmap &map)
{
    std::vector<acre_range> ranges;
    for (size_t at = 0; at < map.size; at += 2 * page())
        ranges.push_back({bytes(map, at), page()});
    return ranges;
}

TEST(DiscardMany, empties_each_range_and_nothing_else)
{
    for (size_t count : {1u, 2u, 127u, 128u, 129u, 1000u, 5000u}) {
        if (2 * count * page() > size_t{80} << 20)
            continue;  // large pages: too much for a small control group
        Map map;
        acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
        ASSERT_OK(acre_mmap_anon(2 * count * page(), ACRE_READ_WRITE, &opts, &map));
        fill(map);
        std::vector<acre_range> ranges = every_other(map);
        size_t done = 0;
        ASSERT_OK(acre_discard_many(ranges.data(), ranges.size(), ACRE_DISCARD_NOW, &done));
        EXPECT_EQ(count, done);
        size_t resident = 0;
        ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
        EXPECT_EQ(count * page(), resident);
        for (size_t i = 0; i < 2 * count; i++)
            ASSERT_EQ(i % 2, static_cast<size_t>(bytes(map)[i * page()])) << i;
    }
}

TEST(DiscardMany, stops_at_a_sealed_range_and_goes_on_afterwards)
{
    if (!acre_can(ACRE_CAN_SEAL))
        GTEST_SKIP() << "this kernel has no mseal (Linux 6.10, 64 bits)";
    expect_success(in_child([] {
        acre_mmap sealed = {}, map = {};
        STEP(1, acre_mmap_anon(page(), ACRE_READ, nullptr, &sealed) == ACRE_OK);
        STEP(2, acre_mmap_seal(&sealed) == ACRE_OK);
        STEP(3, acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map) == ACRE_OK);
        for (int round = 0; round < 2; round++) {
            fill(map);
            acre_range ranges[] = {
                {sealed.base, page()}, {map.base, page()}, {bytes(map, 2 * page()), page()}};
            size_t done = 7;
            STEP(4, acre_discard_many(ranges, 3, ACRE_DISCARD_NOW, &done) < 0 && done == 0);
            STEP(5, bytes(map)[0] == 1);
            STEP(6,
                 acre_discard_many(ranges + 1, 2, ACRE_DISCARD_NOW, &done) == ACRE_OK && done == 2);
            STEP(7, bytes(map)[0] == 0 && bytes(map)[page()] == 1 && bytes(map)[2 * page()] == 0);
        }
        return 0;
    }));
}

TEST(DiscardMany, of_several_maps_in_any_order_and_size)
{
    Map one, two;
    ASSERT_OK(acre_mmap_anon(16 * page(), ACRE_READ_WRITE, nullptr, &one));
    ASSERT_OK(acre_mmap_anon(16 * page(), ACRE_READ_WRITE, nullptr, &two));
    fill(one);
    fill(two);
    acre_range ranges[] = {{bytes(two, 8 * page()), 3 * page()},
                           {bytes(one), 5 * page()},
                           {bytes(two), page()},
                           {bytes(two), page()}};
    ASSERT_OK(acre_discard_many(ranges, 4, ACRE_DISCARD_NOW, nullptr));
    for (size_t i = 0; i < 16; i++) {
        EXPECT_EQ(i < 5 ? 0 : 1, bytes(one)[i * page()]) << i;
        EXPECT_EQ(i == 0 || (i >= 8 && i < 11) ? 0 : 1, bytes(two)[i * page()]) << i;
    }
}

TEST(DiscardMany, empty_ranges_count_and_do_nothing)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    fill(map);
    acre_range ranges[] = {
        {map.base, 0}, {bytes(map, page()), page()},     {nullptr, 0},
        {nullptr, 0},  {bytes(map, 3 * page()), page()}, {bytes(map, 5 * page()), 0}};
    size_t done = 0;
    ASSERT_OK(acre_discard_many(ranges, 6, ACRE_DISCARD_NOW, &done));
    EXPECT_EQ(6u, done);
    for (size_t i = 0; i < 8; i++)
        EXPECT_EQ(i != 1 && i != 3, bytes(map)[i * page()] != 0) << i;
    ASSERT_OK(acre_discard_many(ranges, 1, ACRE_DISCARD_NOW, &done));
    EXPECT_EQ(1u, done);
}

TEST(DiscardMany, a_locked_range_in_the_middle_is_emptied_and_stays_locked)
{
    size_t locked = status_bytes("VmLck");
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
    ASSERT_OK(acre_mmap_anon(2000 * page(), ACRE_READ_WRITE, &opts, &map));
    fill(map);
    for (size_t at : {size_t{0}, size_t{150}, size_t{500}, size_t{1998}})
        ASSERT_OK(acre_mmap_lock(&map, at * page(), page()));
    std::vector<acre_range> ranges = every_other(map);
    // One that begins unlocked and ends locked.
    ranges.push_back({bytes(map, 149 * page()), 2 * page()});
    for (uint32_t when : {ACRE_DISCARD_NOW, ACRE_DISCARD_LAZY}) {
        size_t done = 0;
        ASSERT_OK(acre_discard_many(ranges.data(), ranges.size(), when, &done));
        EXPECT_EQ(ranges.size(), done);
        for (size_t at : {size_t{0}, size_t{150}, size_t{500}, size_t{1998}})
            ASSERT_EQ(0, bytes(map)[at * page()]) << at;
        EXPECT_EQ(1, bytes(map)[page()]);
    }
    EXPECT_EQ(locked + 4 * page(), status_bytes("VmLck"));
}

TEST(DiscardMany, counts_up_to_the_first_range_that_is_not_there)
{
    for (size_t hole :
         {size_t{0}, size_t{1}, size_t{5}, size_t{127}, size_t{128}, size_t{300}, size_t{499}}) {
        Map map;
        acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
        ASSERT_OK(acre_mmap_anon(1000 * page(), ACRE_READ_WRITE, &opts, &map));
        fill(map);
        std::vector<acre_range> ranges = every_other(map);
        acre_mmap gone = {};
        ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &gone));
        ranges[hole].base = gone.base;
        ASSERT_OK(acre_mmap_unmap(&gone));
        size_t done = 12345;
        EXPECT_STATUS(-ENOMEM,
                      acre_discard_many(ranges.data(), ranges.size(), ACRE_DISCARD_NOW, &done));
        EXPECT_EQ(hole, done);
        for (size_t i = 0; i < 1000; i++)
            ASSERT_EQ(i % 2 == 0 && i / 2 < hole ? 0 : 1, bytes(map)[i * page()])
                << hole << " " << i;
    }
}

TEST(DiscardMany, lazily_keeps_the_pages_until_they_are_wanted)
{
    if (emulated())
        GTEST_SKIP() << "an emulator's accounting is not the kernel's";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
    ASSERT_OK(acre_mmap_anon(1024 * page(), ACRE_READ_WRITE, &opts, &map));
    fill(map);
    std::vector<acre_range> ranges = every_other(map);
    size_t done = 0;
    ASSERT_OK(acre_discard_many(ranges.data(), ranges.size(), ACRE_DISCARD_LAZY, &done));
    EXPECT_EQ(ranges.size(), done);
    // The kernel marks pages in batches, the last of which may be waiting.
    size_t lazy = smaps_bytes(map.base, "LazyFree");
    EXPECT_GE(lazy, 512 * page() / 2);
    EXPECT_LE(lazy, 512 * page());
}

TEST(DiscardMany, refuses_before_it_does_anything)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    fill(map);
    acre_range ranges[] = {{map.base, page()}, {bytes(map, 2 * page()), page() + 1}};
    size_t done = 9;
    expect_refused(ACRE_BAD_OFFSET, map,
                   [&] { return acre_discard_many(ranges, 2, ACRE_DISCARD_NOW, &done); });
    EXPECT_EQ(0u, done);
    ranges[1] = {bytes(map, 1), page()};
    expect_refused(ACRE_BAD_OFFSET, map,
                   [&] { return acre_discard_many(ranges, 2, ACRE_DISCARD_NOW, nullptr); });
    EXPECT_EQ(1, bytes(map)[0]);
}

}  // namespace
