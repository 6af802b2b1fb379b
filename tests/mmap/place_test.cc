// Where a map lies: wishes, fixed addresses, replacing, alignment.
#include "tests/mmap/maps.h"
#include "tests/support/sanitizers.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE(
    "Place.populated_pages_replace_too "
    "Place.populate_brings_the_pages");

TEST(Place, a_wish_is_taken_when_it_is_free)
{
    acre_mmap_opts opts = {};
    opts.address = free_address(16 * granule()) + 4 * granule();
    Map map;
    ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &map));
    EXPECT_EQ(opts.address, map.base);

    // And passed over when it is not.
    Map other;
    ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &other));
    EXPECT_NE(map.base, other.base);
}

TEST(Place, fixed_is_exact_and_destroys_nothing)
{
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED);
    opts.address = free_address(16 * granule()) + 4 * granule();
    Map map;
    ASSERT_OK(acre_mmap_anon(2 * granule(), ACRE_READ_WRITE, &opts, &map));
    EXPECT_EQ(opts.address, map.base);
    EXPECT_EQ(0u, map.flags);
    bytes(map, granule())[0] = 5;

    for (ptrdiff_t shift : {-1, 0, 1}) {
        acre_mmap_opts again = opts;
        again.address = bytes(map) + shift * static_cast<ptrdiff_t>(granule());
        acre_mmap untouched = {};
        expect_refused(-EEXIST, untouched, [&] {
            return acre_mmap_anon(2 * granule(), ACRE_READ_WRITE, &again, &untouched);
        });
        expect_refused(-EEXIST, untouched, [&] {
            return acre_mmap_reserve(2 * granule(), ACRE_READ_WRITE, &again, &untouched);
        });
    }
    EXPECT_EQ(5, bytes(map, granule())[0]);
}

TEST(Place, replace_takes_the_place_of_what_is_there)
{
    if (!acre_can(ACRE_CAN_REPLACE))
        GTEST_SKIP() << "nothing can be replaced here";
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    size_t areas = area_count();
    acre_mmap_opts opts = flags(ACRE_MAP_REPLACE);
    opts.address = bytes(map, granule());
    acre_mmap part = {};
    ASSERT_OK(acre_mmap_anon(2 * granule(), ACRE_READ_WRITE, &opts, &part));
    EXPECT_EQ(opts.address, part.base);
    EXPECT_EQ(0, bytes(part)[0]);
    EXPECT_EQ(1, bytes(map)[granule() - 1]);
    EXPECT_EQ(1, bytes(map)[3 * granule()]);
    EXPECT_LE(area_count(), areas + 2);
}

TEST(Place, populated_pages_replace_too)
{
    if (!acre_can(ACRE_CAN_REPLACE))
        GTEST_SKIP() << "nothing can be replaced here";
    Map map;
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    acre_mmap_opts opts = flags(ACRE_MAP_REPLACE | ACRE_MAP_POPULATE);
    opts.address = map.base;
    acre_mmap part = {};
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, &opts, &part));
    EXPECT_EQ(0, bytes(map)[0]);
    size_t resident = 0;
    ASSERT_OK(acre_mmap_resident(&part, 0, part.size, &resident));
    if (part.flags & ACRE_MAP_POPULATE) {
        EXPECT_EQ(part.size, resident);
    }
}

TEST(Place, alignment_up_to_a_gibibyte)
{
    if (TSAN)
        GTEST_SKIP() << "the sanitizer maps memory of its own beside each map";
    size_t largest = sizeof(void *) == 8 ? size_t{1} << 30 : size_t{1} << 26;
    for (size_t alignment = 1; alignment <= largest; alignment *= 2) {
        acre_mmap_opts opts = {};
        opts.alignment = alignment;
        size_t areas = area_count();
        acre_mmap map = {};
        ASSERT_OK(acre_mmap_anon(3 * page(), ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(map.base) & (alignment - 1));
        bytes(map)[3 * page() - 1] = 1;
        EXPECT_LE(area_count(), areas + (kOnWindows ? 2 : 1));  // there the rest of a granule
        ASSERT_OK(acre_mmap_unmap(&map));
        EXPECT_EQ(areas, area_count()) << alignment;

        ASSERT_OK(acre_mmap_reserve(3 * page(), ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(map.base) & (alignment - 1));
        ASSERT_OK(acre_mmap_unmap(&map));
    }
}

TEST(Place, an_alignment_beyond_the_address_space_is_out_of_memory)
{
    Map middle;
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED);
    opts.address = reinterpret_cast<void *>(SIZE_MAX / 2 + 1);
#if !TSAN  // which asks for address 0 instead
    // A 32-bit process may have one such address.
    acre_status status = acre_mmap_anon(page(), ACRE_NONE, &opts, &middle);
    EXPECT_TRUE(status == ACRE_OK || status == -EEXIST || status == -ENOMEM || status == -EINVAL)
        << status;
#endif
    opts = {};
    opts.alignment = SIZE_MAX / 2 + 1;
    acre_mmap untouched = {};
    expect_refused(-ENOMEM, untouched,
                   [&] { return acre_mmap_anon(page(), ACRE_READ, &opts, &untouched); });
}

TEST(Place, populate_brings_the_pages)
{
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_POPULATE);
    ASSERT_OK(acre_mmap_anon(16 * page(), ACRE_READ_WRITE, &opts, &map));
    if ((map.flags & ACRE_MAP_POPULATE) == 0)
        GTEST_SKIP() << "the wish was not granted: Linux before 5.14, or an emulator";
    size_t resident = 0;
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(map.size, resident);

    Map reserved;
    ASSERT_OK(acre_mmap_reserve(16 * page(), ACRE_READ_WRITE, &opts, &reserved));
    ASSERT_OK(acre_mmap_commit(&reserved, 4 * page(), 8 * page()));
    ASSERT_OK(acre_mmap_resident(&reserved, 0, reserved.size, &resident));
    EXPECT_EQ(8 * page(), resident);
}

}  // namespace
