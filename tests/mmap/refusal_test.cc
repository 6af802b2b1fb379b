// Bad arguments: each has its status, in the order size, offset, range, option, state, and nothing
// changes.
#include "acre/area.h"
#include "acre/image.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

using Create = acre_status (*)(size_t, const acre_mmap_opts *, acre_mmap *);

acre_status anon(size_t size, const acre_mmap_opts *opts, acre_mmap *out)
{
    return acre_mmap_anon(size, ACRE_READ_WRITE, opts, out);
}

acre_status reserve(size_t size, const acre_mmap_opts *opts, acre_mmap *out)
{
    return acre_mmap_reserve(size, ACRE_READ_WRITE, opts, out);
}

acre_status file(size_t size, const acre_mmap_opts *opts, acre_mmap *out)
{
    return acre_mmap_file(0, 0, size, ACRE_READ, opts, out);
}

acre_status ring(size_t size, const acre_mmap_opts *opts, acre_mmap *out)
{
    return acre_mmap_ring(size, opts, out);
}

acre_status twin(size_t size, const acre_mmap_opts *opts, acre_mmap *out)
{
    acre_mmap exec;
    return acre_mmap_twin(size, opts, out, &exec);
}

const Create all[] = {anon, reserve, file, ring, twin};

void refused(acre_status expected, Create create, size_t size, const acre_mmap_opts &opts)
{
    acre_mmap untouched = {};
    untouched.size = 99;
    expect_refused(expected, untouched, [&] { return create(size, &opts, &untouched); });
}

TEST(Refusal, sizes_that_do_not_fit)
{
    for (Create create : all) {
        for (size_t size : {size_t{0}, SIZE_MAX, SIZE_MAX - page() + 1, SIZE_MAX / 2 + 2})
            refused(ACRE_BAD_SIZE, create, size, {});
        // A wrong size is told before a wrong option.
        refused(ACRE_BAD_SIZE, create, 0, flags(1u << 31));
    }
}

TEST(Refusal, unknown_flags_and_reserved_words)
{
    for (Create create : all) {
        for (uint32_t bit = 16; bit < 32; bit++)
            refused(ACRE_BAD_OPTION, create, page(), flags(1u << bit));
        for (int i = 0; i < 4; i++) {
            acre_mmap_opts opts = {};
            opts.reserved[i] = 1;
            refused(ACRE_BAD_OPTION, create, page(), opts);
        }
    }
}

TEST(Refusal, flags_that_a_call_does_not_take)
{
    for (uint32_t flag : {ACRE_MAP_NO_RESERVE, ACRE_MAP_WIPE_ON_FORK, ACRE_MAP_DROPPABLE,
                          ACRE_MAP_HUGE_TRANSPARENT, ACRE_MAP_LOCK_ON_FAULT}) {
        refused(ACRE_BAD_OPTION, file, page(), flags(flag));
        refused(ACRE_BAD_OPTION, ring, page(), flags(flag));
        refused(ACRE_BAD_OPTION, twin, page(), flags(flag));
    }
    refused(ACRE_BAD_OPTION, reserve, page(), flags(ACRE_MAP_SHARED));
    refused(ACRE_BAD_OPTION, ring, page(), flags(ACRE_MAP_SHARED));
    refused(ACRE_BAD_OPTION, twin, page(), flags(ACRE_MAP_LOCKED));
    refused(ACRE_BAD_OPTION, twin, page(), flags(ACRE_MAP_JIT));
}

TEST(Refusal, contradictions)
{
    const uint32_t pairs[] = {
        ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_NO_HUGE, ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_HUGE,
        ACRE_MAP_DONT_FORK | ACRE_MAP_WIPE_ON_FORK,   ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT,
        ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_SHARED,      ACRE_MAP_DROPPABLE | ACRE_MAP_SHARED,
        ACRE_MAP_DROPPABLE | ACRE_MAP_LOCKED,         ACRE_MAP_DROPPABLE | ACRE_MAP_LOCK_ON_FAULT,
    };
    for (uint32_t pair : pairs)
        refused(ACRE_BAD_OPTION, anon, page(), flags(pair));
}

