// Windows: what a call leaves that the system refuses half-way.
#include <windows.h>

#include <cerrno>
#include <functional>

#include "tests/mmap/maps.h"
#include "tests/mmap/refusing_windows.h"

using namespace acre_test;

namespace {

acre_mmap_opts at(void *address, uint32_t more = 0)
{
    acre_mmap_opts opts = flags(ACRE_MAP_REPLACE | more);
    opts.address = address;
    return opts;
}

using Make = std::function<acre_status(const acre_mmap_opts *opts, acre_mmap *out)>;

struct Kind {
    const char *name;
    bool keeps;  // its contents lie in an object
    Make make;
};

constexpr size_t kUnits = 4;

// Each makes 4 granules.
std::vector<Kind> kinds(const File &file)
{
    intptr_t handle = handle_of(file.descriptor);
    auto shared = [](const acre_mmap_opts *opts) {
        acre_mmap_opts more = opts != nullptr ? *opts : acre_mmap_opts{};
        more.flags |= ACRE_MAP_SHARED;
        return more;
    };
    return {
        {"private memory", false,
         [](const acre_mmap_opts *opts, acre_mmap *out) {
             return acre_mmap_anon(kUnits * granule(), ACRE_READ_WRITE, opts, out);
         }},
        {"shared memory", true,
         [=](const acre_mmap_opts *opts, acre_mmap *out) {
             acre_mmap_opts more = shared(opts);
             return acre_mmap_anon(kUnits * granule(), ACRE_READ_WRITE, &more, out);
         }},
        {"shared file", true,
         [=](const acre_mmap_opts *opts, acre_mmap *out) {
             acre_mmap_opts more = shared(opts);
             return acre_mmap_file(handle, 0, kUnits * granule(), ACRE_READ_WRITE, &more, out);
         }},
        {"private file", false,
         [=](const acre_mmap_opts *opts, acre_mmap *out) {
             return acre_mmap_file(handle, 0, kUnits * granule(), ACRE_READ_WRITE, opts, out);
         }},
        {"ring", true,
         [](const acre_mmap_opts *opts, acre_mmap *out) {
             return acre_mmap_ring(kUnits / 2 * granule(), opts, out);
         }},
    };
}

bool is_free(const void *address)
{
    MEMORY_BASIC_INFORMATION info;
    return VirtualQuery(address, &info, sizeof info) != 0 && info.State == MEM_FREE;
}

void expect_whole(const Kind &kind, const acre_mmap &map)
{
    for (size_t i = 0; i < kUnits; i++) {
        const char *start = bytes(map, i * granule());
        bool closed = i == 1;
        ASSERT_STREQ(closed ? "r--" : "rw-", permissions(start).substr(0, 3).c_str()) << i;
        if (kind.keeps) {
            EXPECT_EQ(5, start[0]) << i;
            EXPECT_EQ(5, start[granule() - 1]) << i;
        }
    }
}

// Each call that the library makes for it is refused in turn, until none is.
void replace_by(const Kind &old, const Kind &fresh)
{
    SCOPED_TRACE(std::string(old.name) + " by " + fresh.name);
    for (size_t passed = 0;; passed++) {
        SCOPED_TRACE(passed);
        ASSERT_LT(passed, 200u);
        acre_mmap map = {};
        ASSERT_OK(old.make(nullptr, &map));
        std::memset(map.base, 5, map.size);
        ASSERT_OK(acre_mmap_protect(&map, granule(), granule(), ACRE_READ));
        acre_mmap_opts opts = at(map.base);
        acre_mmap part = {};
        refuse_one(passed, ERROR_COMMITMENT_LIMIT);
        acre_status status = fresh.make(&opts, &part);
        bool refused = one_was_refused();
        if (status != ACRE_OK) {
            ASSERT_TRUE(refused) << status;
            expect_whole(old, map);
        } else {
            ASSERT_OK(acre_mmap_unmap(&part));
        }
        ASSERT_OK(acre_mmap_unmap(&map));
        EXPECT_TRUE(is_free(opts.address));
        EXPECT_TRUE(is_free(static_cast<char *>(opts.address) + (kUnits - 1) * granule()));
        if (!refused)
            break;
    }
}

class RefusedReplace : public testing::Test {
  protected:
    void SetUp() override
    {
        if (!acre_can(ACRE_CAN_REPLACE))
            GTEST_SKIP() << "nothing can be replaced here";
    }
};

TEST_F(RefusedReplace, leaves_the_old_map_whole)
{
    File file(std::string(kUnits * granule(), 'f'));
    for (const Kind &old : kinds(file)) {
        for (const Kind &fresh : kinds(file))
            replace_by(old, fresh);
    }
}

// The first of the three parts is already gone when the third is refused.
TEST_F(RefusedReplace, leaves_whole_what_was_replaced_before)
{
    File file(std::string(kUnits * granule(), 'f'));
    Kind shared = kinds(file)[1];
    for (size_t passed = 0;; passed++) {
        SCOPED_TRACE(passed);
        ASSERT_LT(passed, 200u);
        acre_mmap whole = {};
        ASSERT_OK(acre_mmap_anon(3 * kUnits * granule(), ACRE_READ_WRITE, nullptr, &whole));
        std::memset(whole.base, 7, whole.size);
        acre_mmap_opts opts = at(bytes(whole, kUnits * granule()));
        acre_mmap view = {};
        ASSERT_OK(shared.make(&opts, &view));
        std::memset(view.base, 5, view.size);
        ASSERT_OK(acre_mmap_protect(&view, granule(), granule(), ACRE_READ));
        acre_mmap all = {};
        opts = at(whole.base);
        refuse_one(passed, ERROR_COMMITMENT_LIMIT);
        acre_status status = acre_mmap_anon(whole.size, ACRE_READ_WRITE, &opts, &all);
        bool refused = one_was_refused();
        if (status != ACRE_OK) {
            ASSERT_TRUE(refused);
            expect_whole(shared, view);
            EXPECT_STREQ("rw-", permissions(whole.base).substr(0, 3).c_str());
            EXPECT_STREQ("rw-", permissions(bytes(whole, whole.size - 1)).substr(0, 3).c_str());
        } else {
            ASSERT_OK(acre_mmap_unmap(&all));
        }
        ASSERT_OK(acre_mmap_unmap(&view));
        void *start = whole.base;
        ASSERT_OK(acre_mmap_unmap(&whole));
        EXPECT_TRUE(is_free(start));
        if (!refused)
            break;
    }
}

// The old handle says nothing of what is there now.
TEST_F(RefusedReplace, the_new_map_outlives_the_old_one)
{
    for (uint32_t kind : {0u, uint32_t{ACRE_MAP_SHARED}}) {
        acre_mmap map = {};
        ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, nullptr, &map));
        acre_mmap_opts opts = at(bytes(map, granule()), kind);
        acre_mmap first = {};
        ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &first));
        std::memset(first.base, 1, first.size);
        opts = at(bytes(map, 2 * granule()), kind);
        acre_mmap second = {};
        ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &second));
        std::memset(second.base, 2, second.size);
        // Over a map that was itself put in, and its neighbours.
        opts = at(map.base, kind);
        acre_mmap third = {};
        if (kind == 0) {
            ASSERT_OK(acre_mmap_anon(2 * granule(), ACRE_READ_WRITE, &opts, &third));
            std::memset(third.base, 3, third.size);
        }
        char *start = bytes(map);

        ASSERT_OK(acre_mmap_unmap(&map));
        EXPECT_TRUE(is_gone(start + 3 * granule()));
        EXPECT_EQ(2, bytes(second)[granule() - 1]);
        if (kind == 0) {
            ASSERT_OK(acre_mmap_unmap(&first));
            EXPECT_EQ(3, bytes(third)[0]);
            EXPECT_EQ(3, bytes(third)[2 * granule() - 1]);
            ASSERT_OK(acre_mmap_unmap(&third));
        } else {
            EXPECT_EQ(1, bytes(first)[0]);
            ASSERT_OK(acre_mmap_unmap(&first));
        }
        EXPECT_TRUE(is_gone(start + granule()));
        EXPECT_EQ(2, bytes(second)[0]);
        ASSERT_OK(acre_mmap_unmap(&second));
        for (size_t i = 0; i < 4; i++)
            EXPECT_TRUE(is_free(start + i * granule())) << i;
    }
}

