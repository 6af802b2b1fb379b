// Seals: for the life of the process, by acre's word and by the kernel's; so each test seals in a
// child.

#include <cerrno>

#include "acre/area.h"
#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

// Runs `body` in a child; it answers 0, or the number of the first thing that is not as it should
// be.
template <class Body>
void in_child_that_seals(Body body)
{
    if (!acre_can(ACRE_CAN_SEAL))
        GTEST_SKIP() << "this kernel has no mseal (Linux 6.10, 64 bits)";
    Ended ended = in_child([&] { return body(); });
    ASSERT_TRUE(ended.exited) << "signal " << ended.code;
    EXPECT_EQ(0, ended.code);
}

bool refuses_all(acre_mmap *map)
{
    acre_mmap before = *map;
    acre_mmap tail = {}, next = *map;
    next.base = bytes(*map, map->size);
    bool refused = acre_mmap_unmap(map) == ACRE_SEALED &&
                   acre_mmap_protect(map, 0, page(), ACRE_READ) == ACRE_SEALED &&
                   acre_mmap_commit(map, 0, page()) == ACRE_SEALED &&
                   acre_mmap_commit_as(map, 0, page(), ACRE_READ) == ACRE_SEALED &&
                   acre_mmap_decommit(map, 0, page()) == ACRE_SEALED &&
                   acre_mmap_resize(map, page(), ACRE_RESIZE_MAY_MOVE) == ACRE_SEALED &&
                   acre_mmap_resize(map, 64 * page(), ACRE_RESIZE_MAY_MOVE) == ACRE_SEALED &&
                   acre_mmap_split(map, page(), &tail) == ACRE_SEALED &&
                   acre_mmap_merge(map, &next) == ACRE_SEALED;
    return refused && same(before, *map) && acre_mmap_seal(map) == ACRE_OK;
}

TEST(Seal, the_kernel_refuses_what_acre_refuses)
{
    in_child_that_seals([] {
        acre_mmap map = {};
        if (acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK)
            return 1;
        bytes(map)[0] = 5;
        if (acre_mmap_seal(&map) != ACRE_OK || map.flags != ACRE_IS_SEALED)
            return 2;
        if (!refuses_all(&map))
            return 3;
        if (munmap(map.base, page()) != -1 || errno != EPERM)
            return 4;
        if (mprotect(map.base, page(), PROT_READ) != -1 || errno != EPERM)
            return 5;
        if (mremap(map.base, map.size, 2 * map.size, MREMAP_MAYMOVE) != MAP_FAILED)
            return 6;
        void *over =
            mmap(map.base, page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        return over == MAP_FAILED && bytes(map)[0] == 5 ? 0 : 7;
    });
}

TEST(Seal, replacing_a_sealed_map_fails_and_leaves_it)
{
    in_child_that_seals([] {
        acre_mmap map = {}, untouched = {};
        if (acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK ||
            acre_mmap_seal(&map) != ACRE_OK)
            return 1;
        bytes(map)[0] = 5;
        // Valgrind looks at mremap before the kernel does, and refuses by ENOMEM.
        const acre_status other = emulated() ? -ENOMEM : -EPERM;
        auto is_refused = [=](acre_status status) { return status == -EPERM || status == other; };
        // Nothing may allocate between the two counts: a sanitizer would map memory of its own.
        uint64_t areas = 0, after = 0;
        if (acre_area_count(&areas) != ACRE_OK)
            return 5;
        for (uint32_t more : {0u, uint32_t{ACRE_MAP_NO_DUMP}}) {
            acre_mmap_opts opts = flags(ACRE_MAP_REPLACE | more);
            opts.address = map.base;
            if (!is_refused(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &untouched)))
                return 2;
            if (!is_refused(acre_mmap_ring(page(), &opts, &untouched)))
                return 3;
        }
        if (acre_area_count(&after) != ACRE_OK || after != areas)
            return 6;
        return same(untouched, acre_mmap{}) && bytes(map)[0] == 5 ? 0 : 4;
    });
}

TEST(Seal, writable_contents_can_still_be_destroyed)
{
    in_child_that_seals([] {
        acre_mmap map = {};
        if (acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK ||
            acre_mmap_seal(&map) != ACRE_OK)
            return 1;
        bytes(map)[0] = 5;
        if (acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_NOW) != ACRE_OK || bytes(map)[0] != 0)
            return 2;
        if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
            return 0;
        if (acre_mmap_guard(&map, page(), page()) != ACRE_OK || readable(bytes(map, page())))
            return 3;
        return acre_mmap_unguard(&map, page(), page()) == ACRE_OK && bytes(map)[page()] == 0 ? 0
                                                                                             : 4;
    });
}

