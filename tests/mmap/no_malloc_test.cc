// No function of //mmap calls malloc or anything that does: this program's own malloc family aborts while one runs.
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "acre/area.h"
#include "acre/icache.h"
#include "acre/image.h"
#include "mmap/port.h"
#include "tests/mmap/maps.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_MALLOC_OF_ITS_OWN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_MALLOC_OF_ITS_OWN
#endif
#endif

#if !defined(HAS_MALLOC_OF_ITS_OWN)

namespace {

std::atomic<bool> forbidden{false};

// Memory for everyone else: handed out once and never taken back.
alignas(64) char memory[size_t{64} << 20];
std::atomic<size_t> used{0};

void *allocate(size_t alignment, size_t size)
{
    if (forbidden)
        abort();
    if (alignment < 16)
        alignment = 16;
    // Each block remembers its size in the 16 bytes before it.
    size_t room = (size + alignment + 31) / 16 * 16;
    size_t at = used.fetch_add(room);
    if (at + room > sizeof memory)
        return nullptr;
    size_t start = (at + 16 + alignment - 1) / alignment * alignment;
    std::memcpy(memory + start - sizeof size, &size, sizeof size);
    return memory + start;
}

size_t size_of(void *block)
{
    size_t size;
    std::memcpy(&size, static_cast<char *>(block) - sizeof size, sizeof size);
    return size;
}

}  // namespace

extern "C" {
void *malloc(size_t size)
{
    return allocate(16, size);
}
void free(void *)
{
    if (forbidden)
        abort();
}
void *calloc(size_t count, size_t size)
{
    return size != 0 && count > SIZE_MAX / size ? nullptr : allocate(16, count * size);
}
void *realloc(void *block, size_t size)
{
    void *fresh = allocate(16, size);
    if (block != nullptr && fresh != nullptr)
        std::memcpy(fresh, block, size_of(block) < size ? size_of(block) : size);
    return fresh;
}
void *memalign(size_t alignment, size_t size)
{
    return allocate(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size)
{
    return allocate(alignment, size);
}
int posix_memalign(void **block, size_t alignment, size_t size)
{
    *block = allocate(alignment, size);
    return *block != nullptr ? 0 : ENOMEM;
}
}

#endif

using namespace acre_test;

namespace {

// Nothing in here may allocate, so nothing in here is an assertion: the calls that did not go as they should are counted.
struct Expect {
    int wrong = 0;
    void operator()(acre_status expected, acre_status status)
    {
        wrong += status != expected;
    }
    // What not every system can.
    void operator()(acre_status status)
    {
        wrong += status != ACRE_OK && status != -EINVAL && status != -ENOMEM && !acre_status_unsupported(status);
    }
};

void use_objects(Expect &expect)
{
    acre_mmap map = {}, other = {};
    acre_mmap_opts opts = flags(ACRE_MAP_NO_DUMP);
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
    expect(ACRE_BAD_STATE, acre_image_finish(&image, &map));
    expect(ACRE_BAD_STATE, acre_image_clone(&image, ACRE_READ, nullptr, &map));
}

void use_contents(Expect &expect, const char *path)
{
    acre_mmap map = {};
    acre_mmap_opts opts = flags(ACRE_MAP_LOCKED | ACRE_MAP_NO_DUMP);
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
    expect(ACRE_OK, acre_mmap_lock_on_fault(&map, page(), page()));
    expect(ACRE_OK, acre_mmap_unlock(&map, 0, map.size));
    for (int advice = 0; advice <= ACRE_ADVISE_KEEP_ON_FORK; advice++)
        expect(acre_mmap_advise(&map, 0, map.size, static_cast<acre_advice>(advice)));
    acre_range ranges[] = {{map.base, page()}, {bytes(map, 2 * page()), page()}, {nullptr, page()}};
    expect(ACRE_OK, acre_discard_many(ranges, 2, ACRE_DISCARD_NOW, nullptr));
    expect(-ENOMEM, acre_discard_many(ranges, 3, ACRE_DISCARD_LAZY, nullptr));
    expect(ACRE_OK, acre_mmap_resize(&map, 4 * page(), ACRE_RESIZE_IN_PLACE));
    expect(ACRE_OK, acre_mmap_resize(&map, 640 * page(), ACRE_RESIZE_MAY_MOVE));
    expect(ACRE_BAD_STATE, acre_mmap_resize(&map, SIZE_MAX / 2 - page(), ACRE_RESIZE_MAY_MOVE));  // advised in part
    expect(ACRE_OK, acre_mmap_unmap(&map));

    opts = flags(ACRE_MAP_SHARED);
    expect(ACRE_OK, acre_mmap_path(path, ACRE_READ_WRITE, &opts, &map, nullptr));
    expect(ACRE_OK, acre_mmap_flush(&map, 0, 1, ACRE_FLUSH_ASYNC));
    expect(ACRE_OK, acre_mmap_flush(&map, 0, 1, ACRE_FLUSH_WAIT));
    expect(ACRE_OK, acre_mmap_resize(&map, 16 * page(), ACRE_RESIZE_MAY_MOVE));
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

    use_objects(expect);
    use_contents(expect, path);

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
    return wrong + expect.wrong;
}

TEST(NoMalloc, is_called_by_any_function)
{
    File file(std::string(3 * page(), 'f'));
#if defined(HAS_MALLOC_OF_ITS_OWN)
    EXPECT_EQ(0, use_everything(file.path.c_str()));
    GTEST_SKIP() << "the sanitizer brings a malloc of its own, which it calls itself";
#else
    forbidden = true;
    int wrong = use_everything(file.path.c_str());
    forbidden = false;
    EXPECT_EQ(0, wrong);
#endif
}

TEST(NoMalloc, would_be_caught)
{
#if defined(HAS_MALLOC_OF_ITS_OWN)
    GTEST_SKIP() << "the sanitizer brings a malloc of its own, which it calls itself";
#else
    Ended ended = in_child([] {
        forbidden = true;
        void *volatile block = std::malloc(1);
        return block == nullptr;
    });
    EXPECT_FALSE(ended.exited);
    EXPECT_EQ(SIGABRT, ended.code);
#endif
}

}  // namespace
