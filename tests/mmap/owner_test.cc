// Addresses have one owner: what a refused call leaves alone, and where maps go.
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "acre/area.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_EMULATED("areas are the kernel's own", "*");

// A file of explicit huge pages, none of which need be there; -1 where there is no such thing.
int huge_file(size_t *size)
{
    const unsigned of_huge_pages = 4;  // MFD_HUGETLB
    acre_system system = {};
    size_t sizes[8];
    if (acre_page_sizes(sizes, 8) < 2 || acre_system_read(&system) != ACRE_OK)
        return -1;
    *size = static_cast<size_t>(number_in("/proc/meminfo", "Hugepagesize:")) * 1024;
    int file = static_cast<int>(syscall(SYS_memfd_create, "huge", of_huge_pages));
    if (file >= 0 && ftruncate(file, static_cast<off_t>(*size)) != 0) {
        close(file);
        return -1;
    }
    return file;
}

// Maps side by side.
struct Neighbours {
    std::vector<acre_mmap> maps;

    explicit Neighbours(size_t size) : maps(64)
    {
        for (acre_mmap &map : maps)
            EXPECT_OK(acre_mmap_anon(size, ACRE_READ_WRITE, nullptr, &map));
    }
    ~Neighbours()
    {
        for (acre_mmap &map : maps)
            EXPECT_OK(acre_mmap_unmap(&map));
    }
    bool whole() const
    {
        for (const acre_mmap &map : maps) {
            for (size_t at = 0; at < map.size; at += page()) {
                if (!readable(bytes(map, at)))
                    return false;
            }
        }
        return true;
    }
};

TEST(Owner, a_file_of_huge_pages_takes_nothing_of_others_when_aligned)
{
    size_t huge = 0;
    int file = huge_file(&huge);
    if (file < 0)
        GTEST_SKIP() << "there are no files of explicit huge pages";
    Neighbours neighbours(huge / 2);
    acre_mmap_opts opts = {};
    opts.alignment = huge;
    acre_mmap map = {};
    EXPECT_LT(acre_mmap_file(file, 0, 2 * page(), ACRE_READ, &opts, &map), 0);
    EXPECT_TRUE(neighbours.whole());
    close(file);
}

TEST(Owner, a_file_of_huge_pages_replaces_nothing_unless_asked_for_as_such)
{
    size_t huge = 0;
    int file = huge_file(&huge);
    if (file < 0)
        GTEST_SKIP() << "there are no files of explicit huge pages";
    Map room;
    ASSERT_OK(acre_mmap_anon(3 * huge, ACRE_READ_WRITE, nullptr, &room));
    std::memset(room.base, 1, room.size);
    acre_mmap_opts opts = flags(ACRE_MAP_REPLACE);
    opts.address = bytes(room, -reinterpret_cast<uintptr_t>(room.base) & (huge - 1));
    acre_mmap map = {};
    EXPECT_STATUS(ACRE_BAD_OPTION, acre_mmap_file(file, 0, page(), ACRE_READ, &opts, &map));
    for (size_t at = 0; at < room.size; at += page())
        ASSERT_EQ(1, *bytes(room, at)) << at;
    close(file);
}

// What is refused while another thread maps and unmaps.
acre_status map_aligned(uint32_t wanted)
{
    acre_mmap_opts opts = flags(wanted);
    opts.alignment = size_t{8} << 20;
    acre_mmap map;
    acre_status status = acre_mmap_anon(size_t{2} << 20, ACRE_READ_WRITE, &opts, &map);
    return status == ACRE_OK ? acre_mmap_unmap(&map) : status;
}

acre_status map_ring(uint32_t)
{
    acre_mmap map;
    acre_status status = acre_mmap_ring(size_t{1} << 20, nullptr, &map);
    return status == ACRE_OK ? acre_mmap_unmap(&map) : status;
}

void expect_no_loss(acre_status (*call)(uint32_t), uint32_t wanted)
{
    std::atomic<bool> ended{false};
    unsigned lost = 0;
    std::thread other([&] {
        while (!ended) {
            acre_mmap maps[16] = {};
            for (acre_mmap &map : maps)
                lost += acre_mmap_anon(size_t{2} << 20, ACRE_READ_WRITE, nullptr, &map) != ACRE_OK;
            for (acre_mmap &map : maps)
                lost += msync(map.base, map.size, MS_ASYNC) != 0;
            for (acre_mmap &map : maps)
                lost += acre_mmap_unmap(&map) != ACRE_OK;
        }
    });
    for (size_t i = 0; i < rounds(10000); i++)
        (void)call(wanted);
    ended = true;
    other.join();
    EXPECT_EQ(0u, lost);
}

TEST(Owner, a_refusal_unmaps_nothing_that_another_thread_has_mapped_meanwhile)
{
    if (!acre_can(ACRE_CAN_HUGE_PAGES))
        GTEST_SKIP() << "there are no explicit huge pages that could be missing";
    expect_no_loss(map_aligned, ACRE_MAP_HUGE);
}

