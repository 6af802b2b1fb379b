// Contents: discarding, counting what is resident, files.

#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_HIDDEN_PAGES("ResidentPages.guards_are_not");
SKIP_WITHOUT_ADVICE(
    "Discard.shared_memory_is_emptied_for_all "
    "Discard.lazily_keeps_pages_until_they_are_wanted "
    "FileMap.populate_reads_private_pages_without_copying_them");

TEST(Discard, private_memory_reads_zero_and_returns_its_pages)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_discard(&map, page(), 4 * page(), ACRE_DISCARD_NOW));
    size_t resident = 0;
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(4 * page(), resident);
    EXPECT_EQ(0, bytes(map)[page()]);
    EXPECT_EQ(0, bytes(map)[5 * page() - 1]);
    EXPECT_EQ(1, bytes(map)[page() - 1]);
    EXPECT_EQ(1, bytes(map)[5 * page()]);
}

TEST(Discard, lazily_keeps_pages_until_they_are_wanted)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(512 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_LAZY));
    EXPECT_TRUE(bytes(map)[0] == 1 || bytes(map)[0] == 0);
    if (!emulated()) {
        // The kernel marks pages in batches, the last of which may be waiting.
        EXPECT_GE(smaps_bytes(map.base, "LazyFree"), map.size / 2);
    }
    bytes(map)[0] = 2;
    EXPECT_EQ(2, bytes(map)[0]);
}

TEST(Discard, private_file_pages_go_back_to_the_file)
{
    File file(std::string(2 * page(), 'f'));
    Map map;
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 2 * page(), ACRE_READ_WRITE, nullptr, &map));
    for (uint32_t when : {ACRE_DISCARD_NOW, ACRE_DISCARD_LAZY}) {
        std::memset(map.base, 'w', map.size);
        ASSERT_OK(acre_mmap_discard(&map, 0, page(), when));
        EXPECT_EQ('f', bytes(map)[0]);
        EXPECT_EQ('w', bytes(map)[page()]);
    }
    EXPECT_EQ(std::string(2 * page(), 'f'), file.content());
}

TEST(Discard, shared_memory_is_emptied_for_all)
{
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
    bytes(map)[0] = 1;
    Ended ended = in_child(
        [&] { return acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_NOW) == ACRE_OK ? 0 : 1; });
    EXPECT_EQ(0, ended.code);
    EXPECT_EQ(0, bytes(map)[0]);
}

TEST(Discard, never_punches_a_hole_into_a_shared_file)
{
    File file(std::string(page(), 'f'));
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ_WRITE, &opts, &map));
    for (uint32_t when : {ACRE_DISCARD_NOW, ACRE_DISCARD_LAZY}) {
        expect_refused(ACRE_BAD_STATE, map,
                       [&] { return acre_mmap_discard(&map, 0, page(), when); });
        expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_discard(&map, 0, 0, when); });
    }
    EXPECT_EQ('f', bytes(map)[0]);
    EXPECT_EQ(std::string(page(), 'f'), file.content());
}

// ---- residency ----------------------------------------------------------------------------------

class Resident : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override
    {
        if (!GetParam())
            acre_port_pretend_without(ACRE_CAN_COUNT_RESIDENT_EXACTLY);
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
};

INSTANTIATE_TEST_SUITE_P(, Resident, testing::Bool(), [](const auto &parameter) {
    return parameter.param ? "by_page_tables" : "by_mincore";
});

TEST_P(Resident, counts_whole_pages_that_hold_the_bytes)
{
    // More pages, and more runs of pages, than any buffer inside holds.
    size_t pages = 3000;
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
    ASSERT_OK(acre_mmap_anon(pages * page(), ACRE_READ_WRITE, &opts, &map));
    size_t touched = 0;
    for (size_t i = 0; i < pages; i += i % 3 + 1, touched++)
        bytes(map, i * page())[i % page()] = 1;

    size_t resident = 0;
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(touched * page(), resident);
    ASSERT_OK(acre_mmap_resident(&map, 1, 1, &resident));
    EXPECT_EQ(page(), resident);
    ASSERT_OK(acre_mmap_resident(&map, page() - 1, 2, &resident));
    EXPECT_EQ(2 * page(), resident);
    ASSERT_OK(acre_mmap_resident(&map, 2 * page(), page(), &resident));
    EXPECT_EQ(0u, resident);
    ASSERT_OK(acre_mmap_resident(&map, 5, 0, &resident));
    EXPECT_EQ(0u, resident);
}

TEST(ResidentPages, of_a_file_is_this_process_not_the_page_cache)
{
    if (!acre_can(ACRE_CAN_COUNT_RESIDENT_EXACTLY))
        GTEST_SKIP() << "/proc/self/pagemap cannot be read";
    File file(std::string(4 * page(), 'f'));
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ, nullptr, &map));
    size_t resident = 1;
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(0u, resident);
}

TEST(ResidentPages, guards_are_not)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_guard(&map, 0, page()));
    size_t resident = 0;
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(3 * page(), resident);
}

TEST_P(Resident, the_lowest_touched_page_is_found)
{
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
    ASSERT_OK(acre_mmap_anon(1000 * page(), ACRE_READ_WRITE, &opts, &map));
    const void *lowest = nullptr;
    ASSERT_OK(acre_port_lowest_touched(map.base, map.size, &lowest));
    EXPECT_EQ(bytes(map, map.size), lowest);
    for (size_t at : {size_t{999}, size_t{700}, size_t{3}, size_t{500}}) {
        bytes(map, at * page())[0] = 1;
        ASSERT_OK(acre_port_lowest_touched(map.base, map.size, &lowest));
        EXPECT_EQ(bytes(map, (at == 500 ? 3 : at) * page()), lowest);
    }
}

