// At the limit of memory areas: what fails says which limit, and what needs no area still works.
#include "tests/mmap/maps.h"

#include "acre/area.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_EMULATED("an emulator needs areas of its own",
              "AreaLimit.is_told_by_calls_that_need_an_area "
              "AreaLimit.unmapping_in_the_middle_fails_and_can_be_repeated");

// Fills the process with areas up to the limit; how it went is the child's exit status.
struct Crowd {
    acre_mmap map = {};
    size_t pages = 0;

    bool fill()
    {
        acre_system system;
        if (acre_system_read(&system) != ACRE_OK || system.area_limit == 0 ||
            system.area_limit > 200000)
            return false;
        pages = static_cast<size_t>(system.area_limit) + 64;
        if (acre_mmap_anon(pages * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK)
            return false;
        size_t i = 1;
        while (i < pages && acre_mmap_protect(&map, i * page(), page(), ACRE_READ) == ACRE_OK)
            i += 2;
        // A cut needs two areas; the last is taken by maps that join no neighbour.
        acre_mmap last;
        int taken = 0;
        while (acre_mmap_anon(page(), taken % 2 ? ACRE_READ : ACRE_READ_EXEC, nullptr, &last) ==
                   ACRE_OK &&
               taken < 8)
            taken++;
        return i < pages && taken < 8;
    }
    // A page in the middle of an area of two or more, behind the crowd.
    size_t free_page() const
    {
        return pages - 10;
    }
};

// Answers 0, or the number of the first thing that was not as it should be.
template <class Body>
void at_the_limit(Body body)
{
    Ended ended = in_child([&] {
        Crowd crowd;
        return crowd.fill() ? body(crowd) : 77;
    });
    ASSERT_TRUE(ended.exited) << "signal " << ended.code;
    if (ended.code == 77)
        GTEST_SKIP() << "the limit of areas is out of reach here";
    EXPECT_EQ(0, ended.code);
}

TEST(AreaLimit, is_told_by_calls_that_need_an_area)
{
    at_the_limit([](Crowd &crowd) {
        acre_mmap other = {};
        acre_mmap before = crowd.map;
        size_t at = crowd.free_page() * page();
        if (acre_mmap_reserve(page(), ACRE_READ, nullptr, &other) != ACRE_TOO_MANY_AREAS)
            return 1;
        if (acre_mmap_protect(&crowd.map, at, page(), ACRE_READ) != ACRE_TOO_MANY_AREAS)
            return 2;
        if (acre_mmap_decommit(&crowd.map, at, page()) != ACRE_TOO_MANY_AREAS)
            return 3;
        acre_areas view = {};
        if (acre_areas_open(0, &view) != -ENOMEM)
            return 4;
        acre_mmap part = {};
        if (acre_can(ACRE_CAN_SEAL) && (acre_mmap_adopt(bytes(crowd.map, at), page(), 0,
                                                        ACRE_READ_WRITE, 0, &part) != ACRE_OK ||
                                        acre_mmap_seal(&part) != ACRE_TOO_MANY_AREAS))
            return 6;
        return same(before, crowd.map) && other.base == nullptr ? 0 : 5;
    });
}

TEST(AreaLimit, unmapping_in_the_middle_fails_and_can_be_repeated)
{
    if (TSAN)
        GTEST_SKIP() << "the sanitizer maps memory of its own beside each map";
    at_the_limit([](Crowd &crowd) {
        acre_mmap middle = {}, tail = {};
        if (acre_mmap_split(&crowd.map, crowd.free_page() * page(), &middle) != ACRE_OK ||
            acre_mmap_split(&middle, page(), &tail) != ACRE_OK)
            return 1;
        acre_mmap before = middle;
        bytes(middle)[0] = 3;
        if (acre_mmap_unmap(&middle) != ACRE_TOO_MANY_AREAS || !same(before, middle) ||
            bytes(middle)[0] != 3)
            return 2;
        if (acre_mmap_unmap(&tail) != ACRE_OK)  // an edge goes
            return 3;
        return acre_mmap_unmap(&middle) == ACRE_OK ? 0 : 4;
    });
}

TEST(AreaLimit, guards_discards_and_queries_still_work)
{
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        GTEST_SKIP() << "this kernel has no guard markers (Linux 6.13)";
    at_the_limit([](Crowd &crowd) {
        size_t at = crowd.free_page() * page();
        if (acre_mmap_guard(&crowd.map, at, page()) != ACRE_OK || readable(bytes(crowd.map, at)))
            return 1;
        if (acre_mmap_unguard(&crowd.map, at, page()) != ACRE_OK)
            return 2;
        bytes(crowd.map, at)[0] = 1;
        if (acre_mmap_discard(&crowd.map, at, page(), ACRE_DISCARD_NOW) != ACRE_OK ||
            bytes(crowd.map, at)[0] != 0)
            return 3;
        acre_area area;
        if (acre_area_at(bytes(crowd.map, at), &area) != ACRE_OK)
            return 4;
        uint64_t count;
        return acre_area_count(&count) == ACRE_OK && count > crowd.pages / 2 ? 0 : 5;
    });
}

TEST(AreaLimit, is_not_blamed_for_other_shortages)
{
    HalfTaken taken;
    acre_mmap untouched = {};
    EXPECT_STATUS(-ENOMEM,
                  acre_mmap_reserve(SIZE_MAX / 2 - page(), ACRE_READ, nullptr, &untouched));
}

}  // namespace
