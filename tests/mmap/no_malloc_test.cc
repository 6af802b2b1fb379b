// No function of //mmap calls malloc or anything that does: this program's own malloc family aborts while one runs.
#include <cstdlib>

#include "acre/area.h"
#include "acre/icache.h"
#include "acre/image.h"
#include "mmap/port.h"
#include "tests/mmap/maps.h"

#include "tests/support/no_malloc.h"

using namespace acre_test;

namespace {

// Nothing in here may allocate, so nothing in here is an assertion: it answers the number of calls that did not go as they
// should.
int use_everything(const char *path)
{
    int wrong = 0;
    auto expect = [&](acre_status expected, acre_status status) { wrong += status != expected; };
    acre_mmap map = {}, other = {}, tail = {};
    acre_area area;
    size_t value;
    uint64_t count;
    acre_system system;
    size_t sizes[8];

    wrong += acre_page_size() == 0 || acre_allocation_granularity() == 0 || acre_page_sizes(sizes, 8) < 1;
    for (int i = 0; i < ACRE_CAPABILITY_COUNT; i++)
        wrong += acre_can(static_cast<acre_capability>(i)) > 1;
    expect(ACRE_OK, acre_system_read(&system));
    wrong += acre_version() == nullptr || acre_status_name(-ENOMEM) == nullptr || acre_status_text(-ENOMEM) == nullptr ||
             acre_status_unsupported(0);

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

    expect(-ENOTSUP, acre_mmap_ring(page(), nullptr, &map));
    expect(-ENOTSUP, acre_mmap_twin(page(), nullptr, &map, &other));
    acre_image image = {};
    expect(-ENOTSUP, acre_image_begin(page(), &image, &map));
    expect(ACRE_BAD_STATE, acre_image_finish(&image, &map));
    expect(ACRE_BAD_STATE, acre_image_clone(&image, ACRE_READ, nullptr, &map));
    expect(ACRE_OK, acre_image_close(&image));
    expect(ACRE_OK, acre_mmap_populate(&map, 0, 0));
    expect(ACRE_OK, acre_mmap_lock(&map, 0, 0));
    expect(ACRE_OK, acre_mmap_lock_on_fault(&map, 0, 0));
    expect(ACRE_OK, acre_mmap_unlock(&map, 0, 0));
    expect(ACRE_OK, acre_mmap_flush(&map, 0, 0, ACRE_FLUSH_WAIT));
    expect(ACRE_OK, acre_mmap_advise(&map, 0, 0, ACRE_ADVISE_NORMAL));
    expect(ACRE_OK, acre_discard_many(nullptr, 0, ACRE_DISCARD_NOW, nullptr));
    expect(ACRE_BAD_STATE, acre_mmap_resize(&map, page(), ACRE_RESIZE_IN_PLACE));
    expect(ACRE_BAD_STATE, acre_mmap_seal(&map));

    expect(ACRE_OK, acre_area_at(&map, &area));
    expect(ACRE_OK, acre_area_count(&count));
    for (int way = 0; way < 2; way++) {
        acre_areas view;
        acre_status status;
        expect(ACRE_OK, acre_areas_open(0, &view));
        while ((status = acre_areas_next(&view, &area)) == 1) {
        }
        expect(ACRE_OK, status);
        expect(ACRE_OK, acre_areas_query(&view, reinterpret_cast<uintptr_t>(&map), &area));
        expect(ACRE_OK, acre_areas_seek(&view, 1));
        expect(1, acre_areas_next(&view, &area));
        acre_areas_close(&view);
        port_pretend_without(ACRE_CAN_QUERY_IN_CONSTANT_TIME);
        port_pretend_without(ACRE_CAN_COUNT_RESIDENT_EXACTLY);
        expect(ACRE_OK, acre_area_at(&map, &area));
    }
    port_pretend_nothing();
    return wrong;
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