TEST(Refusal, places)
{
    acre_mmap_opts opts = {};
    for (size_t alignment : {size_t{3}, page() + 1, 3 * page()}) {
        opts.alignment = alignment;
        for (Create create : all)
            refused(ACRE_BAD_ALIGNMENT, create, page(), opts);
    }
    for (uint32_t flag : {ACRE_MAP_FIXED, ACRE_MAP_REPLACE}) {
        opts = flags(flag);
        for (Create create : all)
            refused(ACRE_NULL_ARGUMENT, create, page(), opts);
        opts.address = reinterpret_cast<void *>(uintptr_t{0x10000} + 1);
        refused(ACRE_BAD_ALIGNMENT, anon, page(), opts);
        opts.address = reinterpret_cast<void *>(uintptr_t{0x30000});
        opts.alignment = 0x20000;
        refused(ACRE_BAD_ALIGNMENT, anon, page(), opts);
        opts.alignment = 0;
        opts.reach = 1 << 20;
        refused(ACRE_BAD_OPTION, anon, page(), opts);
    }
    opts = flags(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
    opts.address = reinterpret_cast<void *>(uintptr_t{0x30000});
    refused(ACRE_BAD_OPTION, anon, page(), opts);

    opts = {};
    opts.near_address = &opts;
    refused(ACRE_BAD_OPTION, anon, page(), opts);
}

TEST(Refusal, page_sizes)
{
    acre_mmap_opts opts = {};
    opts.page_size = page();
    refused(ACRE_BAD_OPTION, anon, page(), opts);
    opts = flags(ACRE_MAP_HUGE);
    opts.page_size = page();
    refused(ACRE_BAD_OPTION, anon, page(), opts);
    opts.page_size = 12345;
    refused(ACRE_BAD_OPTION, anon, page(), opts);
}

TEST(Refusal, access)
{
    acre_mmap untouched = {};
    for (uint32_t access : {8u, 16u, 1u << 31}) {
        expect_refused(ACRE_BAD_ACCESS, untouched,
                       [&] { return acre_mmap_anon(page(), access, nullptr, &untouched); });
        expect_refused(ACRE_BAD_ACCESS, untouched,
                       [&] { return acre_mmap_reserve(page(), access, nullptr, &untouched); });
        expect_refused(ACRE_BAD_ACCESS, untouched,
                       [&] { return acre_mmap_file(0, 0, page(), access, nullptr, &untouched); });
    }
}

TEST(Refusal, file_offsets)
{
    acre_mmap untouched = {};
    auto map_file = [&](uint64_t offset, size_t size) {
        return acre_mmap_file(0, offset, size, ACRE_READ, nullptr, &untouched);
    };
    expect_refused(ACRE_BAD_OFFSET, untouched, [&] { return map_file(1, page()); });
    expect_refused(ACRE_BAD_OFFSET, untouched, [&] { return map_file(page() / 2, page()); });
    expect_refused(ACRE_BAD_RANGE, untouched,
                   [&] { return map_file(UINT64_MAX - granule() + 1, page()); });
    expect_refused(ACRE_BAD_RANGE, untouched,
                   [&] { return map_file(INT64_MAX - granule() + 1, granule()); });
}

// ---- ranges -------------------------------------------------------------------------------------

using Range = acre_status (*)(acre_mmap *, size_t, size_t);

const Range page_ranges[] = {
    acre_mmap_commit,
    acre_mmap_decommit,
    acre_mmap_guard,
    acre_mmap_unguard,
    [](acre_mmap *map, size_t offset, size_t length) {
        return acre_mmap_commit_as(map, offset, length, ACRE_READ);
    },
    [](acre_mmap *map, size_t offset, size_t length) {
        return acre_mmap_protect(map, offset, length, ACRE_READ);
    },
    [](acre_mmap *map, size_t offset, size_t length) {
        return acre_mmap_discard(map, offset, length, 0);
    },
    [](acre_mmap *map, size_t offset, size_t length) {
        return acre_mmap_advise(map, offset, length, ACRE_ADVISE_NORMAL);
    },
};

const Range byte_ranges[] = {
    acre_mmap_populate,
    acre_mmap_lock,
    acre_mmap_lock_on_fault,
    acre_mmap_unlock,
    [](acre_mmap *map, size_t offset, size_t length) {
        return acre_mmap_flush(map, offset, length, 0);
    },
    [](acre_mmap *map, size_t offset, size_t length) {
        size_t resident;
        return acre_mmap_resident(map, offset, length, &resident);
    },
};

TEST(Refusal, ranges_off_a_page_and_outside)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    bytes(map)[0] = 7;
    for (Range call : page_ranges) {
        expect_refused(ACRE_BAD_OFFSET, map, [&] { return call(&map, 1, page()); });
        expect_refused(ACRE_BAD_OFFSET, map, [&] { return call(&map, 0, 1); });
        // The offset is told before the range.
        expect_refused(ACRE_BAD_OFFSET, map, [&] { return call(&map, SIZE_MAX, 0); });
    }
    auto outside = [&](Range call) {
        expect_refused(ACRE_BAD_RANGE, map, [&] { return call(&map, 0, 5 * page()); });
        expect_refused(ACRE_BAD_RANGE, map, [&] { return call(&map, 4 * page(), page()); });
        expect_refused(ACRE_BAD_RANGE, map, [&] { return call(&map, 5 * page(), 0); });
        expect_refused(ACRE_BAD_RANGE, map,
                       [&] { return call(&map, page(), SIZE_MAX - page() + 1); });
        expect_refused(ACRE_BAD_RANGE, map,
                       [&] { return call(&map, SIZE_MAX - page() + 1, 2 * page()); });
        // Nothing, anywhere up to the end, is done.
        EXPECT_OK(call(&map, 4 * page(), 0));
        EXPECT_OK(call(&map, 0, 0));
    };
    for (Range call : page_ranges)
        outside(call);
    for (Range call : byte_ranges)
        outside(call);
    EXPECT_EQ(7, bytes(map)[0]);
    EXPECT_EQ("rw-p", permissions(map.base));
}

