// What becomes of contents.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <sys/stat.h>
#if defined(_WIN32)
#include <sys/utime.h>
#else
#include <utime.h>
#endif

#include "tests/mmap/port/port.h"

using namespace acre_test;

namespace {

SKIP_WITHOUT_ADVICE(
    "Port.discarding_makes_nothing_resident "
    "Port.locks_once_and_unlocks_as_often_as_asked "
    "Port.shared_memory_is_emptied");

TEST(Port, discarded_pages_are_zero_and_keep_their_access)
{
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_port_discard(&map, map.at(unit()), 2 * unit(), ACRE_DISCARD_NOW));
    EXPECT_EQ(1, *map.at());
    EXPECT_TRUE(all_are(map.at(unit()), 2 * unit(), 0));
    EXPECT_EQ(1, *map.at(3 * unit()));

    // Of parts with another access than the map's.
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_port_protect(&map, map.base, unit(), ACRE_READ));
    ASSERT_OK(acre_port_protect(&map, map.at(unit()), unit(), ACRE_NONE));
    map.private_[0] |= kMixed;
    ASSERT_OK(acre_port_discard(&map, map.base, map.size, ACRE_DISCARD_NOW));
    EXPECT_EQ(uint32_t{ACRE_READ}, access_at(map.base));
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.at(unit())));
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE}, access_at(map.at(2 * unit())));
    ASSERT_OK(acre_port_protect(&map, map.at(unit()), unit(), ACRE_READ_WRITE));
    EXPECT_TRUE(all_are(map.at(), map.size, 0));
}

TEST(Port, discarding_makes_nothing_resident)
{
    if (kOnWindows)
        GTEST_SKIP() << "discarded pages may stay in the working set";
    size_t size = 64 * unit();
    for (int many = 0; many < 2; many++) {
        Mapped map(request_for(size, ACRE_READ_WRITE, ACRE_IS_RESERVATION));
        ASSERT_OK(map.status);
        ASSERT_OK(acre_port_commit(&map, map.base, size / 2, ACRE_READ_WRITE));
        // Many: nothing is known of the map, so what was touched may stay.
        if (!many)
            *map.at(unit()) = 1;
        const acre_range range = {map.base, many ? size / 2 : size};
        size_t done = 0;
        ASSERT_OK(many ? acre_port_discard_many(&range, 1, ACRE_DISCARD_NOW, &done)
                       : acre_port_discard(&map, map.base, size, ACRE_DISCARD_NOW));
        size_t resident = 1;
        ASSERT_OK(acre_port_resident(map.base, size / 2, &resident));
        EXPECT_EQ(0u, resident) << many;
        EXPECT_TRUE(all_are(map.at(), size / 2, 0));
        std::memset(map.base, 1, size / 2);
        // The rest was not committed by it.
        EXPECT_TRUE(is_reserved(map.at(size / 2), size / 2));
    }
}

TEST(Port, lazily_discarded_pages_take_new_bytes)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_port_discard(&map, map.base, map.size, ACRE_DISCARD_LAZY));
    EXPECT_TRUE(*map.at() == 0 || *map.at() == 1);
    std::memset(map.base, 2, map.size);
    EXPECT_TRUE(all_are(map.at(), map.size, 2));
    ASSERT_OK(acre_port_discard(&map, map.base, map.size, ACRE_DISCARD_NOW));
    EXPECT_TRUE(all_are(map.at(), map.size, 0));
}

TEST(Port, discards_many_and_counts_them)
{
    Mapped map(request_for(8 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    const acre_range ranges[] = {
        {map.at(unit()), unit()}, {map.at(3 * unit()), 0}, {map.at(5 * unit()), 2 * unit()}};
    size_t done = 77;  // never read
    ASSERT_OK(acre_port_discard_many(ranges, 3, ACRE_DISCARD_NOW, &done));
    EXPECT_EQ(3u, done);
    for (size_t i = 0; i < 8; i++)
        EXPECT_EQ(i == 1 || i == 5 || i == 6 ? 0 : 1, *map.at(i * unit())) << i;
}

TEST(Port, shared_memory_is_emptied)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE, ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    EXPECT_EQ(uint32_t{ACRE_MAP_SHARED}, map.flags);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_port_discard(&map, map.base, unit(), ACRE_DISCARD_NOW));
    EXPECT_TRUE(all_are(map.at(), unit(), 0));
    EXPECT_TRUE(all_are(map.at(unit()), unit(), 1));
}

