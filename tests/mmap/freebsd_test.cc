// The FreeBSD port on FreeBSD's calls as Linux can play them (freebsd/fake_freebsd.h).
//
// What it does with them is tested here: which it makes, and what they cost.  That FreeBSD answers
// so is not; the tests of mmap/port.h say that when they are run there.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "acre/image.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "tests/mmap/freebsd/fake_freebsd.h"

namespace {

std::string name_of(acre_status status)
{
    return acre_status_name(status);
}
#define EXPECT_STATUS(expected, call) EXPECT_EQ(name_of(expected), name_of(call))
#define EXPECT_OK(call) EXPECT_STATUS(ACRE_OK, call)
#define ASSERT_OK(call) ASSERT_EQ(name_of(ACRE_OK), name_of(call))

size_t page()
{
    return acre_page_size();
}

char *bytes(const acre_mmap &map, size_t offset = 0)
{
    return static_cast<char *>(map.base) + offset;
}

acre_mmap_opts flags(uint32_t value)
{
    acre_mmap_opts opts = {};
    opts.flags = value;
    return opts;
}

struct Map : acre_mmap {
    Map() : acre_mmap()
    {
    }
    Map(const Map &) = delete;
    Map &operator=(const Map &) = delete;
    ~Map()
    {
        EXPECT_OK(acre_mmap_unmap(this));
    }
};

bool is_mapped(const void *address)
{
    unsigned char present;
    return mincore(const_cast<void *>(address), page(), &present) == 0;
}

// ---- merging ------------------------------------------------------------------------------------

TEST(FreebsdMerge, joins_parts_of_anonymous_maps_and_reservations)
{
    for (int kind = 0; kind < 3; kind++) {
        Map map;
        acre_mmap tail = {};
        acre_mmap_opts opts = flags(kind == 1 ? uint32_t{ACRE_MAP_SHARED} : 0u);
        ASSERT_OK(kind == 2 ? acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, nullptr, &map)
                            : acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_mmap_split(&map, 4 * page(), &tail));
        ASSERT_OK(acre_mmap_merge(&map, &tail)) << kind;
        EXPECT_EQ(8 * page(), map.size);
        EXPECT_EQ(0u, tail.size);
        if (kind == 2) {
            ASSERT_OK(acre_mmap_commit(&map, 3 * page(), 2 * page()));
        }
        std::memset(bytes(map, 3 * page()), 1, 2 * page());
    }
}

TEST(FreebsdMerge, joins_neighbours_that_were_mapped_apart)
{
    Map first, second;
    ASSERT_OK(acre_mmap_reserve(2 * page(), ACRE_READ_WRITE, nullptr, &first));
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED);
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&first, page(), &tail));
    opts.address = tail.base;
    ASSERT_OK(acre_mmap_unmap(&tail));
    ASSERT_OK(acre_mmap_reserve(page(), ACRE_READ_WRITE, &opts, &second));
    ASSERT_OK(acre_mmap_merge(&first, &second));
    EXPECT_EQ(2 * page(), first.size);
}

TEST(FreebsdMerge, keeps_clones_apart_that_do_not_continue_one_another)
{
    acre_image image = {};
    acre_mmap fill = {};
    ASSERT_OK(acre_image_begin(2 * page(), &image, &fill));
    ASSERT_OK(acre_image_finish(&image, &fill));
    {
        Map clone;
        acre_mmap tail = {};
        ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone));
        ASSERT_OK(acre_mmap_split(&clone, page(), &tail));
        acre_mmap moved = tail;
        moved.offset = 0;
        EXPECT_STATUS(ACRE_BACKING_MISMATCH, acre_mmap_merge(&clone, &moved));
        EXPECT_OK(acre_mmap_merge(&clone, &tail));
    }
    EXPECT_OK(acre_image_close(&image));
}

TEST(FreebsdMerge, of_a_part_that_was_locked_or_advised_is_remembered)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&map, 4 * page(), &tail));
    ASSERT_OK(acre_mmap_advise(&tail, 0, tail.size, ACRE_ADVISE_DONT_FORK));
    ASSERT_OK(acre_mmap_merge(&map, &tail));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    EXPECT_EQ(0, bytes(map)[0]);
    EXPECT_EQ(0, bytes(map)[7 * page()]);
    // Still not there in a child.
    pid_t child = fork();
    if (child == 0)
        _exit(is_mapped(map.base) && !is_mapped(bytes(map, 4 * page())) ? 0 : 1);
    int status = -1;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
}

}  // namespace
