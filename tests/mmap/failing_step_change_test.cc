// Each step of changing a map fails once.
#include "tests/mmap/failing_step.h"

#if defined(__GLIBC__)

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "acre/image.h"
#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE("FailingStep.*");

using Change = std::function<acre_status(acre_mmap *)>;

// Of a map that `make` makes: when the change fails the handle is as before, and where `keeps` so
// are the contents.
enum { KEEPS, MAY_LOSE };
void change(const std::string &name, const std::function<acre_status(acre_mmap *)> &make, int keeps,
            const Change &what)
{
    fail_each_step(name, [&](Call &call) {
        acre_mmap map = {};
        ASSERT_OK(make(&map));
        acre_mmap before = map;
        std::string access = permissions(map.base);
        bool filled = access[1] == 'w';
        if (filled)
            std::memset(map.base, 7, page());
        if (call([&] { return what(&map); }) < 0) {
            // What was found out about guards may be noted, and what may have been done to a part.
            EXPECT_EQ(before.base, map.base);
            EXPECT_EQ(before.size, map.size);
            EXPECT_EQ(before.access, map.access);
            EXPECT_EQ(before.flags, map.flags);
            EXPECT_EQ(access, permissions(map.base));
            if (filled && keeps == KEEPS) {
                EXPECT_EQ(7, bytes(map)[page() - 1]);
            }
        }
        EXPECT_OK(acre_mmap_unmap(&map));
    });
}
std::function<acre_status(acre_mmap *)> reserve_with(uint32_t choice)
{
    return [choice](acre_mmap *out) {
        acre_mmap_opts opts = flags(choice);
        return acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, &opts, out);
    };
}

const uint32_t kept[] = {0,
                         ACRE_MAP_NO_DUMP,
                         ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_NO_HUGE,
                         ACRE_MAP_LOCKED,
                         ACRE_MAP_LOCK_ON_FAULT | ACRE_MAP_WIPE_ON_FORK,
                         ACRE_MAP_POPULATE | ACRE_MAP_NO_DUMP,
                         ACRE_MAP_HUGE_TRANSPARENT};

TEST(FailingStep, of_a_commit)
{
    for (uint32_t choice : kept) {
        change("commit", reserve_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_commit(map, 0, map->size); });
        change("commit_as", reserve_with(choice), KEEPS, [](acre_mmap *map) {
            return acre_mmap_commit_as(map, 0, 2 * page(), ACRE_READ_EXEC);
        });
        change("protect", reserve_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_protect(map, 0, map->size, ACRE_READ); });
        change("protect", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_protect(map, 0, map->size, ACRE_READ); });
    }
}

TEST(FailingStep, of_a_commit_over_areas)
{
    // Reserved pages that advice has made areas of are committed together or not at all.
    fail_each_step("commit", [](Call &call) {
        acre_mmap map = {};
        ASSERT_OK(reserve_with(ACRE_MAP_LOCKED)(&map));
        ASSERT_OK(acre_mmap_advise(&map, page(), page(), ACRE_ADVISE_NO_DUMP));
        if (call([&] { return acre_mmap_commit(&map, 0, map.size); }) != ACRE_OK) {
            for (size_t i = 0; i < 4; i++)
                EXPECT_EQ("---p", permissions(bytes(map, i * page())));
        }
        EXPECT_OK(acre_mmap_unmap(&map));
    });
}

TEST(FailingStep, of_a_decommit)
{
    for (uint32_t choice : kept) {
        change("decommit", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_decommit(map, 0, map->size); });
        change("decommit of a part", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_decommit(map, 0, 2 * page()); });
    }
}

// A kernel that refuses a map for a moment must not make droppable memory plain: the child of a
// fork would see it.
TEST(FailingStep, of_droppable_maps_leaves_them_droppable)
{
    acre_mmap_opts opts = flags(ACRE_MAP_DROPPABLE);
    acre_mmap tried = {};
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &tried));
    bool granted = (tried.flags & ACRE_MAP_DROPPABLE) != 0;
    ASSERT_OK(acre_mmap_unmap(&tried));
    if (!granted)
        GTEST_SKIP() << "this kernel has no droppable memory (Linux 6.11)";
    const Change changes[] = {
        [](acre_mmap *map) { return acre_mmap_decommit(map, 0, page()); },
        [](acre_mmap *map) { return acre_mmap_resize(map, 6 * page(), ACRE_RESIZE_IN_PLACE); },
        [](acre_mmap *map) { return acre_mmap_resize(map, 9 * page(), ACRE_RESIZE_MAY_MOVE); },
    };
    for (const Change &what : changes) {
        fail_each_step("change", [&](Call &call) {
            acre_mmap map = {};
            ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
            if ((map.flags & ACRE_MAP_DROPPABLE) != 0)
                (void)call([&] { return what(&map); });
            for (size_t at = 0; at < map.size; at += page())
                EXPECT_TRUE(has_vm_flag(bytes(map, at), "dp")) << at;
            EXPECT_OK(acre_mmap_unmap(&map));
        });
    }
}

