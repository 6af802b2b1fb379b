// Splitting, merging, adopting.

#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

TEST(Split, both_parts_work_on_their_own)
{
    acre_mmap map = {};
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    char *base = bytes(map);
    base[0] = 1;
    base[page()] = 2;
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&map, page(), &tail));
    EXPECT_EQ(base, map.base);
    EXPECT_EQ(page(), map.size);
    EXPECT_EQ(base + page(), tail.base);
    EXPECT_EQ(3 * page(), tail.size);
    EXPECT_EQ(map.access, tail.access);
    EXPECT_EQ(1, base[0]);
    EXPECT_EQ(2, base[page()]);

    ASSERT_OK(acre_mmap_unmap(&map));
    EXPECT_TRUE(same(map, acre_mmap{}));
    EXPECT_TRUE(is_gone(base));
    EXPECT_EQ(2, bytes(tail)[0]);
    ASSERT_OK(acre_mmap_unmap(&tail));
    EXPECT_EQ("", permissions(base + page()));
}

TEST(Split, is_refused_off_a_page_and_outside)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, nullptr, &map));
    acre_mmap tail = {};
    tail.size = 77;
    acre_mmap as_it_was = tail;
    struct {
        size_t at;
        acre_status status;
    } table[] = {
        {1, ACRE_BAD_OFFSET},
        {page() - 1, ACRE_BAD_OFFSET},
        {0, ACRE_BAD_RANGE},
        {2 * page(), ACRE_BAD_RANGE},
        {3 * page(), ACRE_BAD_RANGE},
        {SIZE_MAX, ACRE_BAD_OFFSET},
        {SIZE_MAX - page() + 1, ACRE_BAD_RANGE},
    };
    for (const auto &row : table) {
        expect_refused(row.status, map, [&] { return acre_mmap_split(&map, row.at, &tail); });
        EXPECT_TRUE(same(as_it_was, tail));
    }
    acre_mmap empty = {};
    expect_refused(ACRE_EMPTY_HANDLE, empty, [&] { return acre_mmap_split(&empty, 0, &tail); });
}

TEST(Merge, joins_only_neighbours_in_order)
{
    Map left;
    ASSERT_OK(acre_mmap_anon(3 * page(), ACRE_READ_WRITE, nullptr, &left));
    std::memset(left.base, 7, left.size);
    acre_mmap whole = left;
    acre_mmap middle = {};
    acre_mmap right = {};
    ASSERT_OK(acre_mmap_split(&left, page(), &middle));
    ASSERT_OK(acre_mmap_split(&middle, page(), &right));

    expect_refused(ACRE_NOT_ADJACENT, left, [&] { return acre_mmap_merge(&left, &right); });
    expect_refused(ACRE_NOT_ADJACENT, right, [&] { return acre_mmap_merge(&right, &left); });
    expect_refused(ACRE_NOT_ADJACENT, middle, [&] { return acre_mmap_merge(&middle, &left); });
    expect_refused(ACRE_NOT_ADJACENT, left, [&] { return acre_mmap_merge(&left, &left); });
    acre_mmap empty = {};
    expect_refused(ACRE_EMPTY_HANDLE, left, [&] { return acre_mmap_merge(&left, &empty); });
    expect_refused(ACRE_EMPTY_HANDLE, empty, [&] { return acre_mmap_merge(&empty, &left); });

    ASSERT_OK(acre_mmap_merge(&left, &middle));
    EXPECT_TRUE(same(middle, acre_mmap{}));
    ASSERT_OK(acre_mmap_merge(&left, &right));
    EXPECT_TRUE(same(left, whole));
    EXPECT_EQ(7, bytes(left)[3 * page() - 1]);
}

