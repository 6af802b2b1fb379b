// tests/mmap/maps.h - what the tests of //mmap share.
#ifndef ACRE_TESTS_MMAP_MAPS_H_
#define ACRE_TESTS_MMAP_MAPS_H_

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include "acre/mmap.h"
#include "acre/page.h"
#include "mmap/port/memory.h"
#include "tests/support/expect.h"
#include "tests/support/posix.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

namespace acre_test {

inline char *bytes(const acre_mmap &map, size_t offset = 0)
{
    return static_cast<char *>(map.base) + offset;
}

inline size_t page()
{
    return acre_page_size();
}

/// What fixed addresses and file offsets are multiples of.
inline size_t granule()
{
    return acre_allocation_granularity();
}

inline bool same(const acre_mmap &a, const acre_mmap &b)
{
    return std::memcmp(&a, &b, sizeof a) == 0;
}

/// A map that ends with its scope.
struct Map : acre_mmap {
    Map() : acre_mmap()
    {
    }
    Map(const Map &) = delete;
    Map &operator=(const Map &) = delete;
    ~Map()
    {
        EXPECT_STATUS(ACRE_OK, acre_mmap_unmap(this));
    }
};

/// Where acre cannot do something at all, or Windows does it in its own way.
#if defined(_WIN32)
constexpr bool kOnWindows = true;
#else
constexpr bool kOnWindows = false;
#endif

/// ACRE_MAP_NO_DUMP where it can be had, else nothing.
inline uint32_t no_dump()
{
    return acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS) ? uint32_t{ACRE_MAP_NO_DUMP} : 0u;
}

/// What a touch of a page beyond the end of a file raises.
constexpr int kBeyondFile = kOnWindows ? SIGSEGV : SIGBUS;

/// Nothing is mapped at the address any more.  On Windows the addresses of a part come back with
/// those of the last one: until then they are inaccessible.
inline bool is_gone(const void *address)
{
    std::string access = permissions(address);
    return access.empty() || (kOnWindows && access.compare(0, 3, "---") == 0);
}

inline acre_mmap_opts flags(uint32_t value)
{
    acre_mmap_opts opts = {};
    opts.flags = value;
    return opts;
}

/// The call is refused with `expected`, and neither the handle nor the areas nor the descriptors
/// change.
template <class Call>
void expect_refused(acre_status expected, const acre_mmap &map, Call call)
{
    acre_mmap before = map;
    int descriptor = free_descriptor();
    EXPECT_STATUS(expected, call());
    EXPECT_TRUE(same(before, map));
    EXPECT_EQ(descriptor, free_descriptor());
    // A sanitizer maps memory of its own now and then; a call that leaves something behind does so
    // each time.
    size_t areas = 0;
    size_t after = 1;
    for (int round = 0; round < 4 && areas != after; round++) {
        areas = area_count();
        EXPECT_STATUS(expected, call());
        after = area_count();
    }
    EXPECT_EQ(areas, after);
    EXPECT_TRUE(same(before, map));
}

/// An address with `size` bytes of room, where nothing is mapped.
char *free_address(size_t size);

/// Takes half of all addresses where a process may have them all (32 bits, s390x): no other half is
/// free then.
struct HalfTaken : Map {
    HalfTaken()
    {
        acre_status status = acre_mmap_reserve(SIZE_MAX / 2 - page(), ACRE_NONE, nullptr, this);
        EXPECT_TRUE(status == ACRE_OK || status == -ENOMEM) << status;
    }
};

/// How the system's tools show the pages.
std::string name_at(const void *address);

/// Where areas are found by a call of the kernel's, and again by its text.
class EachWay : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override
    {
        if (!GetParam())
            acre_port_pretend_without(ACRE_CAN_QUERY_IN_CONSTANT_TIME);
        else if (!acre_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME))
            GTEST_SKIP() << "this kernel has no PROCMAP_QUERY (Linux 6.11)";
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
};

#define FOR_EACH_WAY(suite)                                                        \
    INSTANTIATE_TEST_SUITE_P(, suite, testing::Bool(), [](const auto &parameter) { \
        return parameter.param ? "ioctl" : "text";                                 \
    })

/// A file in the test's folder, removed with its scope.
class File {
  public:
    explicit File(const std::string &text, const std::string &name = "file");
    ~File();
    File(const File &) = delete;
    File &operator=(const File &) = delete;

    const std::string path;
    int descriptor;
    std::string content() const;
};

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_MAPS_H_
