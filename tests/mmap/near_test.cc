// Nearness: every byte within reach, or nothing.
#include "acre/icache.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

int answer()
{
    return 42;
}

uintptr_t number(const void *address)
{
    return reinterpret_cast<uintptr_t>(address);
}

bool within(const acre_mmap &map, uintptr_t center, uintptr_t reach)
{
    uintptr_t first = number(map.base);
    uintptr_t last = first + map.size - 1;
    uintptr_t below = first < center ? center - first : 0;
    uintptr_t above = last > center ? last - center : 0;
    return below <= reach && above <= reach;
}

SKIP_WITHOUT_KERNELS_ACCOUNT("Near.every_byte_is_within_reach");

// Each test finds room by ioctl and by text.
class Near : public EachWay {};

FOR_EACH_WAY(Near);

TEST_P(Near, every_byte_is_within_reach)
{
    const void *centers[] = {reinterpret_cast<const void *>(reinterpret_cast<uintptr_t>(&answer)),
                             static_cast<const void *>(&centers)};
    for (const void *center : centers) {
        for (size_t reach : {size_t{1} << 27, size_t{1} << 30, size_t{1} << 31}) {
            for (size_t alignment : {size_t{0}, 16 * granule(), size_t{1} << 21}) {
                acre_mmap_opts opts = {};
                opts.near_address = center;
                opts.reach = reach;
                opts.alignment = alignment;
                Map anon, reserved, write, exec;
                ASSERT_OK(acre_mmap_anon(3 * granule(), ACRE_READ_WRITE, &opts, &anon));
                ASSERT_OK(acre_mmap_reserve(size_t{1} << 24, ACRE_READ_WRITE, &opts, &reserved));
                ASSERT_OK(acre_mmap_twin(3 * granule(), &opts, &write, &exec));
                for (const acre_mmap *map :
                     {static_cast<acre_mmap *>(&anon), static_cast<acre_mmap *>(&reserved),
                      static_cast<acre_mmap *>(&exec)}) {
                    EXPECT_TRUE(within(*map, number(center), reach))
                        << map->base << " " << center << " " << reach;
                    EXPECT_EQ(0u, number(map->base) % (alignment != 0 ? alignment : granule()));
                }
                bytes(anon)[3 * granule() - 1] = 1;
                EXPECT_EQ("rw-p", permissions(anon.base));
            }
        }
    }
}

TEST_P(Near, reach_alone_is_a_low_address)
{
    if (sizeof(void *) != 8)
        GTEST_SKIP() << "every address is low";
    acre_mmap_opts opts = {};
    opts.reach = size_t{1} << 31;
    Map map, exec, write;
    ASSERT_OK(acre_mmap_anon(size_t{1} << 20, ACRE_READ_WRITE, &opts, &map));
    EXPECT_LE(number(map.base) + map.size, uintptr_t{1} << 31);
    ASSERT_OK(acre_mmap_twin(granule(), &opts, &write, &exec));
    EXPECT_LE(number(exec.base) + exec.size, uintptr_t{1} << 31);
    bytes(map)[0] = 1;
}

