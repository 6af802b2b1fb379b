// How ranges, cuts and new sizes of a map follow from its page size.
#include "tests/mmap/page_size.h"

using namespace acre_test;

namespace {

FOR_EACH_SYSTEM(PageSize);

// ---- ranges -------------------------------------------------------------------------------------

using OnPages = acre_status (*)(acre_mmap *map, size_t offset, size_t length);

acre_status protect(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_protect(map, offset, length, ACRE_READ);
}

acre_status commit_as(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_commit_as(map, offset, length, ACRE_READ);
}

acre_status discard(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_discard(map, offset, length, ACRE_DISCARD_LAZY);
}

acre_status advise(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_advise(map, offset, length, ACRE_ADVISE_NO_DUMP);
}

acre_status flush(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_flush(map, offset, length, ACRE_FLUSH_WAIT);
}

acre_status resident(acre_mmap *map, size_t offset, size_t length)
{
    size_t bytes = 99;
    acre_status status = acre_mmap_resident(map, offset, length, &bytes);
    EXPECT_EQ(status != ACRE_OK ? 99 : length == 0 ? 0 : fake.length, bytes);
    return status;
}

const struct {
    const char *name;
    OnPages call;
} on_pages[] = {
    {"commit", acre_mmap_commit}, {"commit", commit_as},      {"decommit", acre_mmap_decommit},
    {"protect", protect},         {"guard", acre_mmap_guard}, {"unguard", acre_mmap_unguard},
    {"discard", discard},         {"advise", advise},
};

const struct {
    const char *name;
    OnPages call;
} on_bytes[] = {
    {"lock", acre_mmap_lock},
    {"lock_on_fault", acre_mmap_lock_on_fault},
    {"unlock", acre_mmap_unlock},
    {"populate", acre_mmap_populate},
    {"flush", flush},
    {"resident", resident},
};

TEST_P(PageSize, ranges_of_pages_are_passed_on_as_they_are)
{
    for (auto each : on_pages) {
        acre_mmap map = anon(8 * page);
        const size_t ranges[][2] = {{0, page}, {0, 8 * page}, {page, 3 * page}, {7 * page, page}};
        for (auto range : ranges) {
            EXPECT_OK(each.call(&map, range[0], range[1]));
            expect_asked(each.name, map, range[0], range[1]);
        }
    }
}

TEST_P(PageSize, ranges_of_no_whole_pages_are_refused)
{
    for (auto each : on_pages) {
        acre_mmap map = anon(8 * page);
        int calls = fake.calls;
        const size_t ranges[][2] = {{1, page},     {0, 1},        {page / 2, page / 2},
                                    {0, page - 1}, {page / 2, 0}, {SIZE_MAX, 1}};
        for (auto range : ranges)
            EXPECT_STATUS(ACRE_BAD_OFFSET, each.call(&map, range[0], range[1])) << each.name;
        EXPECT_EQ(calls, fake.calls);
    }
}

TEST_P(PageSize, ranges_that_leave_the_map_are_refused_without_overflow)
{
    auto refused = [&](OnPages call, const char *name, size_t offset, size_t length) {
        acre_mmap map = anon(8 * page);
        int calls = fake.calls;
        EXPECT_STATUS(ACRE_BAD_RANGE, call(&map, offset, length))
            << name << " " << offset << " " << length;
        EXPECT_EQ(calls, fake.calls);
    };
    const size_t last = SIZE_MAX - page + 1;  // the last page of all addresses
    const size_t ranges[][2] = {
        {0, 9 * page}, {8 * page, page}, {9 * page, 0}, {page, 8 * page},
        {page, last},  {last, page},     {last, 0},     {last, 2 * page},
        {last, last},  {2 * page, last}, {0, last},     {SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1}};
    for (auto range : ranges) {
        for (auto each : on_pages)
            refused(each.call, each.name, range[0], range[1]);
        for (auto each : on_bytes)
            refused(each.call, each.name, range[0], range[1]);
    }
    for (auto each : on_bytes) {
        refused(each.call, each.name, 0, 8 * page + 1);
        refused(each.call, each.name, 8 * page, 1);
        refused(each.call, each.name, 8 * page + 1, 0);
        refused(each.call, each.name, 1, SIZE_MAX);
        refused(each.call, each.name, SIZE_MAX, 2);
    }
}

TEST_P(PageSize, ranges_of_length_0_do_nothing)
{
    acre_mmap map = anon(8 * page);
    acre_mmap empty = {};
    int calls = fake.calls;
    for (auto each : on_pages) {
        EXPECT_OK(each.call(&map, 0, 0));
        EXPECT_OK(each.call(&map, 8 * page, 0));
        EXPECT_OK(each.call(&empty, 0, 0));
        EXPECT_STATUS(ACRE_EMPTY_HANDLE, each.call(&empty, page, 0));
        EXPECT_STATUS(ACRE_BAD_OFFSET, each.call(&empty, page / 2, 0));
    }
    for (auto each : on_bytes) {
        EXPECT_OK(each.call(&map, page / 2, 0));
        EXPECT_OK(each.call(&map, 8 * page, 0));
        EXPECT_OK(each.call(&empty, 0, 0));
        EXPECT_STATUS(ACRE_EMPTY_HANDLE, each.call(&empty, 1, 0));
    }
    EXPECT_EQ(calls, fake.calls);
}

TEST_P(PageSize, bytes_are_widened_to_the_pages_that_hold_them)
{
    const struct {
        size_t offset, length, first, pages;
    } cases[] = {
        {0, 1, 0, 1},
        {page - 1, 1, 0, 1},
        {page - 1, 2, 0, 2},
        {page, 1, 1, 1},
        {page / 2, page, 0, 2},
        {page, page, 1, 1},
        {1, page - 1, 0, 1},
        {8 * page - 1, 1, 7, 1},
        {1, 8 * page - 1, 0, 8},
        {0, 8 * page, 0, 8},
        {3 * page - 1, page + 2, 2, 3},
    };
    acre_mmap map = {};
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_EQ(ACRE_OK, acre_mmap_file(1, 0, 8 * page, ACRE_READ_WRITE, &opts, &map));
    for (auto each : on_bytes) {
        for (auto span : cases) {
            EXPECT_OK(each.call(&map, span.offset, span.length));
            expect_asked(each.name, map, span.first * page, span.pages * page);
        }
    }
}

TEST_P(PageSize, bytes_of_the_largest_maps)
{
    // Adopted ones may be half of the addresses.
    acre_mmap map = {};
    size_t size = SIZE_MAX / 2 + 1;
    ASSERT_EQ(ACRE_OK, acre_mmap_adopt(reinterpret_cast<char *>(page), size, 0, ACRE_READ_WRITE,
                                       ACRE_IS_FILE | ACRE_MAP_SHARED, &map));
    for (auto each : on_bytes) {
        EXPECT_OK(each.call(&map, 1, size - 1));
        expect_asked(each.name, map, 0, size);
        EXPECT_OK(each.call(&map, size - 1, 1));
        expect_asked(each.name, map, size - page, page);
    }
}

TEST_P(PageSize, discard_many_takes_whole_pages)
{
    size_t done = 99;
    acre_range ranges[] = {
        {somewhere, page}, {somewhere + 2 * page, 5 * page}, {somewhere + page, 0}};
    EXPECT_OK(acre_discard_many(ranges, 3, ACRE_DISCARD_NOW, &done));
    EXPECT_EQ(3u, done);
    int calls = fake.calls;
    for (acre_range wrong :
         {acre_range{somewhere + page / 2, page}, acre_range{somewhere, page + page / 2},
          acre_range{somewhere + 1, 0}}) {
        ranges[1] = wrong;
        EXPECT_STATUS(ACRE_BAD_OFFSET, acre_discard_many(ranges, 3, ACRE_DISCARD_NOW, &done));
        EXPECT_EQ(0u, done);
    }
    EXPECT_EQ(calls, fake.calls);
}

// ---- cutting and resizing -----------------------------------------------------------------------

TEST_P(PageSize, cuts_are_at_pages_inside)
{
    acre_mmap map = {};
    ASSERT_EQ(ACRE_OK, acre_mmap_file(1, 4 * granularity, 8 * page, ACRE_READ, nullptr, &map));
    for (size_t at : {size_t{1}, page / 2, page + page / 2, SIZE_MAX, 8 * page + 1})
        expect_refused(ACRE_BAD_OFFSET,
                       [&](acre_mmap *out) { return acre_mmap_split(&map, at, out); });
    for (size_t at : {size_t{0}, 8 * page, 9 * page, SIZE_MAX - page + 1})
        expect_refused(ACRE_BAD_RANGE,
                       [&](acre_mmap *out) { return acre_mmap_split(&map, at, out); });

    acre_mmap tail = {};
    char *base = static_cast<char *>(map.base);
    EXPECT_OK(acre_mmap_split(&map, 3 * page, &tail));
    EXPECT_EQ(3 * page, map.size);
    EXPECT_EQ(5 * page, tail.size);
    EXPECT_EQ(base + 3 * page, tail.base);
    EXPECT_EQ(4 * granularity + 3 * page, tail.offset);
    EXPECT_OK(acre_mmap_merge(&map, &tail));
    EXPECT_EQ(8 * page, map.size);
    EXPECT_EQ(0u, tail.size);
}

TEST_P(PageSize, resizing_goes_by_pages)
{
    acre_mmap map = anon(8 * page);
    int calls = fake.calls;
    EXPECT_OK(acre_mmap_resize(&map, 7 * page + 1, ACRE_RESIZE_IN_PLACE));
    EXPECT_OK(acre_mmap_resize(&map, 8 * page, ACRE_RESIZE_IN_PLACE));
    EXPECT_EQ(calls, fake.calls);
    EXPECT_OK(acre_mmap_resize(&map, 7 * page, ACRE_RESIZE_IN_PLACE));
    expect_asked("resize", map, 0, 7 * page);
    EXPECT_OK(acre_mmap_resize(&map, 9 * page + 1, ACRE_RESIZE_IN_PLACE));
    expect_asked("resize", map, 0, 10 * page);
    EXPECT_OK(acre_mmap_resize(&map, 1, ACRE_RESIZE_IN_PLACE));
    EXPECT_EQ(page, map.size);
    calls = fake.calls;
    for (size_t size : {size_t{0}, SIZE_MAX, SIZE_MAX / 2 + 2, SIZE_MAX - page + 1})
        EXPECT_STATUS(ACRE_BAD_SIZE, acre_mmap_resize(&map, size, ACRE_RESIZE_MAY_MOVE));
    EXPECT_EQ(calls, fake.calls);
    EXPECT_EQ(page, map.size);
}

}  // namespace