TEST(Owner, aligned_shared_maps_and_rings_are_placed_beside_others)
{
    expect_no_loss(map_aligned, ACRE_MAP_SHARED);
    expect_no_loss(map_ring, 0);
}

// Rounds of committing and returning a part of a reservation, some of which is guarded.
TEST(Owner, a_returned_part_merges_with_the_rest_where_there_are_guards)
{
    Map map;
    acre_mmap_opts opts = flags(no_dump());
    ASSERT_OK(acre_mmap_reserve(64 * page(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, 16 * page()));
    std::memset(map.base, 1, 16 * page());
    ASSERT_OK(acre_mmap_guard(&map, 4 * page(), page()));
    size_t before = 0;
    for (size_t round = 0; round < 100; round++) {
        size_t at = 16 + 4 * (round % 8);
        ASSERT_OK(acre_mmap_commit(&map, at * page(), 4 * page()));
        *bytes(map, at * page()) = 1;
        ASSERT_OK(acre_mmap_decommit(&map, at * page(), 4 * page()));
        std::string areas = areas_between(bytes(map), bytes(map, map.size));
        size_t count = static_cast<size_t>(std::count(areas.begin(), areas.end(), '\n'));
        before = round == 8 ? count : before;
        if (round > 8) {
            ASSERT_LE(count, before) << areas;
        }
    }
}

TEST(Owner, many_threads_find_room_near_the_same_address)
{
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) {
        threads.emplace_back([&] {
            acre_mmap_opts opts = {};
            opts.near_address = reinterpret_cast<const void *>(&huge_file);
            opts.reach = size_t{1} << 30;
            acre_mmap maps[32] = {};
            for (acre_mmap &map : maps)
                refused += acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map) != ACRE_OK;
            for (acre_mmap &map : maps)
                refused += acre_mmap_unmap(&map) != ACRE_OK;
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(0, refused);
}

TEST(Owner, a_map_near_something_does_not_move_away)
{
    Map map;
    acre_mmap_opts opts = {};
    opts.near_address = reinterpret_cast<const void *>(&huge_file);
    opts.reach = size_t{1} << 30;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
    acre_mmap behind = {};
    acre_mmap_opts fixed = flags(ACRE_MAP_FIXED);
    fixed.address = bytes(map, map.size);
    acre_status blocked = acre_mmap_anon(page(), ACRE_NONE, &fixed, &behind);
    ASSERT_TRUE(blocked == ACRE_OK || blocked == -EEXIST) << blocked;
    expect_refused(-ENOMEM, map,
                   [&] { return acre_mmap_resize(&map, 64 * page(), ACRE_RESIZE_MAY_MOVE); });
    if (blocked == ACRE_OK) {
        EXPECT_OK(acre_mmap_unmap(&behind));
    }
}

TEST(Owner, an_alignment_holds_when_a_map_moves)
{
    const size_t alignment = 64 * page();
    for (int reserved : {0, 1}) {
        Map map;
        acre_mmap_opts opts = {};
        opts.alignment = alignment;
        ASSERT_OK(reserved ? acre_mmap_reserve(page(), ACRE_READ_WRITE, &opts, &map)
                           : acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
        for (size_t size = 2; size < 40; size++) {
            acre_mmap_opts fixed = flags(ACRE_MAP_FIXED);
            fixed.address = bytes(map, map.size);
            Map behind;
            acre_status blocked = acre_mmap_anon(page(), ACRE_NONE, &fixed, &behind);
            ASSERT_TRUE(blocked == ACRE_OK || blocked == -EEXIST) << blocked;
            ASSERT_OK(acre_mmap_resize(&map, size * page(), ACRE_RESIZE_MAY_MOVE));
            ASSERT_EQ(0u, reinterpret_cast<uintptr_t>(map.base) & (alignment - 1)) << size;
        }
    }
}

TEST(Owner, an_aligned_map_of_a_file_does_not_move)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file, 0);
    Map map;
    acre_mmap_opts opts = {};
    opts.alignment = 64 * page();
    ASSERT_OK(acre_mmap_file(file, 0, page(), ACRE_READ, &opts, &map));
    close(file);
    acre_mmap_opts fixed = flags(ACRE_MAP_FIXED);
    fixed.address = bytes(map, map.size);
    Map behind;
    acre_status blocked = acre_mmap_anon(page(), ACRE_NONE, &fixed, &behind);
    ASSERT_TRUE(blocked == ACRE_OK || blocked == -EEXIST) << blocked;
    expect_refused(-ENOMEM, map,
                   [&] { return acre_mmap_resize(&map, 2 * page(), ACRE_RESIZE_MAY_MOVE); });
}

}  // namespace