TEST(FailingStep, of_resizing)
{
    for (uint32_t choice : kept) {
        for (size_t pages : {size_t{2}, size_t{9}}) {
            change("resize", anon_with(choice), KEEPS, [=](acre_mmap *map) {
                return acre_mmap_resize(map, pages * page(), ACRE_RESIZE_IN_PLACE);
            });
            change("resize", anon_with(choice), KEEPS, [=](acre_mmap *map) {
                return acre_mmap_resize(map, pages * page(), ACRE_RESIZE_MAY_MOVE);
            });
            change("resize", reserve_with(choice), KEEPS, [=](acre_mmap *map) {
                return acre_mmap_resize(map, pages * page(), ACRE_RESIZE_MAY_MOVE);
            });
        }
        change("resize to huge pages", anon_with(choice), KEEPS, [=](acre_mmap *map) {
            return acre_mmap_resize(map, 4 << 20, ACRE_RESIZE_MAY_MOVE);
        });
    }
    File file(std::string(9 * page(), 'f'));
    for (uint32_t choice : {0u, uint32_t{ACRE_MAP_SHARED}}) {
        for (size_t pages : {size_t{2}, size_t{9}}) {
            auto make = [&](acre_mmap *map) {
                acre_mmap_opts opts = flags(choice | ACRE_MAP_NO_DUMP);
                return acre_mmap_file(file.descriptor, 0, 4 * page(), ACRE_READ_WRITE, &opts, map);
            };
            change("resize a file", make, KEEPS, [=](acre_mmap *map) {
                return acre_mmap_resize(map, pages * page(), ACRE_RESIZE_MAY_MOVE);
            });
        }
    }
}

TEST(FailingStep, of_guarding)
{
    const uint32_t choices[] = {0, ACRE_MAP_NO_DUMP, ACRE_MAP_LOCKED, ACRE_MAP_SHARED};
    for (int markers : {1, 0}) {
        if (!markers)
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        for (uint32_t choice : choices) {
            change("guard", anon_with(choice), MAY_LOSE,
                   [](acre_mmap *map) { return acre_mmap_guard(map, 0, page()); });
            fail_each_step("unguard", [&](Call &call) {
                acre_mmap map = {};
                ASSERT_OK(anon_with(choice)(&map));
                ASSERT_OK(acre_mmap_guard(&map, 0, page()));
                if (call([&] { return acre_mmap_unguard(&map, 0, page()); }) != ACRE_OK) {
                    EXPECT_FALSE(readable(map.base));
                } else {
                    EXPECT_EQ(0, bytes(map)[0]);
                }
                EXPECT_OK(acre_mmap_unmap(&map));
            });
        }
    }
    acre_port_pretend_nothing();
}

TEST(FailingStep, of_contents_and_residency)
{
    const uint32_t choices[] = {0, ACRE_MAP_LOCKED, ACRE_MAP_SHARED,
                                ACRE_MAP_SHARED | ACRE_MAP_LOCKED};
    for (uint32_t choice : choices) {
        for (uint32_t when : {ACRE_DISCARD_NOW, ACRE_DISCARD_LAZY}) {
            change("discard", anon_with(choice), MAY_LOSE,
                   [=](acre_mmap *map) { return acre_mmap_discard(map, 0, map->size, when); });
        }
        change("populate", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_populate(map, 0, map->size); });
        // A lock that fails leaves the range unlocked, also where it was locked before.
        if ((choice & ACRE_MAP_LOCKED) == 0) {
            change("lock", anon_with(choice), KEEPS,
                   [](acre_mmap *map) { return acre_mmap_lock(map, 0, map->size); });
            change("lock on fault", anon_with(choice), KEEPS,
                   [](acre_mmap *map) { return acre_mmap_lock_on_fault(map, 1, page()); });
        }
        change("unlock", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_unlock(map, 0, map->size); });
        for (acre_advice advice : {ACRE_ADVISE_NO_DUMP, ACRE_ADVISE_DONT_FORK, ACRE_ADVISE_RANDOM,
                                   ACRE_ADVISE_COLLAPSE}) {
            change("advise", anon_with(choice), KEEPS,
                   [=](acre_mmap *map) { return acre_mmap_advise(map, 0, map->size, advice); });
        }
    }
    File file(std::string(4 * page(), 'f'));
    change(
        "flush",
        [&](acre_mmap *map) {
            acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
            return acre_mmap_file(file.descriptor, 0, 4 * page(), ACRE_READ_WRITE, &opts, map);
        },
        KEEPS, [](acre_mmap *map) { return acre_mmap_flush(map, 0, map->size, ACRE_FLUSH_WAIT); });
}

TEST(FailingStep, of_discarding_many)
{
    fail_each_step("discard_many", [](Call &call) {
        acre_mmap map = {};
        ASSERT_OK(acre_mmap_anon(300 * page(), ACRE_READ_WRITE, nullptr, &map));
        std::memset(map.base, 7, map.size);
        std::vector<acre_range> ranges;
        for (size_t i = 0; i < 150; i++)
            ranges.push_back({bytes(map, 2 * i * page()), page()});
        size_t done = 999;
        acre_status status =
            call([&] { return acre_discard_many(ranges.data(), 150, ACRE_DISCARD_NOW, &done); });
        EXPECT_EQ(status == ACRE_OK, done == 150) << done;
        for (size_t i = 0; i < done && i < 150; i++)
            ASSERT_EQ(0, *static_cast<char *>(ranges[i].base)) << i;
        for (size_t i = 0; i < 150; i++)
            ASSERT_EQ(7, bytes(map)[(2 * i + 1) * page()]) << i;
        EXPECT_OK(acre_mmap_unmap(&map));
    });
}

}  // namespace

#else

#include <gtest/gtest.h>

TEST(FailingStep, of_changing_is_led_here_by_the_names_of_glibc)
{
    GTEST_SKIP() << "the calls of this C library have other names";
}

#endif
