// No function of //mmap calls malloc or anything that does: this program's own malloc family aborts
// while one runs.
#include <cstdlib>

#include "acre/area.h"
#include "acre/icache.h"
#include "acre/image.h"
#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"

#include "tests/support/no_malloc.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE("NoMalloc.is_called_by_any_function");

// Nothing in here may allocate, so nothing in here is an assertion: the calls that did not go as
// they should are counted.
struct Expect {
    int wrong = 0;
    void operator()(acre_status expected, acre_status status)
    {
        wrong += status != expected;
    }
    // What not every system can.
    void operator()(acre_status status)
    {
        wrong += status != ACRE_OK && status != -EINVAL && status != -ENOMEM &&
                 !acre_status_unsupported(status);
    }
};

void use_objects(Expect &expect)
{
    acre_mmap map = {}, other = {};
    acre_mmap_opts opts = flags(no_dump());
    opts.name = "named";
    expect(ACRE_OK, acre_mmap_ring(page(), &opts, &map));
    expect(ACRE_OK, acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_NOW));
    expect(ACRE_OK, acre_mmap_unmap(&map));
    opts.near_address = &opts;
    opts.reach = size_t{1} << 31;
    expect(ACRE_OK, acre_mmap_twin(page(), &opts, &map, &other));
    expect(ACRE_OK, acre_mmap_unmap(&map));
    expect(ACRE_OK, acre_mmap_unmap(&other));
    expect(ACRE_OK, acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map));
    expect(ACRE_OK, acre_mmap_unmap(&map));

    acre_image image = {};
    expect(ACRE_OK, acre_image_begin(page(), &image, &map));
    expect(ACRE_OK, acre_image_finish(&image, &map));
    expect(ACRE_OK, acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &map));
    expect(ACRE_OK, acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_NOW));
    expect(ACRE_OK, acre_mmap_unmap(&map));
    expect(ACRE_OK, acre_image_close(&image));
    expect(ACRE_EMPTY_HANDLE, acre_image_finish(&image, &map));
    expect(ACRE_EMPTY_HANDLE, acre_image_clone(&image, ACRE_READ, nullptr, &map));
}