TEST(Merge, differences_of_attributes_keep_maps_apart)
{
    Map left;
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, nullptr, &left));
    Map right;
    ASSERT_OK(acre_mmap_split(&left, page(), &right));
    ASSERT_OK(acre_mmap_protect(&right, 0, page(), ACRE_READ));
    expect_refused(ACRE_ATTRIBUTE_MISMATCH, left, [&] { return acre_mmap_merge(&left, &right); });
    ASSERT_OK(acre_mmap_protect(&right, 0, page(), ACRE_READ_WRITE));

    acre_mmap other = right;
    for (uint32_t flag : {ACRE_MAP_NO_DUMP, ACRE_MAP_SHARED, ACRE_MAP_NO_RESERVE, ACRE_MAP_JIT,
                          ACRE_MAP_DROPPABLE}) {
        other.flags = right.flags ^ flag;
        expect_refused(ACRE_ATTRIBUTE_MISMATCH, left,
                       [&] { return acre_mmap_merge(&left, &other); });
    }
    other.flags = right.flags | ACRE_IS_RESERVATION;
    expect_refused(ACRE_ATTRIBUTE_MISMATCH, left, [&] { return acre_mmap_merge(&left, &other); });

    // Wishes and guards may differ.
    ASSERT_OK(acre_mmap_guard(&right, 0, page()));
    right.flags |= ACRE_MAP_POPULATE;
    uint32_t guards = right.flags & (ACRE_HAS_MARKER_GUARDS | ACRE_HAS_PAGE_GUARDS);
    EXPECT_NE(0u, guards);
    ASSERT_OK(acre_mmap_merge(&left, &right));
    EXPECT_EQ(guards, left.flags);
}

TEST(Merge, neighbours_that_were_mapped_apart)
{
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED);
    opts.address = free_address(2 * granule());
    Map first, second;
    ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &first));
    opts.address = bytes(first, granule());
    ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &second));
    bytes(second)[0] = 2;
    if (kOnWindows) {
        expect_refused(ACRE_BACKING_MISMATCH, first,
                       [&] { return acre_mmap_merge(&first, &second); });
        return;
    }
    ASSERT_OK(acre_mmap_merge(&first, &second));
    EXPECT_EQ(2 * granule(), first.size);
    EXPECT_EQ(2, bytes(first)[granule()]);
}

TEST(Merge, files_must_continue_one_another)
{
    if (!acre_can(ACRE_CAN_REPLACE))
        GTEST_SKIP() << "nothing can be replaced here";
    File file(std::string(4 * granule(), 'f'));
    File copy(std::string(4 * granule(), 'f'), "copy");
    Map room;
    ASSERT_OK(acre_mmap_reserve(4 * granule(), ACRE_READ, nullptr, &room));
    auto map_at = [&](size_t at, const File &from, size_t offset) {
        acre_mmap map = {};
        acre_mmap_opts opts = flags(ACRE_MAP_REPLACE);
        opts.address = bytes(room, at * granule());
        EXPECT_OK(acre_mmap_file(handle_of(from.descriptor), offset * granule(), granule(),
                                 ACRE_READ, &opts, &map));
        return map;
    };
    acre_mmap first = map_at(0, file, 1);
    acre_mmap second = map_at(1, file, 2);
    acre_mmap third = map_at(2, file, 2);
    acre_mmap fourth = map_at(3, copy, 3);
    expect_refused(ACRE_BACKING_MISMATCH, second, [&] { return acre_mmap_merge(&second, &third); });
    expect_refused(ACRE_BACKING_MISMATCH, third, [&] { return acre_mmap_merge(&third, &fourth); });
    if (kOnWindows)
        GTEST_SKIP() << "only parts of one map are joined";
    ASSERT_OK(acre_mmap_merge(&first, &second));
    EXPECT_EQ(2 * granule(), first.size);
    EXPECT_EQ(granule(), first.offset);
}

TEST(Split, of_a_file_keeps_offsets_and_joins_again)
{
    File file(std::string(granule(), 'a') + std::string(granule(), 'b') + "c");
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), granule(), granule() + 1, ACRE_READ,
                             nullptr, &map));
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&map, granule(), &tail));
    EXPECT_EQ(granule(), map.offset);
    EXPECT_EQ(2 * granule(), tail.offset);
    EXPECT_EQ('b', bytes(map)[0]);
    EXPECT_EQ('c', bytes(tail)[0]);
    ASSERT_OK(acre_mmap_merge(&map, &tail));
    EXPECT_EQ(granule() + page(), map.size);
}

TEST(Unmap, of_an_empty_handle_does_nothing)
{
    acre_mmap empty = {};
    size_t areas = area_count();
    EXPECT_OK(acre_mmap_unmap(&empty));
    EXPECT_EQ(areas, area_count());
}

