// Resizing: in place and moving; what is added is fresh, what was there stays, and a refusal
// changes nothing.

#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_KERNELS_ACCOUNT("Resize.grows_anonymous_memory_in_place");
SKIP_WITHOUT_ADVICE(
    "Resize.a_commit_refused_over_what_was_added_commits_nothing "
    "Resize.brings_the_pages_of_populated_maps "
    "Resize.grows_a_reservation_by_reserved_pages "
    "Resize.keeps_demands_access_and_locks "
    "Resize.moved_memory_keeps_its_bytes_demands_and_locks "
    "Resize.moved_transparent_huge_pages_stay_aligned");

[[maybe_unused]] const int skips_growth =
    skip_without([] { return owns_kernel() || sizeof(void *) == 8; },
                 "the emulator itself holds all addresses of 32 bits",
                 "Resize.grows_file_maps_in_place_by_the_files_bytes "
                 "Resize.memory_that_moves_stays_one_area");

// A place for a map whose neighbour behind is taken or free, as wanted.
struct Room {
    acre_mmap behind = {};
    void *address = nullptr;

    Room(size_t size, bool is_taken) : address(free_address(size + 64 * granule()))
    {
        if (!is_taken)
            return;
        acre_mmap_opts opts = flags(ACRE_MAP_FIXED);
        opts.address = static_cast<char *>(address) + size;
        EXPECT_OK(acre_mmap_reserve(64 * granule(), ACRE_NONE, &opts, &behind));
    }
    Room(const Room &) = delete;
    Room &operator=(const Room &) = delete;
    ~Room()
    {
        EXPECT_OK(acre_mmap_unmap(&behind));
    }
    acre_mmap_opts opts(uint32_t flag = 0) const
    {
        acre_mmap_opts result = flags(flag | ACRE_MAP_FIXED);
        result.address = address;
        return result;
    }
};

void fill(const acre_mmap &map)
{
    for (size_t at = 0; at < map.size; at += granule())
        bytes(map)[at] = static_cast<char>(at / granule() + 1);
}

void expect_filled(const acre_mmap &map, size_t size)
{
    for (size_t at = 0; at < size; at += granule())
        EXPECT_EQ(static_cast<char>(at / granule() + 1), bytes(map)[at]);
}

// ---- shrinking ----------------------------------------------------------------------------------

TEST(Resize, shrinks_every_kind_of_map)
{
    File file(std::string(8 * granule(), 'f'));
    acre_mmap_opts shared = flags(ACRE_MAP_SHARED);
    Map anon, memory, reserved, copy, mapped;
    ASSERT_OK(acre_mmap_anon(8 * granule(), ACRE_READ_WRITE, nullptr, &anon));
    ASSERT_OK(acre_mmap_anon(8 * granule(), ACRE_READ_WRITE, &shared, &memory));
    ASSERT_OK(acre_mmap_reserve(8 * granule(), ACRE_READ_WRITE, nullptr, &reserved));
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 8 * granule(), ACRE_READ_WRITE, nullptr,
                             &copy));
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 8 * granule(), ACRE_READ_WRITE, &shared,
                             &mapped));
    ASSERT_OK(acre_mmap_commit(&reserved, 0, 4 * granule()));
    for (acre_mmap *map : {static_cast<acre_mmap *>(&anon), static_cast<acre_mmap *>(&memory),
                           static_cast<acre_mmap *>(&reserved), static_cast<acre_mmap *>(&copy),
                           static_cast<acre_mmap *>(&mapped)}) {
        bytes(*map)[0] = 1;
        void *base = map->base;
        ASSERT_OK(acre_mmap_resize(map, 3 * granule() - page() + 1, ACRE_RESIZE_MAY_MOVE));
        EXPECT_EQ(base, map->base);
        EXPECT_EQ(3 * granule(), map->size);
        EXPECT_EQ(1, bytes(*map)[0]);
        EXPECT_TRUE(is_gone(bytes(*map, 3 * granule())));
        EXPECT_NE("", permissions(bytes(*map, 3 * granule() - 1)));
        // The same size, by any byte of its last page.
        ASSERT_OK(acre_mmap_resize(map, 3 * granule() - page() + 5, ACRE_RESIZE_IN_PLACE));
        EXPECT_EQ(3 * granule(), map->size);
    }
}

