// Each step of looking at a map, at areas, at the system and for room fails once.
#include "tests/mmap/failing_step.h"

#if defined(__GLIBC__)

#include <cstring>
#include <string>

#include "acre/area.h"
#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE("FailingStep.* HiddenRoom.is_gone_round_by_what_is_mapped_near");

TEST(FailingStep, of_looking_at_one_map)
{
    fail_each_step("resident", [](Call &call) {
        Map map;
        ASSERT_OK(anon_with(0)(&map));
        bytes(map)[0] = 7;
        size_t present = 99;
        acre_status status = call([&] { return acre_mmap_resident(&map, 0, map.size, &present); });
        EXPECT_EQ(status == ACRE_OK ? page() : 99, present);
    });
    fail_each_step("merge of files", [](Call &call) {
        File file(std::string(2 * page(), 'f'));
        Map map, tail;
        ASSERT_OK(acre_mmap_file(file.descriptor, 0, 2 * page(), ACRE_READ, nullptr, &map));
        ASSERT_OK(acre_mmap_split(&map, page(), &tail));
        acre_mmap first = map, second = tail;
        if (call([&] { return acre_mmap_merge(&map, &tail); }) != ACRE_OK) {
            EXPECT_TRUE(same(first, map) && same(second, tail));
        }
    });
}

void look_around()
{
    fail_each_step("area_at", [](Call &call) {
        acre_area area = {};
        area.inode = 99;
        if (call([&] { return acre_area_at(&steps, &area); }) != ACRE_OK) {
            EXPECT_EQ(99u, area.inode);
        } else {
            EXPECT_LE(area.start, reinterpret_cast<uintptr_t>(&steps));
        }
    });
    fail_each_step("area_count", [](Call &call) {
        uint64_t areas = 99;
        if (call([&] { return acre_area_count(&areas); }) != ACRE_OK) {
            EXPECT_EQ(99u, areas);
        }
    });
    fail_each_step("open", [](Call &call) {
        acre_areas view;
        std::memset(&view, 0xa5, sizeof view);
        acre_areas before = view;
        if (call([&] { return acre_areas_open(0, &view); }) != ACRE_OK) {
            EXPECT_EQ(0, std::memcmp(&before, &view, sizeof view));
        } else {
            acre_areas_close(&view);
        }
    });
    fail_each_step("next, seek, query", [](Call &call) {
        acre_areas view = {};
        acre_area area = {};
        ASSERT_OK(acre_areas_open(0, &view));
        acre_status status;
        do {
            acre_area untouched = area;
            status = call([&] { return acre_areas_next(&view, &area); });
            if (status < 0) {
                EXPECT_EQ(0, std::memcmp(&untouched, &area, sizeof area));
            }
        } while (status == 1);
        uintptr_t here = reinterpret_cast<uintptr_t>(&steps);
        if (call([&] { return acre_areas_seek(&view, here); }) == ACRE_OK &&
            call([&] { return acre_areas_next(&view, &area); }) == 1) {
            EXPECT_TRUE(area.start <= here && here < area.end);
        }
        if (call([&] { return acre_areas_query(&view, here, &area); }) == ACRE_OK) {
            EXPECT_TRUE(area.start <= here && here < area.end);
        }
        acre_areas_close(&view);
    });
}

TEST(FailingStep, of_looking_at_areas)
{
    look_around();
    acre_port_pretend_without(ACRE_CAN_QUERY_IN_CONSTANT_TIME);
    look_around();
    acre_port_pretend_nothing();
}

TEST(FailingStep, of_looking_at_the_system)
{
    fail_each_step("system_read", [](Call &call) {
        acre_system system = {};
        system.reserved[0] = 99;
        if (call([&] { return acre_system_read(&system); }) != ACRE_OK) {
            EXPECT_EQ(99u, system.reserved[0]);
        }
    });
}

// A map near the middle of free addresses of which some are hidden on both sides of it.
acre_status map_near_hidden(size_t bytes_hidden, acre_mmap *out, uintptr_t *middle)
{
    const size_t reach = 32 << 20;
    acre_mmap room = {};
    EXPECT_OK(acre_mmap_reserve(2 * reach, ACRE_READ_WRITE, nullptr, &room));
    acre_mmap_opts opts = {};
    opts.near_address = bytes(room, reach);
    opts.reach = reach;
    *middle = reinterpret_cast<uintptr_t>(opts.near_address);
    EXPECT_OK(acre_mmap_unmap(&room));
    hidden = {*middle - bytes_hidden, *middle + bytes_hidden};
    acre_status status = acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, out);
    hidden = {};
    return status;
}

TEST(HiddenRoom, is_gone_round_by_what_is_mapped_near)
{
    const size_t some = 1 << 20;
    uintptr_t middle = 0;
    Map map;
    ASSERT_OK(map_near_hidden(some, &map, &middle));
    uintptr_t base = reinterpret_cast<uintptr_t>(map.base);
    EXPECT_TRUE(base + page() <= middle - some || base >= middle + some);
    EXPECT_LE(base < middle ? middle - base : base - middle, 8 * some);
}

TEST(HiddenRoom, all_within_reach_is_refused)
{
    uintptr_t middle = 0;
    acre_mmap untouched = {};
    EXPECT_STATUS(-ENOMEM, map_near_hidden(64 << 20, &untouched, &middle));
    EXPECT_TRUE(same(untouched, acre_mmap{}));
}

}  // namespace

#else

#include <gtest/gtest.h>

TEST(FailingStep, of_looking_is_led_here_by_the_names_of_glibc)
{
    GTEST_SKIP() << "the calls of this C library have other names";
}

#endif
