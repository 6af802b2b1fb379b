// Flushing and populating: any byte range, on every kind of map.

#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_WITHOUT_ADVICE("Populate.*");

// Bytes of the file's pages that are waiting to be written, as the area tells.
size_t dirty(const acre_mmap &map)
{
    return smaps_bytes(map.base, "Shared_Dirty") + smaps_bytes(map.base, "Private_Dirty");
}

// Whether the file system lives in memory: the pages of its files are never written, and stay
// dirty.
bool in_memory(const File &file)
{
    struct statfs system;
    return fstatfs(file.descriptor, &system) == 0 && system.f_type == TMPFS_MAGIC;
}

TEST(Flush, writes_changed_bytes_and_waits)
{
    File file(std::string(4 * page(), 'a'));
    ASSERT_EQ(0, fsync(file.descriptor));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map map;
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ_WRITE, &opts, &map));
    bytes(map)[page()] = 'z';
    EXPECT_NE(0u, dirty(map));
    // Any bytes: those of the page are enough.
    ASSERT_OK(acre_mmap_flush(&map, page() + 1, 1, ACRE_FLUSH_WAIT));
    EXPECT_EQ(in_memory(file) ? page() : 0u, dirty(map));
    EXPECT_EQ('z', file.content()[page()]);
    bytes(map)[0] = 'y';
    ASSERT_OK(acre_mmap_flush(&map, 0, map.size, ACRE_FLUSH_ASYNC));
    ASSERT_OK(acre_mmap_flush(&map, 1, map.size - 2, ACRE_FLUSH_WAIT));
    EXPECT_EQ('y', file.content()[0]);
    EXPECT_OK(acre_mmap_flush(&map, map.size, 0, ACRE_FLUSH_WAIT));
    expect_refused(ACRE_BAD_RANGE, map,
                   [&] { return acre_mmap_flush(&map, map.size, 1, ACRE_FLUSH_WAIT); });
}

TEST(Flush, of_other_maps_has_nothing_to_do)
{
    File file(std::string(4 * page(), 'a'));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map copy, anon, memory, reserved, ring;
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ_WRITE, nullptr, &copy));
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &anon));
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &memory));
    ASSERT_OK(acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, nullptr, &reserved));
    ASSERT_OK(acre_mmap_ring(4 * page(), nullptr, &ring));
    bytes(copy)[0] = 'z';
    for (acre_mmap *map : {static_cast<acre_mmap *>(&copy), static_cast<acre_mmap *>(&anon),
                           static_cast<acre_mmap *>(&memory), static_cast<acre_mmap *>(&reserved),
                           static_cast<acre_mmap *>(&ring)}) {
        for (uint32_t how : {ACRE_FLUSH_WAIT, ACRE_FLUSH_ASYNC})
            EXPECT_OK(acre_mmap_flush(map, 1, 3 * page(), how));
        expect_refused(ACRE_BAD_OPTION, *map, [&] { return acre_mmap_flush(map, 0, page(), 2); });
    }
    EXPECT_EQ(std::string(4 * page(), 'a'), file.content());
}

// ---- populate -----------------------------------------------------------------------------------

size_t resident(const acre_mmap &map)
{
    size_t result = 0;
    EXPECT_OK(acre_mmap_resident(&map, 0, map.size, &result));
    return result;
}

class Populate : public testing::Test {
  protected:
    void SetUp() override
    {
        Map map;
        ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
        if (acre_status_unsupported(acre_mmap_populate(&map, 0, page())))
            GTEST_SKIP() << "this kernel cannot populate (Linux 5.14)";
    }
};

TEST_F(Populate, brings_the_pages_that_hold_the_bytes_and_no_more)
{
    acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_populate(&map, 2 * page() - 1, 2));
    EXPECT_EQ(2 * page(), resident(map));
    EXPECT_EQ(2 * page(), smaps_bytes(map.base, "Anonymous"));
    bytes(map)[page()] = 4;
    ASSERT_OK(acre_mmap_populate(&map, 0, map.size));
    EXPECT_EQ(map.size, resident(map));
    EXPECT_EQ(4, bytes(map)[page()]);
}

TEST_F(Populate, of_every_kind)
{
    File file(std::string(4 * page(), 'f'));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map memory, mapped, ring, write, exec;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &memory));
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ_WRITE, &opts, &mapped));
    ASSERT_OK(acre_mmap_ring(2 * page(), nullptr, &ring));
    ASSERT_OK(acre_mmap_twin(4 * page(), nullptr, &write, &exec));
    for (acre_mmap *map : {static_cast<acre_mmap *>(&memory), static_cast<acre_mmap *>(&mapped),
                           static_cast<acre_mmap *>(&ring), static_cast<acre_mmap *>(&write),
                           static_cast<acre_mmap *>(&exec)}) {
        ASSERT_OK(acre_mmap_populate(map, 0, map->size));
        EXPECT_EQ(map->size, resident(*map));
    }
}

TEST_F(Populate, of_a_private_file_copies_nothing)
{
    File file(std::string(4 * page(), 'f'));
    Map map;
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_populate(&map, 0, map.size));
    EXPECT_EQ(map.size, resident(map));
    EXPECT_EQ(0u, smaps_bytes(map.base, "Anonymous"));
}

TEST_F(Populate, of_a_shared_file_changes_nothing)
{
    File file(std::string(4 * page(), 'f'));
    ASSERT_EQ(0, fsync(file.descriptor));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map map;
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_populate(&map, 0, map.size));
    EXPECT_EQ(map.size, resident(map));
    EXPECT_EQ(in_memory(file) ? map.size : 0u, dirty(map));
}

TEST_F(Populate, over_read_only_parts_reads_them)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_protect(&map, page(), page(), ACRE_READ));
    ASSERT_OK(acre_mmap_populate(&map, 0, map.size));
    EXPECT_TRUE(readable(bytes(map, page())));
}

TEST_F(Populate, needs_committed_and_unguarded_pages)
{
    Map reserved, guarded, beyond;
    ASSERT_OK(acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, nullptr, &reserved));
    ASSERT_OK(acre_mmap_commit(&reserved, 0, 2 * page()));
    EXPECT_NE(ACRE_OK, acre_mmap_populate(&reserved, 0, reserved.size));
    EXPECT_EQ("---p", permissions(bytes(reserved, 2 * page())));
    ASSERT_OK(acre_mmap_populate(&reserved, 0, 2 * page()));

    for (int markers = 0; markers < 2; markers++) {
        if (markers == 0)
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        Map map;
        ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
        ASSERT_OK(acre_mmap_guard(&map, page(), page()));
        EXPECT_NE(ACRE_OK, acre_mmap_populate(&map, 0, map.size));
        EXPECT_FALSE(readable(bytes(map, page())));
        acre_port_pretend_nothing();
    }
    File file("x");
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 3 * page(), ACRE_READ, nullptr, &beyond));
    EXPECT_STATUS(-EFAULT, acre_mmap_populate(&beyond, 0, beyond.size));
}

}  // namespace
