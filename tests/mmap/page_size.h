// tests/mmap/page_size.h - systems with pages of 4, 16 and 64 KiB, and of a granularity above the
// page, on a port that only records what it is asked.
#ifndef ACRE_TESTS_MMAP_PAGE_SIZE_H_
#define ACRE_TESTS_MMAP_PAGE_SIZE_H_

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "acre/image.h"
#include "tests/mmap/fake_port.h"

namespace acre_test {

constexpr size_t KiB = 1024, MiB = 1024 * KiB;
// Somewhere that is a multiple of everything, with nothing mapped.
inline char *const somewhere = reinterpret_cast<char *>(SIZE_MAX / 2 + 1);

struct System {
    const char *name;
    size_t page, granularity;
    size_t huge[3];  // of explicit huge pages; the default is the second
};

inline const System systems[] = {
    {"pages_of_4K", 4 * KiB, 4 * KiB, {64 * KiB, 2 * MiB, 1024 * MiB}},
    {"pages_of_16K", 16 * KiB, 16 * KiB, {2 * MiB, 32 * MiB, 1024 * MiB}},
    {"pages_of_64K", 64 * KiB, 64 * KiB, {2 * MiB, 512 * MiB, 1024 * MiB}},
    {"windows", 4 * KiB, 64 * KiB, {2 * MiB, 2 * MiB, 0}},
};

inline std::string name_of(acre_status status)
{
    return acre_status_name(status);
}
#define EXPECT_STATUS(expected, call) EXPECT_EQ(name_of(expected), name_of(call))
#define EXPECT_OK(call) EXPECT_STATUS(ACRE_OK, call)

class PageSize : public testing::TestWithParam<System> {
  protected:
    const size_t page = GetParam().page;
    const size_t granularity = GetParam().granularity;
    const size_t huge = GetParam().huge[1];

    void SetUp() override
    {
        fake = {};
        fake.page_size = page;
        fake.granularity = granularity;
        fake.page_sizes[0] = page;
        size_t count = 1;
        for (size_t size : GetParam().huge) {
            if (size != fake.page_sizes[count - 1])
                fake.page_sizes[count++] = size;
        }
        fake.default_huge = huge;
        fake.transparent_huge = huge;
    }

    acre_mmap anon(size_t size, const acre_mmap_opts *opts = nullptr)
    {
        acre_mmap map = {};
        EXPECT_OK(acre_mmap_anon(size, ACRE_READ_WRITE, opts, &map));
        return map;
    }

    /// The port is not asked, and nothing is written.
    template <class Call>
    void expect_refused(acre_status expected, Call call)
    {
        acre_mmap untouched;
        std::memset(&untouched, 0xa5, sizeof untouched);
        acre_mmap before = untouched;
        int calls = fake.calls;
        EXPECT_STATUS(expected, call(&untouched));
        EXPECT_EQ(calls, fake.calls);
        EXPECT_EQ(0, std::memcmp(&before, &untouched, sizeof before));
    }

    /// The port was asked for exactly this range of `map`.
    void expect_asked(const char *call, const acre_mmap &map, size_t offset, size_t length)
    {
        EXPECT_STREQ(call, fake.call);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(map.base) + offset, fake.start) << call;
        EXPECT_EQ(length, fake.length) << call;
        fake.call = "";
    }
};

#define FOR_EACH_SYSTEM(suite)                                           \
    INSTANTIATE_TEST_SUITE_P(Systems, suite, testing::ValuesIn(systems), \
                             [](const auto &each) { return std::string(each.param.name); })

inline acre_mmap_opts flags(uint32_t value)
{
    acre_mmap_opts opts = {};
    opts.flags = value;
    return opts;
}

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_PAGE_SIZE_H_