TEST(Refusal, an_empty_handle_has_only_empty_ranges)
{
    acre_mmap empty = {};
    auto check = [&](Range call) {
        EXPECT_OK(call(&empty, 0, 0));
        expect_refused(ACRE_EMPTY_HANDLE, empty, [&] { return call(&empty, 0, page()); });
        expect_refused(ACRE_EMPTY_HANDLE, empty, [&] { return call(&empty, page(), 0); });
    };
    for (Range call : page_ranges)
        check(call);
    for (Range call : byte_ranges)
        check(call);
    expect_refused(ACRE_EMPTY_HANDLE, empty,
                   [&] { return acre_mmap_resize(&empty, page(), ACRE_RESIZE_IN_PLACE); });
    expect_refused(ACRE_EMPTY_HANDLE, empty, [&] { return acre_mmap_seal(&empty); });
    EXPECT_OK(acre_mmap_unmap(&empty));
}

TEST(Refusal, pointers_that_are_null)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, nullptr, &map));
    acre_mmap other = {};
    acre_image image = {};
    auto refuse = [&](acre_status status) { EXPECT_STATUS(ACRE_NULL_ARGUMENT, status); };
    for (Create create : all)
        refuse(create(page(), nullptr, nullptr));
    refuse(acre_mmap_twin(page(), nullptr, &other, nullptr));
    refuse(acre_mmap_path(nullptr, ACRE_READ, nullptr, &other, nullptr));
    refuse(acre_mmap_path("file", ACRE_READ, nullptr, nullptr, nullptr));
    refuse(acre_mmap_adopt(nullptr, page(), 0, ACRE_READ, 0, &other));
    refuse(acre_mmap_adopt(map.base, page(), 0, ACRE_READ, 0, nullptr));
    for (Range call : page_ranges)
        refuse(call(nullptr, 0, 0));
    for (Range call : byte_ranges)
        refuse(call(nullptr, 0, 0));
    refuse(acre_mmap_resident(&map, 0, page(), nullptr));
    refuse(acre_mmap_split(&map, page(), nullptr));
    refuse(acre_mmap_split(nullptr, page(), &other));
    refuse(acre_mmap_merge(&map, nullptr));
    refuse(acre_mmap_merge(nullptr, &map));
    refuse(acre_mmap_resize(nullptr, page(), 0));
    refuse(acre_mmap_seal(nullptr));
    refuse(acre_mmap_unmap(nullptr));
    refuse(acre_discard_many(nullptr, 1, ACRE_DISCARD_NOW, nullptr));
    refuse(acre_image_begin(page(), nullptr, &other));
    refuse(acre_image_begin(page(), &image, nullptr));
    refuse(acre_image_finish(nullptr, &other));
    refuse(acre_image_finish(&image, nullptr));
    refuse(acre_image_clone(nullptr, ACRE_READ, nullptr, &other));
    refuse(acre_image_clone(&image, ACRE_READ, nullptr, nullptr));
    EXPECT_OK(acre_image_close(nullptr));

    acre_area area;
    acre_areas view = {};
    refuse(acre_area_at(&map, nullptr));
    refuse(acre_area_count(nullptr));
    refuse(acre_areas_open(0, nullptr));
    refuse(acre_areas_next(nullptr, &area));
    refuse(acre_areas_next(&view, nullptr));
    refuse(acre_areas_seek(nullptr, 0));
    refuse(acre_areas_query(nullptr, 0, &area));
    refuse(acre_areas_query(&view, 0, nullptr));
    acre_areas_close(nullptr);
    refuse(acre_system_read(nullptr));
    EXPECT_TRUE(same(other, acre_mmap{}));
    EXPECT_EQ(2 * page(), map.size);
}