TEST(Adopt, takes_over_pages_that_something_else_mapped)
{
    void *pages =
        mmap(nullptr, 4 * page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(MAP_FAILED, pages);
    acre_mmap map = {};
    ASSERT_OK(acre_mmap_adopt(pages, 4 * page(), 0, ACRE_WRITE, 0, &map));
    EXPECT_EQ(pages, map.base);
    EXPECT_EQ(page(), map.page_size);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), map.access);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_IS_ADOPTED), map.flags);
    ASSERT_OK(acre_mmap_protect(&map, 0, page(), ACRE_READ));
    EXPECT_EQ("r--p", permissions(pages));
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_commit(&map, 0, page()); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_decommit(&map, 0, page()); });
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&map, page(), &tail));
    ASSERT_OK(acre_mmap_merge(&map, &tail));
    ASSERT_OK(acre_mmap_unmap(&map));
    EXPECT_EQ("", permissions(pages));
}

TEST(Adopt, commits_what_is_described_as_a_reservation)
{
    void *pages = mmap(nullptr, 4 * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(MAP_FAILED, pages);
    Map map;
    ASSERT_OK(acre_mmap_adopt(pages, 4 * page(), 0, ACRE_READ_WRITE, ACRE_IS_RESERVATION, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, page()));
    bytes(map)[0] = 1;
    ASSERT_OK(acre_mmap_decommit(&map, 0, page()));
    EXPECT_EQ("---p", permissions(pages));
}

TEST(Adopt, refuses_what_cannot_be)
{
    static char room[3 * 65536];
    char *memory = room + (-reinterpret_cast<uintptr_t>(room) & 65535);
    acre_mmap untouched = {};
    auto adopt = [&](void *base, size_t size, size_t page_size, uint32_t access, uint32_t flag) {
        return acre_mmap_adopt(base, size, page_size, access, flag, &untouched);
    };
    EXPECT_STATUS(ACRE_BAD_SIZE, adopt(memory, 0, 0, ACRE_READ, 0));
    EXPECT_STATUS(ACRE_BAD_SIZE, adopt(memory, SIZE_MAX - page() + 1, 0, ACRE_READ, 0));
    EXPECT_STATUS(ACRE_NULL_ARGUMENT, adopt(nullptr, page(), 0, ACRE_READ, 0));
    EXPECT_STATUS(ACRE_BAD_OFFSET, adopt(memory + 1, page(), 0, ACRE_READ, 0));
    EXPECT_STATUS(ACRE_BAD_OFFSET, adopt(memory, page() + 1, 0, ACRE_READ, 0));
    EXPECT_STATUS(ACRE_BAD_OPTION, adopt(memory, page(), 3, ACRE_READ, 0));
    EXPECT_STATUS(ACRE_BAD_OPTION, adopt(memory, page(), page() / 2, ACRE_READ, 0));
    EXPECT_STATUS(ACRE_BAD_ACCESS, adopt(memory, page(), 0, 8, 0));
    EXPECT_STATUS(ACRE_BAD_OPTION, adopt(memory, page(), 0, ACRE_READ, 1u << 31));
    EXPECT_STATUS(ACRE_BAD_OPTION, adopt(memory, page(), 0, ACRE_READ, ACRE_MAP_FIXED));
    EXPECT_STATUS(ACRE_BAD_OPTION, adopt(memory, page(), 0, ACRE_READ, ACRE_MAP_HUGE));
    EXPECT_STATUS(ACRE_BAD_OPTION,
                  adopt(memory, page(), 0, ACRE_READ, ACRE_IS_FILE | ACRE_IS_RESERVATION));
    EXPECT_STATUS(ACRE_BAD_OPTION,
                  adopt(memory, page(), 0, ACRE_READ, ACRE_IS_RESERVATION | ACRE_MAP_SHARED));
    const uint32_t contradictions[] = {
        ACRE_IS_CLONE | ACRE_MAP_SHARED, ACRE_IS_CLONE | ACRE_MAP_DROPPABLE,
        ACRE_IS_RING | ACRE_MAP_WIPE_ON_FORK, ACRE_IS_TWIN | ACRE_MAP_DROPPABLE,
        ACRE_IS_FILE | ACRE_MAP_WIPE_ON_FORK};
    for (uint32_t flag : contradictions) {
        EXPECT_STATUS(ACRE_BAD_OPTION, adopt(memory, page(), 0, ACRE_READ, flag));
    }
    EXPECT_STATUS(ACRE_UNSAFE_FLAG_NEEDED, adopt(memory, page(), 0, ACRE_READ_WRITE_EXEC, 0));
    EXPECT_TRUE(same(untouched, acre_mmap{}));
}

}  // namespace