TEST_P(Near, finds_the_only_hole_and_nothing_when_it_is_full)
{
    Map around;
    ASSERT_OK(acre_mmap_reserve(size_t{64} << 20, ACRE_NONE, nullptr, &around));
    if (kOnWindows)
        GTEST_SKIP() << "no hole can be made inside a map";
    acre_mmap_opts opts = {};
    opts.near_address = bytes(around, size_t{32} << 20);
    opts.reach = size_t{16} << 20;
    acre_mmap untouched = {};
    expect_refused(-ENOMEM, untouched,
                   [&] { return acre_mmap_anon(granule(), ACRE_READ, &opts, &untouched); });
    expect_refused(-ENOMEM, untouched,
                   [&] { return acre_mmap_reserve(granule(), ACRE_READ, &opts, &untouched); });
    expect_refused(-ENOMEM, untouched, [&] {
        acre_mmap second = {};
        return acre_mmap_twin(granule(), &opts, &second, &untouched);
    });

    // Holes at the lowest place within reach, at the highest, and just outside of both.
    size_t low = size_t{16} << 20;
    size_t high = (size_t{48} << 20) - 3 * granule();
    for (size_t hole : {low - 3 * granule(), low, high, high + 3 * granule()}) {
        acre_mmap middle = {}, tail = {};
        ASSERT_OK(acre_mmap_split(&around, hole, &middle));
        ASSERT_OK(acre_mmap_split(&middle, 3 * granule(), &tail));
        void *address = middle.base;
        ASSERT_OK(acre_mmap_unmap(&middle));
        bool reachable = hole == low || hole == high;
        if (reachable) {
            expect_refused(-ENOMEM, untouched, [&] {
                return acre_mmap_anon(4 * granule(), ACRE_READ, &opts, &untouched);
            });
            acre_mmap map = {};
            ASSERT_OK(acre_mmap_anon(3 * granule(), ACRE_READ_WRITE, &opts, &map));
            EXPECT_EQ(address, map.base);
            ASSERT_OK(acre_mmap_unmap(&map));
        } else {
            expect_refused(-ENOMEM, untouched,
                           [&] { return acre_mmap_anon(granule(), ACRE_READ, &opts, &untouched); });
        }
        acre_mmap_opts back = flags(ACRE_MAP_FIXED);
        back.address = address;
        ASSERT_OK(acre_mmap_reserve(3 * granule(), ACRE_NONE, &back, &middle));
        ASSERT_OK(acre_mmap_merge(&around, &middle));
        ASSERT_OK(acre_mmap_merge(&around, &tail));
    }
}

TEST_P(Near, what_no_place_can_be_is_out_of_memory)
{
    acre_mmap untouched = {};
    acre_mmap_opts opts = {};
    opts.near_address = &untouched;
    opts.reach = granule();
    expect_refused(-ENOMEM, untouched,
                   [&] { return acre_mmap_anon(4 * granule(), ACRE_READ, &opts, &untouched); });
    // Below what the system gives at all.
    opts.near_address = nullptr;
    opts.reach = granule();
    expect_refused(-ENOMEM, untouched,
                   [&] { return acre_mmap_anon(granule(), ACRE_READ, &opts, &untouched); });
    opts.near_address = reinterpret_cast<void *>(UINTPTR_MAX - granule());
    expect_refused(-ENOMEM, untouched,
                   [&] { return acre_mmap_anon(granule(), ACRE_READ, &opts, &untouched); });
    // Between the two multiples that there are.
    opts.reach = size_t{1} << 28;
    opts.alignment = SIZE_MAX / 2 + 1;
    opts.near_address = reinterpret_cast<void *>(UINTPTR_MAX / 4);
    expect_refused(-ENOMEM, untouched,
                   [&] { return acre_mmap_anon(granule(), ACRE_READ, &opts, &untouched); });
}

TEST_P(Near, any_reach_is_any_address)
{
    acre_mmap_opts opts = {};
    opts.near_address = &opts;
    opts.reach = SIZE_MAX;
    Map map;
    ASSERT_OK(acre_mmap_anon(granule(), ACRE_READ_WRITE, &opts, &map));
    bytes(map)[0] = 1;
}

TEST(NearCode, generated_code_calls_into_the_program)
{
#if defined(__x86_64__)
    acre_mmap_opts opts = {};
    uintptr_t target = reinterpret_cast<uintptr_t>(&answer);
    opts.near_address = reinterpret_cast<const void *>(target);
    opts.reach = (size_t{1} << 31) - 64;
    Map write, exec;
    ASSERT_OK(acre_mmap_twin(granule(), &opts, &write, &exec));
    // sub rsp, 8; call rel32; add rsp, 8; ret
    unsigned char code[] = {0x48, 0x83, 0xec, 8, 0xe8, 0, 0, 0, 0, 0x48, 0x83, 0xc4, 8, 0xc3};
    int64_t distance = static_cast<int64_t>(target) - static_cast<int64_t>(number(exec.base) + 9);
    int32_t relative = static_cast<int32_t>(distance);
    ASSERT_EQ(distance, relative);
    std::memcpy(code + 5, &relative, sizeof relative);
    std::memcpy(write.base, code, sizeof code);
    acre_icache_flush(exec.base, sizeof code);
    EXPECT_EQ(42, reinterpret_cast<int (*)()>(number(exec.base))());
#else
    GTEST_SKIP() << "this test knows the machine code of x86-64 only";
#endif
}

}  // namespace