// ---- growing in place ---------------------------------------------------------------------------

TEST(Resize, grows_anonymous_memory_in_place)
{
    Room room(4 * granule(), false);
    acre_mmap_opts opts = room.opts();
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, &opts, &map));
    fill(map);
    size_t areas = area_count();
    ASSERT_OK(acre_mmap_resize(&map, 9 * granule(), ACRE_RESIZE_IN_PLACE));
    EXPECT_EQ(room.address, map.base);
    EXPECT_EQ(9 * granule(), map.size);
    expect_filled(map, 4 * granule());
    EXPECT_EQ(0, bytes(map)[4 * granule()]);
    bytes(map)[9 * granule() - 1] = 1;
    EXPECT_LE(area_count(), areas + (kOnWindows ? 1 : 0));  // there a map of its own
}

TEST(Resize, grows_a_reservation_by_reserved_pages)
{
    for (int committed = 0; committed < 2; committed++) {
        Room room(4 * granule(), false);
        acre_mmap_opts opts = room.opts(no_dump());
        Map map;
        ASSERT_OK(acre_mmap_reserve(4 * granule(), ACRE_READ_WRITE, &opts, &map));
        if (committed) {
            ASSERT_OK(acre_mmap_commit(&map, granule(), granule()));
            bytes(map)[granule()] = 5;
        }
        ASSERT_OK(acre_mmap_resize(&map, 8 * granule(), ACRE_RESIZE_IN_PLACE));
        EXPECT_EQ(8 * granule(), map.size);
        EXPECT_EQ("---p", permissions(bytes(map, 7 * granule())));
        EXPECT_TRUE(kOnWindows || has_vm_flag(bytes(map, 7 * granule()), "dd"));
        ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
        EXPECT_TRUE(kOnWindows || has_vm_flag(bytes(map, 7 * granule()), "dd"));
        EXPECT_EQ(committed ? 5 : 0, bytes(map)[granule()]);
        bytes(map)[8 * granule() - 1] = 1;
    }
}

