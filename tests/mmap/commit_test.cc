// A commit or protection that is refused leaves every page as it was, whatever the areas of the
// range, and is refused for no other reason than that the memory cannot be promised.
#include <cstring>
#include <vector>

#include "acre/area.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_EMULATED("an emulator keeps limits and areas of its own", "*");

const size_t PAGES = 64;

std::vector<uint32_t> access_of_pages(const acre_mmap &map)
{
    std::vector<uint32_t> all;
    acre_area area = {};
    for (size_t at = 0; at < map.size; at += page()) {
        if (acre_area_at(bytes(map, at), &area) != ACRE_OK)
            return {};
        all.push_back(area.access);
    }
    return all;
}

// Refuses memory for more than `pages` more, for the call.
acre_status with_memory_for(size_t pages, bool descriptors,
                            const std::function<acre_status()> &call)
{
    struct rlimit data, files;
    if (getrlimit(RLIMIT_DATA, &data) != 0 || getrlimit(RLIMIT_NOFILE, &files) != 0 ||
        !limit_to(RLIMIT_DATA, status_bytes("VmData") + pages * page()) ||
        (!descriptors && !limit_to(RLIMIT_NOFILE, 0)))
        return 1;
    acre_status status = call();
    return setrlimit(RLIMIT_DATA, &data) == 0 && setrlimit(RLIMIT_NOFILE, &files) == 0 ? status : 1;
}

struct Reserved {
    const char *name;
    bool advised, guarded, before, descriptors;
};

class CommitRefused : public testing::TestWithParam<Reserved> {};

TEST_P(CommitRefused, leaves_what_was_reserved)
{
    if (SANITIZED)
        GTEST_SKIP() << "limits would stop a sanitizer";
    Reserved how = GetParam();
    if (how.guarded && !acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        GTEST_SKIP() << "this system has no guard markers";
    expect_success(in_child([&] {
        acre_mmap map = {};
        STEP(1, acre_mmap_reserve(PAGES * page(), ACRE_READ_WRITE, nullptr, &map) == ACRE_OK);
        const size_t last = (PAGES - 1) * page();
        if (how.before)
            STEP(2, acre_mmap_commit(&map, last, page()) == ACRE_OK);
        if (how.advised)
            STEP(3, acre_mmap_advise(&map, 8 * page(), 8 * page(), ACRE_ADVISE_RANDOM) == ACRE_OK);
        if (how.guarded)
            STEP(4, acre_mmap_guard(&map, 40 * page(), page()) == ACRE_OK);
        std::vector<uint32_t> before = access_of_pages(map);
        STEP(5, before.size() == PAGES && before[0] == ACRE_NONE);
        STEP(6, with_memory_for(24, how.descriptors,
                                [&] { return acre_mmap_commit(&map, 0, last); }) == -ENOMEM);
        STEP(7, access_of_pages(map) == before);
        STEP(8, acre_mmap_commit(&map, 0, last) == ACRE_OK);
        return 0;
    }));
}

INSTANTIATE_TEST_SUITE_P(, CommitRefused,
                         testing::Values(Reserved{"alike", false, false, false, true},
                                         Reserved{"advised", true, false, false, true},
                                         Reserved{"guarded", true, true, false, true},
                                         Reserved{"without_descriptors", true, false, false, false},
                                         Reserved{"before_what_is_committed", true, true, true,
                                                  true}),
                         [](const auto &parameter) { return std::string(parameter.param.name); });

// Of which acre knows nothing: someone else made the areas.
TEST(CommitAdopted, refused_leaves_the_access_of_every_page)
{
    if (SANITIZED)
        GTEST_SKIP() << "limits would stop a sanitizer";
    expect_success(in_child([] {
        void *raw = mmap(nullptr, PAGES * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        STEP(10, raw != MAP_FAILED);
        auto *base = static_cast<char *>(raw);
        STEP(11, mprotect(base + 4 * page(), 2 * page(), PROT_READ) == 0);
        STEP(12, mprotect(base + 8 * page(), 2 * page(), PROT_READ | PROT_WRITE) == 0);
        std::memset(base + 8 * page(), 7, 2 * page());
        acre_mmap map = {};
        STEP(13, acre_mmap_adopt(raw, PAGES * page(), page(), ACRE_READ_WRITE, ACRE_IS_RESERVATION,
                                 &map) == ACRE_OK);
        std::vector<uint32_t> before = access_of_pages(map);
        STEP(14, with_memory_for(24, true, [&] { return acre_mmap_commit(&map, 0, map.size); }) ==
                     -ENOMEM);
        STEP(15, access_of_pages(map) == before);
        STEP(16, with_memory_for(24, true, [&] {
                     return acre_mmap_protect(&map, 0, map.size, ACRE_READ_WRITE);
                 }) == -ENOMEM);
        STEP(17, access_of_pages(map) == before);
        STEP(18, base[9 * page()] == 7);
        STEP(19, acre_mmap_commit(&map, 0, map.size) == ACRE_OK);
        return 0;
    }));
}

// More areas than are remembered without further memory.
TEST(CommitAdopted, refused_leaves_also_hundreds_of_areas)
{
    if (SANITIZED)
        GTEST_SKIP() << "limits would stop a sanitizer";
    expect_success(in_child([] {
        const size_t pages = 512;
        void *raw = mmap(nullptr, pages * page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        STEP(20, raw != MAP_FAILED);
        for (size_t i = 1; i < pages; i += 2)
            STEP(21, mprotect(static_cast<char *>(raw) + i * page(), page(), PROT_READ) == 0);
        acre_mmap map = {};
        STEP(22, acre_mmap_adopt(raw, pages * page(), page(), ACRE_READ_WRITE, ACRE_IS_RESERVATION,
                                 &map) == ACRE_OK);
        std::vector<uint32_t> before = access_of_pages(map);
        STEP(23, with_memory_for(400, true, [&] { return acre_mmap_commit(&map, 0, map.size); }) ==
                     -ENOMEM);
        STEP(24, access_of_pages(map) == before);
        return 0;
    }));
}

TEST(Commit, needs_no_addresses)
{
    if (SANITIZED || sizeof(void *) == 4)
        GTEST_SKIP() << "few addresses would stop a sanitizer, and 32 bits have no more";
    expect_success(in_child([] {
        const size_t mib = size_t{1} << 20;
        acre_mmap map = {};
        STEP(30, acre_mmap_reserve(64 * mib, ACRE_READ_WRITE, nullptr, &map) == ACRE_OK);
        STEP(31, acre_mmap_advise(&map, mib, mib, ACRE_ADVISE_RANDOM) == ACRE_OK);
        STEP(32, limit_to(RLIMIT_AS, status_bytes("VmSize") + mib));
        STEP(33, acre_mmap_commit(&map, 0, map.size) == ACRE_OK);
        return 0;
    }));
}

}  // namespace
