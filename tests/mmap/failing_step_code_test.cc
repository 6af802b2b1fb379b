// Making memory executable flushes the instruction cache for all that can be read, or fails.
#include "tests/mmap/failing_step.h"

#if defined(__GLIBC__)

#include <sys/resource.h>

#include <cstring>

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE("FlushCode.*");

// No descriptor is left until the end of its scope.
class NoDescriptors {
  public:
    explicit NoDescriptors(bool really)
    {
        EXPECT_EQ(0, getrlimit(RLIMIT_NOFILE, &before_));
        struct rlimit none = {really ? 0 : before_.rlim_cur, before_.rlim_max};
        EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
    }
    NoDescriptors(const NoDescriptors &) = delete;
    NoDescriptors &operator=(const NoDescriptors &) = delete;
    ~NoDescriptors()
    {
        EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &before_));
    }

  private:
    struct rlimit before_ = {};
};

bool was_flushed(const char *start, size_t length)
{
    for (const auto &part : flushed) {
        const char *first = static_cast<const char *>(part.first);
        if (first <= start && start + length <= first + part.second)
            return true;
    }
    return false;
}

bool touches(const char *start, size_t length)
{
    for (const auto &part : flushed) {
        const char *first = static_cast<const char *>(part.first);
        if (first < start + length && start < first + part.second)
            return true;
    }
    return false;
}

TEST(FlushCode, of_pages_beside_a_guard_or_fails)
{
    for (bool without : {false, true}) {
        fail_each_step("protect", [&](Call &call) {
            acre_mmap map = {};
            ASSERT_OK(anon_with(0)(&map));
            std::memset(map.base, 1, 2 * page());
            ASSERT_OK(acre_mmap_guard(&map, 2 * page(), page()));
            acre_status status;
            {
                NoDescriptors no(without);
                flushed.clear();
                status = call([&] { return acre_mmap_protect(&map, 0, map.size, ACRE_READ_EXEC); });
            }
            if (status == ACRE_OK) {
                EXPECT_TRUE(was_flushed(bytes(map), page()));
                EXPECT_TRUE(was_flushed(bytes(map, page()), page()));
                if (map.flags & ACRE_HAS_MARKER_GUARDS) {
                    EXPECT_FALSE(touches(bytes(map, 2 * page()), page()));
                }
            } else {
                EXPECT_EQ("rw-p", permissions(map.base));
                EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), map.access);
            }
            EXPECT_OK(acre_mmap_unmap(&map));
        });
    }
}

TEST(FlushCode, of_a_file_passes_over_its_guards)
{
    File file(std::string(4 * page(), 'f'));
    Map map;
    ASSERT_OK(acre_mmap_file(file.descriptor, 0, 4 * page(), ACRE_READ, nullptr, &map));
    ASSERT_OK(acre_mmap_guard(&map, page(), page()));
    if ((map.flags & ACRE_HAS_MARKER_GUARDS) == 0)
        GTEST_SKIP() << "this kernel has no guard markers for files";
    EXPECT_EQ('f', bytes(map)[0]);
    NoDescriptors no(true);
    flushed.clear();
    // The page behind the guard is in the page cache, but cannot be read here.
    ASSERT_OK(acre_mmap_protect(&map, 0, map.size, ACRE_READ_EXEC));
    EXPECT_TRUE(was_flushed(bytes(map), page()));
    EXPECT_FALSE(touches(bytes(map, page()), page()));
}

}  // namespace

#else

#include <gtest/gtest.h>

TEST(FlushCode, is_led_here_by_the_names_of_glibc)
{
    GTEST_SKIP() << "the calls of this C library have other names";
}

#endif