TEST(Resize, what_is_added_to_a_reservation_that_was_committed_whole_is_reserved)
{
    Map map;
    acre_mmap_opts opts = {};
    opts.address = free_address(4 * granule());
    ASSERT_OK(acre_mmap_reserve(granule(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
    acre_status status = acre_mmap_resize(&map, 2 * granule(), ACRE_RESIZE_IN_PLACE);
    if (status == -ENOTSUP || status == -ENOMEM)
        GTEST_SKIP() << "it does not grow in place here";
    ASSERT_OK(status);
    ASSERT_OK(acre_mmap_guard(&map, granule(), granule()));
    EXPECT_FALSE(readable(bytes(map, granule())));
    ASSERT_OK(acre_mmap_unguard(&map, granule(), granule()));
    EXPECT_TRUE(readable(bytes(map, granule())));
    EXPECT_TRUE(readable(bytes(map)));
}

TEST(Resize, grows_file_maps_in_place_by_the_files_bytes)
{
    if (kOnWindows)
        GTEST_SKIP() << "a view cannot grow";
    std::string text(8 * granule(), 'a');
    text[4 * granule()] = 'b';
    text[7 * granule()] = 'c';
    for (uint32_t kind : {0u, uint32_t{ACRE_MAP_SHARED}}) {
        File file(text);
        Room room(2 * granule(), false);
        acre_mmap_opts opts = room.opts(kind);
        Map map;
        ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 2 * granule(), 2 * granule(),
                                 ACRE_READ_WRITE, &opts, &map));
        bytes(map)[0] = 'w';
        ASSERT_OK(acre_mmap_resize(&map, 6 * granule(), ACRE_RESIZE_IN_PLACE));
        EXPECT_EQ(room.address, map.base);
        EXPECT_EQ('w', bytes(map)[0]);
        EXPECT_EQ('b', bytes(map)[2 * granule()]);
        EXPECT_EQ('c', bytes(map)[5 * granule()]);
        bytes(map)[5 * granule()] = 'z';
        EXPECT_EQ(kind ? 'z' : 'c', file.content()[7 * granule()]);
        // With a last page that has another access, what is added has the map's.
        ASSERT_OK(acre_mmap_protect(&map, 5 * granule(), granule(), ACRE_READ));
        ASSERT_OK(acre_mmap_resize(&map, 7 * granule(), ACRE_RESIZE_IN_PLACE));
        EXPECT_EQ(kind ? "r--s" : "r--p", permissions(bytes(map, 5 * granule())));
        EXPECT_EQ(kind ? "rw-s" : "rw-p", permissions(bytes(map, 6 * granule())));
    }
}

TEST(Resize, keeps_demands_access_and_locks)
{
    Room room(4 * granule(), false);
    acre_mmap_opts opts =
        room.opts(ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_LOCKED | ACRE_MAP_NO_HUGE);
    size_t locked = status_bytes("VmLck");
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_protect(&map, 0, map.size, ACRE_READ));
    uint32_t before = map.flags;
    ASSERT_OK(acre_mmap_resize(&map, 8 * granule(), ACRE_RESIZE_IN_PLACE));
    EXPECT_EQ(before, map.flags);
    EXPECT_EQ("r--p", permissions(bytes(map, 7 * granule())));
    for (const char *flag : {"dd", "dc", "lo"})
        EXPECT_TRUE(has_vm_flag(bytes(map, 7 * granule()), flag)) << flag;
    EXPECT_TRUE(has_vm_flag(bytes(map, 7 * granule()), "nh") || !has_huge_pages());
    EXPECT_EQ(locked + map.size, status_bytes("VmLck"));
}

TEST(Resize, brings_the_pages_of_populated_maps)
{
    Room room(4 * granule(), false);
    acre_mmap_opts opts = room.opts(ACRE_MAP_POPULATE);
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, &opts, &map));
    if ((map.flags & ACRE_MAP_POPULATE) == 0)
        GTEST_SKIP() << "the wish was not granted: Linux before 5.14, or an emulator";
    ASSERT_OK(acre_mmap_resize(&map, 8 * granule(), ACRE_RESIZE_IN_PLACE));
    size_t resident = 0;
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(map.size, resident);
}

TEST(Resize, a_commit_refused_over_what_was_added_commits_nothing)
{
    acre_system system = {};
    ASSERT_OK(acre_system_read(&system));
    if (sizeof(void *) != 8 || system.overcommit_mode == 1)
        GTEST_SKIP() << "nothing is refused here";
    // Advised as a whole, which what is added is not.
    Map map;
    ASSERT_OK(acre_mmap_reserve(4 * granule(), ACRE_READ_WRITE, nullptr, &map));
    acre_status advised = acre_mmap_advise(&map, 0, map.size, ACRE_ADVISE_RANDOM);
    if (acre_status_unsupported(advised))
        GTEST_SKIP() << "this system takes no such advice";
    ASSERT_OK(advised);
    size_t large = 4 * static_cast<size_t>(system.physical_memory) / granule() * granule();
    acre_status status = acre_mmap_resize(&map, large, ACRE_RESIZE_MAY_MOVE);
    ASSERT_OK(status);
    expect_refused(-ENOMEM, map, [&] { return acre_mmap_commit(&map, 0, map.size); });
    EXPECT_EQ("---p", permissions(map.base));
    EXPECT_FALSE(has_vm_flag(map.base, "ac"));
}