TEST(Seal, a_guard_that_would_change_the_protection_is_refused)
{
    in_child_that_seals([] {
        acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        acre_mmap map = {};
        if (acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK ||
            acre_mmap_seal(&map) != ACRE_OK)
            return 1;
        bytes(map)[0] = 5;
        acre_mmap before = map;
        if (acre_mmap_guard(&map, 0, page()) != ACRE_SEALED)
            return 2;
        return same(before, map) && bytes(map)[0] == 5 ? 0 : 3;
    });
}

TEST(Seal, read_only_contents_cannot)
{
    in_child_that_seals([] {
        acre_mmap map = {};
        if (acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK)
            return 1;
        bytes(map)[0] = 5;
        if (acre_mmap_protect(&map, 0, map.size, ACRE_READ) != ACRE_OK ||
            acre_mmap_seal(&map) != ACRE_OK)
            return 2;
        if (acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_NOW) != ACRE_SEALED ||
            acre_mmap_discard(&map, 0, page(), ACRE_DISCARD_LAZY) != ACRE_SEALED ||
            acre_mmap_guard(&map, 0, page()) != ACRE_SEALED ||
            acre_mmap_unguard(&map, 0, page()) != ACRE_SEALED)
            return 3;
        if (acre_mmap_advise(&map, 0, page(), ACRE_ADVISE_DONT_FORK) != ACRE_SEALED ||
            acre_mmap_advise(&map, 0, page(), ACRE_ADVISE_WIPE_ON_FORK) != ACRE_SEALED)
            return 4;
        // The kernel says so, too.
        if (madvise(map.base, page(), MADV_DONTNEED) != -1 || errno != EPERM)
            return 5;
        return bytes(map)[0] == 5 ? 0 : 6;
    });
}

TEST(Seal, leaves_what_destroys_nothing)
{
    in_child_that_seals([] {
        acre_mmap map = {};
        if (acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK ||
            acre_mmap_seal(&map) != ACRE_OK)
            return 1;
        size_t resident = 0;
        if (acre_mmap_populate(&map, 0, map.size) != ACRE_OK ||
            acre_mmap_resident(&map, 0, map.size, &resident) != ACRE_OK || resident != map.size)
            return 2;
        if (acre_mmap_lock(&map, 0, page()) != ACRE_OK ||
            acre_mmap_unlock(&map, 0, page()) != ACRE_OK)
            return 3;
        if (acre_mmap_advise(&map, 0, map.size, ACRE_ADVISE_NO_DUMP) != ACRE_OK ||
            !has_vm_flag(map.base, "dd"))
            return 4;
        return acre_mmap_flush(&map, 0, map.size, ACRE_FLUSH_WAIT) == ACRE_OK ? 0 : 5;
    });
}

TEST(Seal, of_every_kind_of_map)
{
    File file(std::string(4 * page(), 'f'));
    in_child_that_seals([&] {
        acre_mmap reserved = {}, mapped = {}, ring = {}, write = {}, exec = {};
        if (acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, nullptr, &reserved) != ACRE_OK ||
            acre_mmap_commit(&reserved, page(), page()) != ACRE_OK ||
            acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ, nullptr,
                           &mapped) != ACRE_OK ||
            acre_mmap_ring(2 * page(), nullptr, &ring) != ACRE_OK ||
            acre_mmap_twin(4 * page(), nullptr, &write, &exec) != ACRE_OK)
            return 1;
        int which = 2;
        for (acre_mmap *map : {&reserved, &mapped, &ring, &write, &exec}) {
            if (acre_mmap_seal(map) != ACRE_OK || !refuses_all(map))
                return which;
            if (munmap(map->base, map->size) != -1 || errno != EPERM)
                return 10 + which;
            which++;
        }
        return 0;
    });
}

TEST(Seal, where_there_is_none_is_refused)
{
    acre_port_pretend_without(ACRE_CAN_SEAL);
    Map map;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
    expect_refused(-ENOTSUP, map, [&] { return acre_mmap_seal(&map); });
    acre_port_pretend_nothing();
}

}  // namespace