TEST(RefusedView, a_file_of_any_length_is_mapped_where_views_are_of_whole_pages)
{
    File file(std::string(page() + 5, 'f'));
    for (bool demanded : {false, true}) {
        for (uint32_t kind : {0u, uint32_t{ACRE_MAP_SHARED}}) {
            acre_mmap_opts opts = flags(kind);
            Map map;
            demand_whole_pages(demanded);
            acre_status status = acre_mmap_file(handle_of(file.descriptor), 0, page() + 5,
                                                ACRE_READ_WRITE, &opts, &map);
            demand_whole_pages(false);
            ASSERT_OK(status);
            EXPECT_EQ('f', bytes(map, page())[4]);
            EXPECT_EQ(0, bytes(map, page())[5]);
        }
    }
}

// ---- what the library asks, and what it relies on -----------------------------------------------

TEST(AsksWindows, nothing_before_a_commit_of_what_is_reserved)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(64 * granule(), ACRE_READ_WRITE, nullptr, &map));
    region_questions = 0;
    for (size_t i = 0; i < 8; i++)
        ASSERT_OK(acre_mmap_commit(&map, i * granule(), granule()));
    EXPECT_EQ(0u, region_questions);
    EXPECT_EQ("rw-", permissions(bytes(map, 7 * granule())).substr(0, 3));

    // Nor again, when a part is committed already, with another access.
    ASSERT_OK(acre_mmap_protect(&map, granule(), granule(), ACRE_READ));
    bytes(map)[0] = 5;
    region_questions = 0;
    ASSERT_OK(acre_mmap_commit(&map, 0, 16 * granule()));
    EXPECT_EQ(0u, region_questions);
    EXPECT_EQ(5, bytes(map)[0]);
    for (size_t i = 0; i < 16; i++)
        EXPECT_EQ("rw-", permissions(bytes(map, i * granule())).substr(0, 3)) << i;
}