// ---- moving -------------------------------------------------------------------------------------

TEST(Resize, an_occupied_neighbour_refuses_growth_in_place)
{
    File file(std::string(16 * granule(), 'f'));
    for (int kind = 0; kind < (kOnWindows ? 2 : 3); kind++) {
        Room room(4 * granule(), true);
        acre_mmap_opts opts = room.opts();
        Map map;
        if (kind == 0)
            ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, &opts, &map));
        else if (kind == 1)
            ASSERT_OK(acre_mmap_reserve(4 * granule(), ACRE_READ_WRITE, &opts, &map));
        else
            ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 4 * granule(), ACRE_READ_WRITE,
                                     &opts, &map));
        expect_refused(-ENOMEM, map,
                       [&] { return acre_mmap_resize(&map, 5 * granule(), ACRE_RESIZE_IN_PLACE); });
        EXPECT_EQ("---p", permissions(bytes(map, 4 * granule())));

        ASSERT_OK(acre_mmap_resize(&map, 12 * granule(), ACRE_RESIZE_MAY_MOVE));
        EXPECT_NE(room.address, map.base);
        EXPECT_TRUE(is_gone(room.address));
        EXPECT_EQ(12 * granule(), map.size);
        EXPECT_EQ("---p", permissions(static_cast<char *>(room.address) + 4 * granule()));
    }
}

TEST(Resize, moved_memory_keeps_its_bytes_demands_and_locks)
{
    size_t locked = status_bytes("VmLck");
    Room room(4 * granule(), true);
    acre_mmap_opts opts = room.opts(ACRE_MAP_NO_DUMP | ACRE_MAP_LOCKED);
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, &opts, &map));
    fill(map);
    size_t areas = area_count();
    // No more than a user without rights may lock, also where pages are large.
    ASSERT_OK(acre_mmap_resize(&map, 6 * granule(), ACRE_RESIZE_MAY_MOVE));
    expect_filled(map, 4 * granule());
    EXPECT_EQ(0, bytes(map)[4 * granule()]);
    EXPECT_EQ(0, bytes(map)[6 * granule() - 1]);
    EXPECT_TRUE(has_vm_flag(map.base, "dd"));
    EXPECT_TRUE(has_vm_flag(bytes(map, 5 * granule()), "dd"));
    EXPECT_TRUE(has_vm_flag(bytes(map, 5 * granule()), "lo"));
    EXPECT_EQ(locked + map.size, status_bytes("VmLck"));
    if (!TSAN) {  // which maps memory of its own
        EXPECT_LE(area_count(), areas + 1);
    }
}

// The kernel does not merge what was added to memory that had moved.
TEST(Resize, memory_moves_again_and_again)
{
    for (uint32_t kind : {0u, uint32_t{ACRE_MAP_NO_DUMP}, uint32_t{ACRE_MAP_LOCKED},
                          uint32_t{ACRE_MAP_HUGE_TRANSPARENT}, uint32_t{ACRE_MAP_POPULATE}}) {
        Map map;
        acre_mmap_opts opts = flags(kind);
        acre_status status = acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &map);
        if (acre_status_unsupported(status))
            continue;
        ASSERT_OK(status);
        for (size_t count = 1; count < 6; count++) {
            bytes(map, (count - 1) * granule())[0] = static_cast<char>(count);
            acre_mmap behind = {};
            acre_mmap_opts at = flags(ACRE_MAP_FIXED);
            at.address = bytes(map, map.size);
            acre_status taken = acre_mmap_reserve(granule(), ACRE_NONE, &at, &behind);
            EXPECT_TRUE(taken == ACRE_OK || taken == -EEXIST) << taken;
            ASSERT_OK(acre_mmap_resize(&map, (count + 1) * granule(), ACRE_RESIZE_MAY_MOVE))
                << kind << ", " << count;
            EXPECT_NE(at.address, bytes(map, count * granule()));
            EXPECT_OK(acre_mmap_unmap(&behind));
            for (size_t i = 0; i < count; i++)
                EXPECT_EQ(static_cast<char>(i + 1), bytes(map, i * granule())[0]);
            EXPECT_EQ(0, bytes(map, count * granule())[0]);
        }
    }
}