TEST(Refusal, unknown_manners)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
    expect_refused(ACRE_BAD_OPTION, map, [&] { return acre_mmap_discard(&map, 0, page(), 2); });
    expect_refused(ACRE_BAD_OPTION, map, [&] { return acre_mmap_flush(&map, 0, page(), 2); });
    expect_refused(ACRE_BAD_OPTION, map, [&] { return acre_mmap_resize(&map, page(), 2); });
    expect_refused(ACRE_BAD_ACCESS, map, [&] { return acre_mmap_protect(&map, 0, page(), 8); });
    expect_refused(ACRE_BAD_ACCESS, map, [&] { return acre_mmap_commit_as(&map, 0, page(), 8); });
    expect_refused(ACRE_BAD_OPTION, map,
                   [&] { return acre_mmap_advise(&map, 0, page(), static_cast<acre_advice>(15)); });
    expect_refused(ACRE_BAD_SIZE, map, [&] { return acre_mmap_resize(&map, 0, 0); });
    expect_refused(ACRE_BAD_SIZE, map, [&] { return acre_mmap_resize(&map, SIZE_MAX, 0); });
    acre_range range = {bytes(map, 1), page()};
    size_t done = 9;
    EXPECT_STATUS(ACRE_BAD_OFFSET, acre_discard_many(&range, 1, ACRE_DISCARD_NOW, &done));
    EXPECT_EQ(0u, done);
    EXPECT_STATUS(ACRE_BAD_OPTION, acre_discard_many(nullptr, 0, 2, nullptr));
    EXPECT_OK(acre_discard_many(nullptr, 0, ACRE_DISCARD_NOW, nullptr));
}

TEST(Refusal, a_sealed_map_takes_no_change)
{
    const size_t size = size_t{2} * 65536;
    static char room[size + 65536];
    char *memory = room + (-reinterpret_cast<uintptr_t>(room) & 65535);
    acre_mmap map = {};
    ASSERT_OK(acre_mmap_adopt(memory, size, 0, ACRE_READ, ACRE_IS_SEALED, &map));
    acre_mmap tail = {};
    expect_refused(ACRE_SEALED, map, [&] { return acre_mmap_unmap(&map); });
    expect_refused(ACRE_SEALED, map, [&] { return acre_mmap_split(&map, page(), &tail); });
    expect_refused(ACRE_SEALED, map, [&] { return acre_mmap_resize(&map, page(), 0); });
    for (Range call : page_ranges) {
        if (call != page_ranges[7])
            expect_refused(ACRE_SEALED, map, [&] { return call(&map, 0, size); });
    }
    EXPECT_OK(acre_mmap_seal(&map));
}

TEST(Refusal, images)
{
    acre_image image = {};
    acre_mmap map = {};
    EXPECT_STATUS(ACRE_BAD_SIZE, acre_image_begin(0, &image, &map));
    EXPECT_STATUS(ACRE_BAD_SIZE, acre_image_begin(SIZE_MAX, &image, &map));
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_image_finish(&image, &map));
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_image_clone(&image, ACRE_READ, nullptr, &map));
    EXPECT_OK(acre_image_close(&image));
    EXPECT_TRUE(same(map, acre_mmap{}));
}

}  // namespace