// ---- files --------------------------------------------------------------------------------------

TEST(PopulatePages, of_another_access_than_the_maps_come)
{
    if (!acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS))
        GTEST_SKIP() << "no area of its own can be made here";
    acre_mmap_opts opts = flags(ACRE_MAP_NO_DUMP);  // no neighbour joins it
    Map map;
    ASSERT_OK(acre_mmap_reserve(64 * page(), ACRE_NONE, &opts, &map));
    ASSERT_OK(acre_mmap_commit_as(&map, 0, map.size, ACRE_READ_WRITE));
    acre_status status = acre_mmap_populate(&map, 0, map.size);
    if (acre_status_unsupported(status))
        GTEST_SKIP() << "this system cannot populate";
    ASSERT_OK(status);
    // Pages of their own, not the one page of zeros.
    EXPECT_EQ(map.size, smaps_bytes(map.base, "Anonymous"));
}

TEST(FileMap, shows_the_files_bytes_and_zeros_behind_them)
{
    std::string text(granule() + 10, 'a');
    text[granule()] = 'b';
    File file(text);
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, text.size(), ACRE_READ, nullptr, &map));
    EXPECT_EQ(granule() + page(), map.size);
    EXPECT_EQ(0, std::memcmp(map.base, text.data(), text.size()));
    for (size_t i = text.size(); i < map.size; i++)
        ASSERT_EQ(0, bytes(map)[i]);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_IS_FILE), map.flags);

    Map second;
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), granule(), 1, ACRE_READ, nullptr, &second));
    EXPECT_EQ('b', bytes(second)[0]);
    EXPECT_EQ(granule(), second.offset);
}

TEST(FileMap, beyond_the_end_of_the_file_raises_sigbus)
{
    File file("x");
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 3 * page(), ACRE_READ, nullptr, &map));
    EXPECT_EQ(0, signal_of_read(bytes(map, page() - 1)));
    EXPECT_EQ(kBeyondFile, signal_of_read(bytes(map, page())));
}

TEST(FileMap, shared_writes_reach_the_file_and_private_ones_do_not)
{
    File file(std::string(page(), 'a'));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map shared, reader, copy;
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ_WRITE, &opts, &shared));
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ, &opts, &reader));
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ_WRITE, nullptr, &copy));
    EXPECT_EQ("rw-s", permissions(shared.base));
    EXPECT_EQ("rw-p", permissions(copy.base));
    bytes(copy)[0] = 'p';
    bytes(shared)[1] = 's';
    EXPECT_EQ('a', bytes(reader)[0]);
    EXPECT_EQ('s', bytes(reader)[1]);
    EXPECT_EQ('s', file.content()[1]);
    EXPECT_EQ('a', file.content()[0]);
}

TEST(FileMap, populate_reads_private_pages_without_copying_them)
{
    File file(std::string(8 * page(), 'a'));
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_POPULATE);
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 8 * page(), ACRE_READ_WRITE, &opts, &map));
    if ((map.flags & ACRE_MAP_POPULATE) == 0)
        GTEST_SKIP() << "the wish was not granted: Linux before 5.14, or an emulator";
    size_t resident = 0;
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(map.size, resident);
    EXPECT_EQ(0u, smaps_bytes(map.base, "Anonymous"));
}

TEST(FileMap, descriptors_that_do_not_permit_it_are_refused)
{
    File file(std::string(page(), 'a'));
    acre_mmap untouched = {};
    auto map_file = [&](int descriptor, uint32_t access, uint32_t flag) {
        acre_mmap_opts opts = flags(flag);
        return acre_mmap_file(handle_of(descriptor), 0, page(), access, &opts, &untouched);
    };
    int reader = open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    int writer = open(file.path.c_str(), O_WRONLY | O_CLOEXEC);
    int folder = open(kOnWindows ? "NUL" : "/", O_RDONLY | O_CLOEXEC);
    expect_refused(-EACCES, untouched,
                   [&] { return map_file(reader, ACRE_WRITE, ACRE_MAP_SHARED); });
    expect_refused(-EACCES, untouched, [&] { return map_file(writer, ACRE_READ, 0); });
    expect_refused(-ENODEV, untouched, [&] { return map_file(folder, ACRE_READ, 0); });
    expect_refused(-EBADF, untouched, [&] { return map_file(-1, ACRE_READ, 0); });
    if (sizeof(acre_file) > sizeof(int) && !kOnWindows) {
        acre_file wide =
            static_cast<acre_file>((uint64_t{1} << 32) + static_cast<unsigned>(reader));
        expect_refused(-EBADF, untouched, [&] {
            return acre_mmap_file(wide, 0, page(), ACRE_READ, nullptr, &untouched);
        });
    }
    Map copy;
    EXPECT_OK(acre_mmap_file(handle_of(reader), 0, page(), ACRE_READ_WRITE, nullptr, &copy));
    close(reader);
    close(writer);
    close(folder);
}

TEST(Path, maps_the_whole_file_and_leaves_no_descriptor)
{
    File file(std::string(page() + 3, 'a'));
    uint64_t size = 0;
    int before = free_descriptor();
    Map map;
    ASSERT_OK(acre_mmap_path(file.path.c_str(), ACRE_READ, nullptr, &map, &size));
    EXPECT_EQ(page() + 3, size);
    EXPECT_EQ(2 * page(), map.size);
    EXPECT_EQ('a', bytes(map)[page() + 2]);
    Map shared;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_path(file.path.c_str(), ACRE_READ_WRITE, &opts, &shared, nullptr));
    bytes(shared)[0] = 'z';
    EXPECT_EQ('z', bytes(map)[0]);
    EXPECT_EQ(before, free_descriptor());
}

}  // namespace