TEST(Resize, memory_that_moves_stays_one_area)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, nullptr, &map));
    size_t areas = 0;
    for (size_t count = 1; count < 200; count++) {
        bytes(map, map.size - 1)[0] = 1;
        // By turns where it is and elsewhere.
        Map behind;
        acre_mmap_opts at = flags(ACRE_MAP_FIXED);
        at.address = bytes(map, map.size);
        if (count % 2 != 0 && acre_mmap_reserve(granule(), ACRE_NONE, &at, &behind) != ACRE_OK) {
            EXPECT_EQ(nullptr, behind.base);
        }
        ASSERT_OK(acre_mmap_resize(&map, map.size + granule(), ACRE_RESIZE_MAY_MOVE));
        areas = count == 10 ? area_count() : areas;
    }
    if (!TSAN) {
        EXPECT_LE(area_count(), areas + 4);
    }
}

TEST(Resize, moved_files_go_on_in_the_file)
{
    if (kOnWindows)
        GTEST_SKIP() << "a view cannot grow";
    std::string text(16 * granule(), 'a');
    text[12 * granule()] = 'b';
    for (uint32_t kind : {0u, uint32_t{ACRE_MAP_SHARED}}) {
        File file(text);
        Room room(4 * granule(), true);
        acre_mmap_opts opts = room.opts(kind);
        Map map;
        ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), granule(), 4 * granule(),
                                 ACRE_READ_WRITE, &opts, &map));
        bytes(map)[0] = 'w';
        ASSERT_OK(acre_mmap_resize(&map, 15 * granule(), ACRE_RESIZE_MAY_MOVE));
        EXPECT_EQ('w', bytes(map)[0]);
        EXPECT_EQ('b', bytes(map)[11 * granule()]);
        EXPECT_EQ(granule(), map.offset);
        acre_mmap tail = {};
        ASSERT_OK(acre_mmap_split(&map, 5 * granule(), &tail));
        ASSERT_OK(acre_mmap_merge(&map, &tail));
    }
}

TEST(Resize, a_reservation_moves_while_it_is_all_of_one_kind)
{
    Room room(4 * granule(), true);
    acre_mmap_opts opts = room.opts();
    Map map;
    ASSERT_OK(acre_mmap_reserve(4 * granule(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_commit(&map, granule(), granule()));
    bytes(map)[granule()] = 6;
    expect_refused(ACRE_BAD_STATE, map,
                   [&] { return acre_mmap_resize(&map, 8 * granule(), ACRE_RESIZE_MAY_MOVE); });
    EXPECT_EQ(6, bytes(map)[granule()]);
    EXPECT_EQ("---p", permissions(bytes(map, 2 * granule())));

    ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
    bytes(map)[0] = 7;
    ASSERT_OK(acre_mmap_resize(&map, 8 * granule(), ACRE_RESIZE_MAY_MOVE));
    EXPECT_EQ(7, bytes(map)[0]);
    EXPECT_EQ("---p", permissions(bytes(map, 4 * granule())));
    ASSERT_OK(acre_mmap_commit(&map, 4 * granule(), 4 * granule()));
    bytes(map)[8 * granule() - 1] = 1;
}

TEST(Resize, guarded_maps_do_not_move)
{
    for (int markers = 0; markers < 2; markers++) {
        if (markers == 0)
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        Room room(4 * granule(), true);
        acre_mmap_opts opts = room.opts();
        Map map;
        ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_mmap_guard(&map, 0, granule()));
        expect_refused(ACRE_BAD_STATE, map,
                       [&] { return acre_mmap_resize(&map, 8 * granule(), ACRE_RESIZE_MAY_MOVE); });
        EXPECT_FALSE(readable(map.base));
        acre_port_pretend_nothing();
    }
}

TEST(Resize, moved_transparent_huge_pages_stay_aligned)
{
    acre_system system = {};
    ASSERT_OK(acre_system_read(&system));
    size_t huge = static_cast<size_t>(system.transparent_huge_size);
    if (huge == 0 || system.transparent_huge_mode == 0)
        GTEST_SKIP() << "no transparent huge pages are given here";
    Map map, behind;
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE_TRANSPARENT);
    ASSERT_OK(acre_mmap_anon(huge, ACRE_READ_WRITE, &opts, &map));
    acre_mmap_opts at = flags(0);
    at.address = bytes(map, huge);
    ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ, &at, &behind));
    bytes(map)[17] = 17;
    void *base = map.base;
    acre_status status = acre_mmap_resize(&map, 4 * huge, ACRE_RESIZE_MAY_MOVE);
    ASSERT_OK(status);
    EXPECT_TRUE(map.base != base || behind.base != at.address);
    EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(map.base) % huge);
    EXPECT_EQ(17, bytes(map)[17]);
    EXPECT_TRUE(has_vm_flag(bytes(map, 3 * huge), "hg"));
    bytes(map)[3 * huge] = 1;
    EXPECT_GE(smaps_bytes(bytes(map, 3 * huge), "AnonHugePages"), huge);
}