void use_contents(Expect &expect, const char *path)
{
    acre_mmap map = {};
    acre_mmap_opts opts = flags(ACRE_MAP_LOCKED | no_dump());
    opts.node_plus_one = 1;
    expect(ACRE_OK, acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, &opts, &map));
    expect(ACRE_OK, acre_mmap_commit(&map, 0, 4 * page()));
    expect(ACRE_OK, acre_mmap_guard(&map, 0, page()));
    expect(ACRE_OK, acre_mmap_unguard(&map, 0, page()));
    expect(ACRE_OK, acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_NOW));
    expect(ACRE_OK, acre_mmap_decommit(&map, 0, 8 * page()));
    expect(ACRE_OK, acre_mmap_unmap(&map));

    opts = flags(ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_DROPPABLE);
    expect(ACRE_OK, acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
    expect(ACRE_OK, acre_mmap_unmap(&map));
    opts = flags(ACRE_MAP_HUGE);
    expect(acre_mmap_reserve(1, ACRE_READ_WRITE, &opts, &map));
    expect(acre_mmap_commit(&map, 0, map.size));
    expect(ACRE_OK, acre_mmap_unmap(&map));

    expect(ACRE_OK, acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    expect(acre_mmap_populate(&map, 0, map.size));
    expect(ACRE_OK, acre_mmap_lock(&map, 0, page()));
    expect(acre_mmap_lock_on_fault(&map, page(), page()));
    expect(ACRE_OK, acre_mmap_unlock(&map, 0, map.size));
    for (int advice = 0; advice <= ACRE_ADVISE_KEEP_ON_FORK; advice++)
        expect(acre_mmap_advise(&map, 0, map.size, static_cast<acre_advice>(advice)));
    acre_range ranges[] = {{map.base, page()}, {bytes(map, 2 * page()), page()}, {nullptr, page()}};
    expect(ACRE_OK, acre_discard_many(ranges, 2, ACRE_DISCARD_NOW, nullptr));
    expect(-ENOMEM, acre_discard_many(ranges, 3, ACRE_DISCARD_LAZY, nullptr));
    expect(ACRE_OK, acre_mmap_resize(&map, 4 * page(), ACRE_RESIZE_IN_PLACE));
    expect(ACRE_OK, acre_mmap_resize(&map, 640 * page(), ACRE_RESIZE_MAY_MOVE));
    expect(acre_mmap_resize(&map, SIZE_MAX / 2 - page(), ACRE_RESIZE_MAY_MOVE));  // advised in part
    expect(ACRE_OK, acre_mmap_unmap(&map));

    opts = flags(ACRE_MAP_SHARED);
    expect(ACRE_OK, acre_mmap_path(path, ACRE_READ_WRITE, &opts, &map, nullptr));
    expect(ACRE_OK, acre_mmap_flush(&map, 0, 1, ACRE_FLUSH_ASYNC));
    expect(ACRE_OK, acre_mmap_flush(&map, 0, 1, ACRE_FLUSH_WAIT));
    expect(acre_mmap_resize(&map, 16 * page(), ACRE_RESIZE_MAY_MOVE));
    expect(ACRE_OK, acre_mmap_unmap(&map));

    // Stays for the life of the process.
    expect(ACRE_OK, acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
    expect(acre_mmap_seal(&map));
}

// The number of calls that did not go as they should.
int use_everything(const char *path)
{
    Expect expect;
    int wrong = 0;
    acre_mmap map = {}, other = {}, tail = {};
    acre_area area;
    size_t value;
    uint64_t count;
    acre_system system;
    size_t sizes[8];

    wrong += acre_page_size() == 0 || acre_allocation_granularity() == 0 ||
             acre_page_sizes(sizes, 8) < 1;
    for (int i = 0; i < ACRE_CAPABILITY_COUNT; i++)
        wrong += acre_can(static_cast<acre_capability>(i)) > 1;
    expect(ACRE_OK, acre_system_read(&system));
    wrong += acre_version() == nullptr || acre_status_name(-ENOMEM) == nullptr ||
             acre_status_text(-ENOMEM) == nullptr || acre_status_unsupported(0);

    acre_mmap_opts opts = {};
    opts.alignment = 16 * page();
    opts.flags = ACRE_MAP_POPULATE | ACRE_MAP_NO_HUGE;
    expect(ACRE_OK, acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
    expect(ACRE_OK, acre_mmap_guard(&map, 0, page()));
    expect(ACRE_OK, acre_mmap_unguard(&map, 0, page()));
    expect(ACRE_OK, acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_NOW));
    expect(ACRE_OK, acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_LAZY));
    expect(ACRE_OK, acre_mmap_resident(&map, 0, map.size, &value));
    expect(ACRE_OK, acre_mmap_protect(&map, 0, page(), ACRE_READ_EXEC));
    expect(ACRE_OK, acre_mmap_split(&map, page(), &tail));
    expect(ACRE_OK, acre_mmap_merge(&map, &tail));
    acre_icache_flush(map.base, page());
    acre_jit_write(0);
    expect(ACRE_OK, acre_mmap_adopt(map.base, map.size, 0, ACRE_READ, 0, &other));
    expect(ACRE_OK, acre_mmap_unmap(&other));

    expect(ACRE_OK, acre_mmap_reserve(64 * page(), ACRE_READ_WRITE, nullptr, &map));
    expect(ACRE_OK, acre_mmap_commit(&map, 0, page()));
    expect(ACRE_OK, acre_mmap_commit_as(&map, 0, page(), ACRE_READ));
    expect(ACRE_OK, acre_mmap_decommit(&map, 0, page()));
    expect(ACRE_OK, acre_mmap_unmap(&map));

    uint64_t size;
    expect(ACRE_OK, acre_mmap_path(path, ACRE_READ, nullptr, &map, &size));
    expect(ACRE_OK, acre_mmap_split(&map, page(), &tail));
    expect(ACRE_OK, acre_mmap_merge(&map, &tail));
    expect(ACRE_OK, acre_mmap_unmap(&map));
    expect(-EBADF, acre_mmap_file(-1, 0, page(), ACRE_READ, nullptr, &map));

    use_objects(expect);
    use_contents(expect, path);

    expect(ACRE_OK, acre_area_at(&map, &area));
    expect(ACRE_OK, acre_area_count(&count));
    for (int way = 0; way < 2; way++) {
        acre_areas view;
        acre_status status;
        expect(ACRE_OK, acre_areas_open(0, &view));
        while ((status = acre_areas_next(&view, &area)) == 1) {}
        expect(ACRE_OK, status);
        expect(ACRE_OK, acre_areas_query(&view, reinterpret_cast<uintptr_t>(&map), &area));
        expect(ACRE_OK, acre_areas_seek(&view, 1));
        expect(1, acre_areas_next(&view, &area));
        acre_areas_close(&view);
        acre_port_pretend_without(ACRE_CAN_QUERY_IN_CONSTANT_TIME);
        acre_port_pretend_without(ACRE_CAN_COUNT_RESIDENT_EXACTLY);
        expect(ACRE_OK, acre_area_at(&map, &area));
    }
    acre_port_pretend_nothing();
    return wrong + expect.wrong;
}

TEST(NoMalloc, is_called_by_any_function)
{
    if (!can_forbid_malloc())
        GTEST_SKIP() << "the sanitizer brings a malloc of its own, which it calls itself";
    File file(std::string(3 * page(), 'f'));
    forbid_malloc(true);
    int wrong = use_everything(file.path.c_str());
    forbid_malloc(false);
    EXPECT_EQ(0, wrong);
}

TEST(NoMalloc, would_be_caught)
{
    if (!can_forbid_malloc())
        GTEST_SKIP() << "the sanitizer brings a malloc of its own, which it calls itself";
    Ended ended = in_child([] {
        forbid_malloc(true);
        void *volatile block = std::malloc(1);
        return block == nullptr;
    });
    EXPECT_FALSE(ended.exited);
    EXPECT_EQ(SIGABRT, ended.code);
}

}  // namespace