TEST(Port, guards_lose_contents_and_unguarded_pages_are_fresh)
{
    for (int with_markers = 0; with_markers < 2; with_markers++) {
        if (!with_markers)
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        Mapped map(request_for(4 * unit(), ACRE_READ_WRITE));
        ASSERT_OK(map.status);
        std::memset(map.base, 1, map.size);
        uint32_t kind = 0;
        ASSERT_OK(acre_port_guard(&map, map.at(unit()), 2 * unit(), &kind));
        map.flags |= kind;
        if (kind == ACRE_HAS_PAGE_GUARDS) {
            map.private_[0] |= kMixed;
            EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.at(unit())));
        } else {
            EXPECT_EQ(uint32_t{ACRE_HAS_MARKER_GUARDS}, kind);
            EXPECT_EQ(1, acre_port_can(ACRE_CAN_GUARD_WITH_MARKERS));
        }
        EXPECT_EQ(1, *map.at());
        EXPECT_EQ(1, *map.at(3 * unit()));
        ASSERT_OK(acre_port_unguard(&map, map.at(unit()), 2 * unit(), map.private_[0] != 0));
        EXPECT_TRUE(all_are(map.at(unit()), 2 * unit(), 0));
        std::memset(map.base, 2, map.size);
        acre_port_pretend_nothing();
    }
}

TEST(Port, populated_pages_are_resident)
{
    Mapped map(request_for(8 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    size_t resident = 1;
    ASSERT_OK(acre_port_resident(map.base, map.size, &resident));
    EXPECT_EQ(0u, resident);
    const void *lowest = nullptr;
    ASSERT_OK(acre_port_lowest_touched(map.base, map.size, &lowest));
    EXPECT_EQ(map.at(map.size), lowest);

    *map.at(4 * unit()) = 1;
    ASSERT_OK(acre_port_lowest_touched(map.base, map.size, &lowest));
    EXPECT_EQ(map.at(4 * unit()), lowest);

    acre_status status = acre_port_populate(&map, map.base, map.size);
    if (status == -ENOTSUP)
        GTEST_SKIP() << "pages are not brought in beforehand";
    ASSERT_OK(status);
    ASSERT_OK(acre_port_resident(map.base, map.size, &resident));
    EXPECT_EQ(map.size, resident);
}

TEST(Port, locks_once_and_unlocks_as_often_as_asked)
{
    if (acre_port_can(ACRE_CAN_LOCK) == 0)
        GTEST_SKIP() << "nothing can be locked";
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    acre_status status = acre_port_lock(&map, map.base, map.size);
    if (status == -ENOMEM || status == -EPERM || status == -EAGAIN)
        GTEST_SKIP() << "this process may lock nothing";
    ASSERT_OK(status);
    ASSERT_OK(acre_port_lock(&map, map.base, unit()));
    size_t resident = 0;
    ASSERT_OK(acre_port_resident(map.base, map.size, &resident));
    EXPECT_EQ(map.size, resident);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_port_discard(&map, map.base, map.size, ACRE_DISCARD_NOW));
    EXPECT_TRUE(all_are(map.at(), map.size, 0));
    EXPECT_OK(acre_port_unlock(&map, map.base, map.size));
    EXPECT_OK(acre_port_unlock(&map, map.base, map.size));
}

TEST(Port, locks_on_fault_where_it_says_so)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    acre_status status = acre_port_lock_on_fault(&map, map.base, map.size);
    if (acre_port_can(ACRE_CAN_LOCK_ON_FAULT) == 0)
        EXPECT_STATUS(-ENOTSUP, status);
    else if (status == -ENOMEM || status == -EPERM || status == -EAGAIN)
        GTEST_SKIP() << "this process may lock nothing";
    else
        EXPECT_OK(status);
}

TEST(Port, takes_advice_that_keeps_contents)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    for (int i = ACRE_ADVISE_NORMAL; i <= ACRE_ADVISE_KEEP_ON_FORK; i++) {
        acre_status status =
            acre_port_advise(&map, map.base, map.size, static_cast<acre_advice>(i));
        EXPECT_LE(status, 0) << i;
        EXPECT_TRUE(all_are(map.at(), map.size, 1)) << i;
    }
}

// Its pages are read, not written: nobody changed the file.
TEST(Port, populating_a_shared_file_leaves_its_time)
{
    Written file(4 * unit());
    struct utimbuf past = {1000000000, 1000000000};
    ASSERT_EQ(0, utime(file.path.c_str(), &past));
    Mapped map(request_for_file(file, 4 * unit(), ACRE_MAP_SHARED | ACRE_MAP_POPULATE));
    ASSERT_OK(map.status);
    acre_status status = acre_port_populate(&map, map.base, map.size);
    if (acre_status_unsupported(status))
        GTEST_SKIP() << "this system cannot populate";
    EXPECT_OK(status);
    EXPECT_OK(acre_port_flush(&map, map.base, map.size, ACRE_FLUSH_WAIT));
    map.unmap();
    struct stat found = {};
    ASSERT_EQ(0, stat(file.path.c_str(), &found));
    EXPECT_EQ(past.modtime, found.st_mtime);
}

}  // namespace