// ---- refusals -----------------------------------------------------------------------------------

TEST(Resize, growth_of_what_has_a_size_of_its_own_is_refused)
{
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map shared;
    ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, &opts, &shared));
    Map ring;
    ASSERT_OK(acre_mmap_ring(4 * granule(), nullptr, &ring));
    Map write, exec;
    ASSERT_OK(acre_mmap_twin(4 * granule(), nullptr, &write, &exec));
    for (uint32_t how : {ACRE_RESIZE_IN_PLACE, ACRE_RESIZE_MAY_MOVE}) {
        expect_refused(ACRE_BAD_STATE, shared,
                       [&] { return acre_mmap_resize(&shared, 5 * granule(), how); });
        for (acre_mmap *map : {static_cast<acre_mmap *>(&ring), static_cast<acre_mmap *>(&write),
                               static_cast<acre_mmap *>(&exec)}) {
            expect_refused(ACRE_BAD_STATE, *map,
                           [&] { return acre_mmap_resize(map, 16 * granule(), how); });
            expect_refused(ACRE_BAD_STATE, *map,
                           [&] { return acre_mmap_resize(map, granule(), how); });
            expect_refused(ACRE_BAD_SIZE, *map, [&] { return acre_mmap_resize(map, 0, how); });
        }
    }
}

TEST(Resize, beyond_all_addresses_is_out_of_memory)
{
    File file(std::string(4 * granule(), 'f'));
    HalfTaken taken;
    Map anon, reserved, mapped;
    ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, nullptr, &anon));
    ASSERT_OK(acre_mmap_reserve(4 * granule(), ACRE_READ_WRITE, nullptr, &reserved));
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 4 * granule(), ACRE_READ_WRITE, nullptr,
                             &mapped));
    bytes(anon)[0] = 3;
    for (acre_mmap *map : {static_cast<acre_mmap *>(&anon), static_cast<acre_mmap *>(&reserved),
                           static_cast<acre_mmap *>(&mapped)}) {
        for (uint32_t how : {ACRE_RESIZE_IN_PLACE, ACRE_RESIZE_MAY_MOVE})
            expect_refused(kOnWindows && map == &mapped ? -ENOTSUP : -ENOMEM, *map,
                           [&] { return acre_mmap_resize(map, SIZE_MAX / 2 - granule(), how); });
    }
    EXPECT_EQ(3, bytes(anon)[0]);
}

}  // namespace
