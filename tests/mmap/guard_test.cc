// Guards: kernel markers where there are, protected pages elsewhere; both fault, and unguard gives
// fresh pages.
#include "acre/area.h"
#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_HIDDEN_PAGES("Guard.on_reserved_pages_unguard_commits");
SKIP_WITHOUT_ADVICE("Guard.of_shared_memory_empties_it_for_all");

// Each test runs with both kinds.
class Guard : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override
    {
        if (!GetParam())
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        else if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
            GTEST_SKIP() << "this kernel has no guard markers (Linux 6.13)";
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
    static uint32_t kind()
    {
        return GetParam() ? ACRE_HAS_MARKER_GUARDS : ACRE_HAS_PAGE_GUARDS;
    }
};

INSTANTIATE_TEST_SUITE_P(, Guard, testing::Bool(), [](const auto &parameter) {
    return parameter.param ? "markers" : "pages";
});

TEST_P(Guard, faults_inside_and_not_beside)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(5 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    size_t areas = area_count();
    ASSERT_OK(acre_mmap_guard(&map, 2 * page(), 2 * page()));
    EXPECT_EQ(kind(), map.flags);
    if (GetParam()) {
        EXPECT_EQ(areas, area_count());
    }
    EXPECT_EQ(SIGSEGV, signal_of_read(bytes(map, 2 * page())));
    EXPECT_EQ(SIGSEGV, signal_of_write(bytes(map, 4 * page() - 1)));
    EXPECT_FALSE(readable(bytes(map, 3 * page())));
    EXPECT_EQ(1, bytes(map)[2 * page() - 1]);
    EXPECT_EQ(1, bytes(map)[4 * page()]);
}

TEST_P(Guard, unguarded_pages_are_fresh_and_accessible)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_guard(&map, page(), 2 * page()));
    ASSERT_OK(acre_mmap_unguard(&map, page(), 2 * page()));
    EXPECT_EQ(0, bytes(map)[page()]);
    EXPECT_EQ(0, bytes(map)[3 * page() - 1]);
    EXPECT_EQ(1, bytes(map)[page() - 1]);
    EXPECT_EQ("rw-p", permissions(bytes(map, page())));
    bytes(map)[page()] = 3;
}

TEST_P(Guard, on_reserved_pages_unguard_commits)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_guard(&map, 0, page()));
    EXPECT_EQ(SIGSEGV, signal_of_read(map.base));
    ASSERT_OK(acre_mmap_unguard(&map, 0, page()));
    bytes(map)[0] = 1;
    EXPECT_TRUE(has_vm_flag(map.base, "ac"));
    EXPECT_EQ(SIGSEGV, signal_of_read(bytes(map, page())));
}

TEST_P(Guard, of_a_private_file_gives_back_the_files_bytes)
{
    File file(std::string(2 * page(), 'f'));
    Map map;
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 2 * page(), ACRE_READ_WRITE, nullptr, &map));
    bytes(map)[0] = 'w';
    ASSERT_OK(acre_mmap_guard(&map, 0, page()));
    EXPECT_EQ(SIGSEGV, signal_of_read(map.base));
    ASSERT_OK(acre_mmap_unguard(&map, 0, page()));
    EXPECT_EQ('f', bytes(map)[0]);
}

TEST_P(Guard, of_shared_memory_empties_it_for_all)
{
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, &opts, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_guard(&map, 0, page()));
    EXPECT_EQ(SIGSEGV, signal_of_read(map.base));
    ASSERT_OK(acre_mmap_unguard(&map, 0, page()));
    EXPECT_EQ(0, bytes(map)[0]);
    EXPECT_EQ(1, bytes(map)[page()]);
}

TEST_P(Guard, stands_in_the_child_of_a_fork)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_guard(&map, 0, page()));
    Ended ended = in_child([&] { return readable(map.base) ? 1 : 0; });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
}

TEST_P(Guard, is_refused_where_a_fork_would_lose_it)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "no wiping on fork here";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_WIPE_ON_FORK);
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, &opts, &map));
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_guard(&map, 0, page()); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_unguard(&map, 0, page()); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_guard(&map, 0, 0); });
}

// A sealed page ends the call in its middle.
TEST(GuardMarkers, stand_when_a_later_guard_is_refused)
{
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS) || !acre_can(ACRE_CAN_SEAL))
        GTEST_SKIP() << "this kernel has no guard markers or no seals";
    expect_success(in_child([] {
        acre_mmap map = {};
        STEP(1, acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map) == ACRE_OK);
        STEP(2, acre_mmap_guard(&map, 0, page()) == ACRE_OK);
        acre_mmap front = map, part = {}, rest = {};  // of the same pages
        STEP(3, acre_mmap_split(&front, 6 * page(), &part) == ACRE_OK &&
                    acre_mmap_split(&part, page(), &rest) == ACRE_OK);
        STEP(4, acre_mmap_protect(&part, 0, page(), ACRE_READ) == ACRE_OK &&
                    acre_mmap_seal(&part) == ACRE_OK);
        acre_mmap before = map;
        STEP(5, acre_mmap_guard(&map, 0, map.size) < 0);
        STEP(6, std::memcmp(&before, &map, sizeof map) == 0);
        STEP(7, !readable(bytes(map, 0)));
        STEP(8, readable(bytes(map, 7 * page())));
        return 0;
    }));
}

// A locked page lets all become protected pages.
TEST(GuardMarkers, go_where_protected_pages_take_their_place)
{
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        GTEST_SKIP() << "this kernel has no guard markers";
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_guard(&map, 0, page()));
    ASSERT_OK(acre_mmap_lock(&map, 6 * page(), page()));
    ASSERT_OK(acre_mmap_guard(&map, 0, map.size));
    EXPECT_FALSE(readable(bytes(map, 0)));
    ASSERT_OK(acre_mmap_protect(&map, 0, map.size, ACRE_READ_WRITE));
    EXPECT_TRUE(readable(bytes(map, 0)));
}

TEST(GuardMarkers, cost_no_area_however_many)
{
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        GTEST_SKIP() << "this kernel has no guard markers (Linux 6.13)";
    Map map;
    ASSERT_OK(acre_mmap_anon(2000 * page(), ACRE_READ_WRITE, nullptr, &map));
    // Nothing may allocate between the two counts: a sanitizer would map memory of its own.
    uint64_t areas = 0, after = 0;
    int refused = 0;
    ASSERT_OK(acre_area_count(&areas));
    for (size_t i = 0; i < 2000; i += 2)
        refused += acre_mmap_guard(&map, i * page(), page()) != ACRE_OK;
    ASSERT_OK(acre_area_count(&after));
    EXPECT_EQ(0, refused);
    EXPECT_EQ(areas, after);
}

}  // namespace
