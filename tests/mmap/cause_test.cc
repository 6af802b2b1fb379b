// Linux: a refusal names its cause, and a wish that was granted stays granted.
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

extern "C" int acre_linux_kind_of_map(uint32_t flags, size_t page_size);

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE("Cause.*");

TEST(Cause, of_huge_pages_that_are_missing_is_memory)
{
    size_t sizes[2];
    if (acre_page_sizes(sizes, 2) < 2)
        GTEST_SKIP() << "this system has no huge pages";
    acre_system system = {};
    ASSERT_OK(acre_system_read(&system));
    if (acre_port_default_huge_size() != sizes[1])
        GTEST_SKIP() << "the pool of the default size is another";
    // One more than the pool has, none of them set aside.
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE | ACRE_MAP_NO_RESERVE);
    size_t size = static_cast<size_t>(system.explicit_huge_free + 1) * sizes[1];
    Map map;
    acre_status status = acre_mmap_anon(size, ACRE_READ_WRITE, &opts, &map);
    if (status != ACRE_OK)
        GTEST_SKIP() << "an emulator maps no huge pages";
    EXPECT_STATUS(-ENOMEM, acre_mmap_populate(&map, 0, map.size));
}

TEST(Cause, of_a_collapse_that_must_wait_is_not_memory)
{
    size_t huge = acre_port_transparent_huge_size();
    if (huge == 0)
        GTEST_SKIP() << "this system has no transparent huge pages";
    acre_mmap_opts opts = {};
    opts.alignment = huge;
    Map map;
    ASSERT_OK(acre_mmap_anon(huge, ACRE_READ_WRITE, &opts, &map));
    std::memset(map.base, 1, map.size);
    // A page that a pipe uses cannot move.
    int ends[2];
    ASSERT_EQ(0, pipe(ends));
    struct iovec used = {map.base, page()};
    ASSERT_EQ(static_cast<ssize_t>(page()), syscall(SYS_vmsplice, ends[1], &used, 1, 0));
    acre_status status = acre_mmap_advise(&map, 0, map.size, ACRE_ADVISE_COLLAPSE);
    if (status == -EINVAL || status == -ENOTSUP || status == ACRE_OK)
        GTEST_SKIP() << "this kernel does not collapse (Linux 6.1), or had huge pages already";
    EXPECT_STATUS(-EAGAIN, status);
    close(ends[0]);
    close(ends[1]);
}

TEST(Cause, page_sizes_of_gibibytes_fit_the_flags_of_mmap)
{
    if (sizeof(void *) == 4)
        GTEST_SKIP() << "such pages are larger than the address space";
    for (unsigned exponent : {21u, 30u, 31u, 34u}) {
        size_t size = static_cast<size_t>(uint64_t{1} << exponent);
        auto kind = static_cast<unsigned>(acre_linux_kind_of_map(ACRE_MAP_HUGE, size));
        EXPECT_EQ(exponent, kind >> 26);
    }
}

}  // namespace