TEST(AsksWindows, of_locks_where_pages_were_locked)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(256 * granule(), ACRE_READ_WRITE, nullptr, &map));
    acre_status status = acre_mmap_lock(&map, granule(), page());
    if (status != ACRE_OK)
        GTEST_SKIP() << "this process may not lock";
    std::memset(map.base, 1, map.size);
    page_questions = 0;
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    EXPECT_LE(page_questions, 1u);
    ASSERT_OK(acre_mmap_unlock(&map, granule(), page()));
    page_questions = 0;
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    EXPECT_LE(page_questions, 1u);
    EXPECT_EQ(0, bytes(map, granule())[0]);
}

// The system promises nothing of what was reset.
TEST(TrustsWindows, with_no_shared_memory_that_was_reset)
{
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * granule(), ACRE_READ_WRITE, &opts, &map));
    std::memset(map.base, 1, map.size);
    spoil_what_is_reset(true);
    for (uint32_t when : {ACRE_DISCARD_NOW, ACRE_DISCARD_LAZY})
        EXPECT_OK(acre_mmap_discard(&map, granule(), 2 * granule(), when));
    spoil_what_is_reset(false);
    EXPECT_EQ(1, bytes(map, granule())[-1]);
    for (size_t i = 0; i < 2 * granule(); i++)
        ASSERT_EQ(0, bytes(map, granule())[i]) << i;
}

TEST(TrustsWindows, with_no_access_of_large_pages)
{
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE);
    acre_mmap map = {};
    if (acre_page_sizes(nullptr, 0) < 2 || !acre_can(ACRE_CAN_HUGE_PAGES))
        GTEST_SKIP() << "there are no large pages";
    size_t size = GetLargePageMinimum();
    grant_large_pages(true);
    acre_status status = acre_mmap_anon(2 * size, ACRE_READ_WRITE, &opts, &map);
    grant_large_pages(false);
    ASSERT_OK(status);
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&map, size, &tail));
    void *start = map.base;
    keep_access(true);
    EXPECT_OK(acre_mmap_unmap(&tail));
    keep_access(false);
    EXPECT_OK(acre_mmap_unmap(&map));
    EXPECT_TRUE(is_free(start));
}

DWORD first_protection(const acre_mmap &map)
{
    MEMORY_BASIC_INFORMATION info = {};
    VirtualQuery(map.base, &info, sizeof info);
    return info.AllocationProtect;
}

TEST(Executable, are_only_views_that_were_asked_to_be)
{
    File file(std::string(2 * granule(), 'f'));
    for (const Kind &kind : kinds(file)) {
        Map map;
        ASSERT_OK(kind.make(nullptr, &map)) << kind.name;
        EXPECT_LT(first_protection(map), DWORD{PAGE_EXECUTE}) << kind.name;
    }
    acre_mmap write = {}, exec = {};
    ASSERT_OK(acre_mmap_twin(granule(), nullptr, &write, &exec));
    EXPECT_LT(first_protection(write), DWORD{PAGE_EXECUTE});
    EXPECT_GE(first_protection(exec), DWORD{PAGE_EXECUTE});
    ASSERT_OK(acre_mmap_unmap(&write));
    ASSERT_OK(acre_mmap_unmap(&exec));

    // By its access, or by a flag for later.
    for (uint32_t asked : {0u, uint32_t{ACRE_MAP_JIT}}) {
        acre_mmap_opts opts = flags(ACRE_MAP_SHARED | asked);
        Map map;
        ASSERT_OK(
            acre_mmap_anon(granule(), asked == 0 ? ACRE_READ_EXEC : ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_mmap_protect(&map, 0, granule(), ACRE_READ_WRITE));
        EXPECT_OK(acre_mmap_protect(&map, 0, granule(), ACRE_READ_EXEC));
        EXPECT_EQ("r-x", permissions(map.base).substr(0, 3));
    }
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map map;
    ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &map));
    EXPECT_STATUS(-EACCES, acre_mmap_protect(&map, 0, granule(), ACRE_READ_EXEC));
    EXPECT_EQ("rw-", permissions(map.base).substr(0, 3));
}

}  // namespace
