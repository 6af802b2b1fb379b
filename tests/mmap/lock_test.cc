// Locks: what is locked and what is not, by the kernel's word, at every limit.
#include "acre/area.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE(
    "Lock.a_guard_over_a_locked_part_is_whole_and_is_taken_off_whole "
    "Lock.of_a_part_is_no_wider_after_a_discard_of_all "
    "LockedMap.is_discarded_and_stays_locked "
    "LockedMap.is_guarded_by_protected_pages "
    "LockedMap.without_access_is_locked_when_it_gets_some "
    "LockedReservation.is_locked_as_it_is_committed_and_not_before");

// ---- lock, lock on fault, unlock ----------------------------------------------------------------

TEST(Lock, brings_and_holds_the_pages_that_hold_the_bytes)
{
    size_t before = status_bytes("VmLck");
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_lock(&map, 2 * page() - 1, 2));
    EXPECT_EQ(before + 2 * page(), status_bytes("VmLck"));
    EXPECT_FALSE(has_vm_flag(bytes(map, 0), "lo"));
    EXPECT_TRUE(has_vm_flag(bytes(map, page()), "lo"));
    EXPECT_TRUE(has_vm_flag(bytes(map, 2 * page()), "lo"));
    EXPECT_FALSE(has_vm_flag(bytes(map, 3 * page()), "lo"));
    EXPECT_EQ(2 * page(), smaps_bytes(bytes(map, page()), "Locked"));
    size_t resident = 0;
    ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(2 * page(), resident);
    EXPECT_EQ(0u, map.flags);

    // Not counted: one unlock undoes two locks.
    ASSERT_OK(acre_mmap_lock(&map, page(), page()));
    ASSERT_OK(acre_mmap_unlock(&map, page() + 7, 1));
    EXPECT_EQ(before + page(), status_bytes("VmLck"));
    EXPECT_FALSE(has_vm_flag(bytes(map, page()), "lo"));
    EXPECT_TRUE(has_vm_flag(bytes(map, 2 * page()), "lo"));
    ASSERT_OK(acre_mmap_unlock(&map, 0, map.size));
    EXPECT_EQ(before, status_bytes("VmLck"));
}

TEST(Lock, on_fault_brings_nothing)
{
    if (!acre_can(ACRE_CAN_LOCK_ON_FAULT))
        GTEST_SKIP() << "this system cannot lock on fault";
    size_t before = status_bytes("VmLck");
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_lock_on_fault(&map, 0, map.size));
    EXPECT_TRUE(has_vm_flag(map.base, "lo"));
    EXPECT_EQ(before + map.size, status_bytes("VmLck"));
    EXPECT_EQ(0u, smaps_bytes(map.base, "Rss"));
    bytes(map, 3 * page())[0] = 1;
    EXPECT_EQ(page(), smaps_bytes(map.base, "Locked"));
    ASSERT_OK(acre_mmap_unlock(&map, 0, map.size));
    EXPECT_FALSE(has_vm_flag(map.base, "lo"));
    EXPECT_EQ(1, bytes(map, 3 * page())[0]);
}

TEST(Lock, of_nothing_is_checked_and_does_nothing)
{
    size_t before = status_bytes("VmLck");
    Map map;
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, nullptr, &map));
    EXPECT_OK(acre_mmap_lock(&map, 1, 0));
    EXPECT_OK(acre_mmap_lock_on_fault(&map, map.size, 0));
    expect_refused(ACRE_BAD_RANGE, map, [&] { return acre_mmap_lock(&map, map.size + 1, 0); });
    EXPECT_EQ(before, status_bytes("VmLck"));
}

// ---- at creation --------------------------------------------------------------------------------

TEST(LockedMap, of_every_kind_is_locked_whole)
{
    File file(std::string(4 * page(), 'f'));
    acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
    acre_mmap_opts shared = flags(ACRE_MAP_LOCKED | ACRE_MAP_SHARED);
    size_t before = status_bytes("VmLck");
    Map anon, memory, copy, mapped, path;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &anon));
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &shared, &memory));
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ_WRITE, &opts, &copy));
    ASSERT_OK(
        acre_mmap_file(handle_of(file.descriptor), 0, 4 * page(), ACRE_READ, &shared, &mapped));
    ASSERT_OK(acre_mmap_path(file.path.c_str(), ACRE_READ, &opts, &path, nullptr));
    for (const acre_mmap *map : {&anon, &memory, &copy, &mapped, &path}) {
        EXPECT_TRUE(map->flags & ACRE_MAP_LOCKED);
        EXPECT_TRUE(has_vm_flag(map->base, "lo"));
        EXPECT_EQ(map->size, smaps_bytes(map->base, "Rss"));
    }
    EXPECT_EQ(before + 5 * 4 * page(), status_bytes("VmLck"));
    EXPECT_EQ('f', bytes(copy)[0]);
}

TEST(LockedMap, on_fault_holds_nothing_yet)
{
    if (!acre_can(ACRE_CAN_LOCK_ON_FAULT))
        GTEST_SKIP() << "this system cannot lock on fault";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_LOCK_ON_FAULT);
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
    EXPECT_TRUE(has_vm_flag(map.base, "lo"));
    EXPECT_EQ(0u, smaps_bytes(map.base, "Rss"));
    bytes(map)[0] = 1;
    EXPECT_EQ(page(), smaps_bytes(map.base, "Locked"));
}

TEST(LockedMap, without_access_is_locked_when_it_gets_some)
{
    size_t before = status_bytes("VmLck");
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_NONE, &opts, &map));
    ASSERT_OK(acre_mmap_protect(&map, page(), 2 * page(), ACRE_READ_WRITE));
    EXPECT_TRUE(has_vm_flag(bytes(map, page()), "lo"));
    EXPECT_EQ(2 * page(), smaps_bytes(bytes(map, page()), "Rss"));
    ASSERT_OK(acre_mmap_protect(&map, 0, map.size, ACRE_READ_WRITE));
    EXPECT_EQ(map.size, smaps_bytes(map.base, "Rss"));
    EXPECT_EQ(before + map.size, status_bytes("VmLck"));
}

TEST(LockedReservation, is_locked_as_it_is_committed_and_not_before)
{
    for (uint32_t flag : {ACRE_MAP_LOCKED, ACRE_MAP_LOCK_ON_FAULT}) {
        size_t before = status_bytes("VmLck");
        Map map;
        acre_mmap_opts opts = flags(flag | ACRE_MAP_NO_DUMP);
        ASSERT_OK(acre_mmap_reserve(64 * page(), ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(before, status_bytes("VmLck"));
        ASSERT_OK(acre_mmap_commit(&map, 8 * page(), 4 * page()));
        EXPECT_EQ(before + 4 * page(), status_bytes("VmLck"));
        EXPECT_TRUE(has_vm_flag(bytes(map, 8 * page()), "lo"));
        EXPECT_EQ(flag == ACRE_MAP_LOCKED ? 4 * page() : 0,
                  smaps_bytes(bytes(map, 8 * page()), "Rss"));

        // Over committed pages, which keep their bytes.
        bytes(map, 9 * page())[5] = 5;
        ASSERT_OK(acre_mmap_commit(&map, 9 * page(), 8 * page()));
        EXPECT_EQ(before + 9 * page(), status_bytes("VmLck"));
        EXPECT_EQ(5, bytes(map, 9 * page())[5]);
        // A protect commits as well.
        ASSERT_OK(acre_mmap_protect(&map, 32 * page(), page(), ACRE_READ));
        EXPECT_EQ(before + 10 * page(), status_bytes("VmLck"));

        ASSERT_OK(acre_mmap_decommit(&map, 8 * page(), 4 * page()));
        EXPECT_EQ(before + 6 * page(), status_bytes("VmLck"));
        EXPECT_FALSE(has_vm_flag(bytes(map, 8 * page()), "lo"));
        ASSERT_OK(acre_mmap_decommit(&map, 0, map.size));
        EXPECT_EQ(before, status_bytes("VmLck"));
        ASSERT_OK(acre_mmap_commit(&map, 0, page()));
        EXPECT_TRUE(has_vm_flag(map.base, "lo"));
        EXPECT_TRUE(has_vm_flag(map.base, "dd"));
    }
}

TEST(LockedMap, cut_in_two_and_joined_stays_locked)
{
    size_t before = status_bytes("VmLck");
    Map map, plain;
    acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&map, page(), &tail));
    EXPECT_TRUE(tail.flags & ACRE_MAP_LOCKED);
    EXPECT_EQ(before + 4 * page(), status_bytes("VmLck"));
    ASSERT_OK(acre_mmap_merge(&map, &tail));
    EXPECT_EQ(before + 4 * page(), status_bytes("VmLck"));
    // A neighbour that was not locked is another kind of map.
    ASSERT_OK(acre_mmap_split(&map, page(), &tail));
    tail.flags &= ~static_cast<uint32_t>(ACRE_MAP_LOCKED);
    expect_refused(ACRE_ATTRIBUTE_MISMATCH, map, [&] { return acre_mmap_merge(&map, &tail); });
    ASSERT_OK(acre_mmap_unmap(&tail));
    EXPECT_EQ(before + page(), status_bytes("VmLck"));
}

TEST(LockedMap, is_discarded_and_stays_locked)
{
    size_t before = status_bytes("VmLck");
    for (uint32_t when : {ACRE_DISCARD_NOW, ACRE_DISCARD_LAZY}) {
        Map map;
        acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
        ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
        std::memset(map.base, 1, map.size);
        ASSERT_OK(acre_mmap_discard(&map, page(), 2 * page(), when));
        EXPECT_EQ(1, bytes(map)[page() - 1]);
        EXPECT_EQ(0, bytes(map)[page()]);
        EXPECT_EQ(0, bytes(map)[3 * page() - 1]);
        EXPECT_EQ(1, bytes(map)[3 * page()]);
        EXPECT_TRUE(has_vm_flag(bytes(map, page()), "lo"));
        EXPECT_EQ(before + map.size, status_bytes("VmLck"));
    }
    // A part locked later.
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_lock(&map, page(), page()));
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    for (size_t at = 0; at < map.size; at += page())
        EXPECT_EQ(0, bytes(map)[at]);
    EXPECT_EQ(before + page(), status_bytes("VmLck"));
}

// ---- guards -------------------------------------------------------------------------------------

TEST(Lock, of_a_part_is_no_wider_after_a_discard_of_all)
{
    for (uint32_t kind : {uint32_t{0}, uint32_t{ACRE_MAP_SHARED}}) {
        size_t before = status_bytes("VmLck");
        acre_mmap_opts opts = flags(kind);
        Map map;
        ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
        std::memset(map.base, 1, map.size);
        ASSERT_OK(acre_mmap_lock(&map, 3 * page(), page()));
        ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
        EXPECT_EQ(before + page(), status_bytes("VmLck"));
        EXPECT_TRUE(has_vm_flag(bytes(map, 3 * page()), "lo"));
        for (size_t i = 0; i < 8; i++)
            EXPECT_EQ(0, bytes(map)[i * page()]);
    }
}

TEST(LockedMap, is_guarded_by_protected_pages)
{
    size_t before = status_bytes("VmLck");
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_guard(&map, page(), page()));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_MAP_LOCKED | ACRE_HAS_PAGE_GUARDS), map.flags);
    EXPECT_EQ("---p", permissions(bytes(map, page())));
    EXPECT_EQ(SIGSEGV, signal_of_write(bytes(map, page())));
    EXPECT_EQ(0u, smaps_bytes(bytes(map, page()), "Rss"));
    ASSERT_OK(acre_mmap_unguard(&map, page(), page()));
    EXPECT_EQ(0, bytes(map)[page()]);
    EXPECT_EQ(1, bytes(map)[2 * page()]);
    EXPECT_TRUE(has_vm_flag(bytes(map, page()), "lo"));
    EXPECT_EQ(before + map.size, status_bytes("VmLck"));
}

TEST(Lock, a_guard_over_a_locked_part_is_whole_and_is_taken_off_whole)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(6 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_lock(&map, 3 * page(), page()));
    ASSERT_OK(acre_mmap_guard(&map, page(), 4 * page()));
    for (size_t i = 0; i < 6; i++)
        EXPECT_EQ(i == 0 || i == 5, readable(bytes(map, i * page()))) << i;
    ASSERT_OK(acre_mmap_unguard(&map, page(), 4 * page()));
    for (size_t i = 0; i < 6; i++) {
        ASSERT_TRUE(readable(bytes(map, i * page()))) << i;
        EXPECT_EQ(i == 0 || i == 5, bytes(map)[i * page()]) << i;
        bytes(map)[i * page()] = 2;
    }
}

TEST(Lock, that_fails_leaves_the_range_unlocked)
{
    size_t before = status_bytes("VmLck");
    Map reserved, guarded;
    ASSERT_OK(acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, nullptr, &reserved));
    ASSERT_OK(acre_mmap_commit(&reserved, 0, 2 * page()));
    ASSERT_OK(acre_mmap_commit(&reserved, 4 * page(), 2 * page()));
    EXPECT_NE(ACRE_OK, acre_mmap_lock(&reserved, 0, 6 * page()));
    EXPECT_EQ(before, status_bytes("VmLck"));
    for (size_t at = 0; at < reserved.size; at += page())
        EXPECT_FALSE(has_vm_flag(bytes(reserved, at), "lo"));

    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        return;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &guarded));
    ASSERT_OK(acre_mmap_guard(&guarded, page(), page()));
    EXPECT_NE(ACRE_OK, acre_mmap_lock(&guarded, 0, guarded.size));
    EXPECT_EQ(before, status_bytes("VmLck"));
    // On fault there is nothing to bring.
    ASSERT_OK(acre_mmap_lock_on_fault(&guarded, 0, guarded.size));
    EXPECT_FALSE(readable(bytes(guarded, page())));
}

// ---- the limit ----------------------------------------------------------------------------------

// Runs `body` in a child that may lock 8 pages; it answers 0, or the number of the first thing that
// is not as it should be.
template <class Body>
void with_a_limit_of_8_pages(Body body)
{
    if (!acre_can(ACRE_CAN_LOCK_ON_FAULT))
        GTEST_SKIP() << "this system cannot lock on fault";
    Ended ended = in_child([&] { return limit_locks(8) ? body() : 77; });
    ASSERT_TRUE(ended.exited) << "signal " << ended.code;
    if (ended.code == 77)
        GTEST_SKIP() << "the right to lock without a limit cannot be given up here";
    EXPECT_EQ(0, ended.code);
}

TEST(LockLimit, refuses_a_lock_and_leaves_nothing_locked)
{
    with_a_limit_of_8_pages([] {
        acre_mmap map = {};
        if (acre_mmap_anon(16 * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK)
            return 1;
        acre_mmap before = map;
        if (acre_mmap_lock(&map, 0, 8 * page()) != ACRE_OK ||
            acre_mmap_unlock(&map, 0, 8 * page()) != ACRE_OK)
            return 2;
        before.private_[0] = map.private_[0];
        if (acre_mmap_lock(&map, 0, 9 * page()) != -ENOMEM ||
            acre_mmap_lock_on_fault(&map, 0, 9 * page()) != -ENOMEM)
            return 3;
        return status_bytes("VmLck") == 0 && same(before, map) && !has_vm_flag(map.base, "lo") ? 0
                                                                                               : 4;
    });
}

TEST(LockLimit, refuses_locked_maps_and_leaves_nothing_behind)
{
    if (TSAN)
        GTEST_SKIP() << "the sanitizer maps memory of its own beside each map";
    File file(std::string(16 * page(), 'f'));
    with_a_limit_of_8_pages([&] {
        acre_mmap untouched = {};
        size_t areas = area_count();
        int descriptor = free_descriptor();
        for (uint32_t flag : {ACRE_MAP_LOCKED, ACRE_MAP_LOCK_ON_FAULT}) {
            acre_mmap_opts opts = flags(flag);
            if (acre_mmap_anon(9 * page(), ACRE_READ_WRITE, &opts, &untouched) != -ENOMEM)
                return 1;
        }
        acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
        if (acre_mmap_file(handle_of(file.descriptor), 0, 9 * page(), ACRE_READ, &opts,
                           &untouched) != -ENOMEM ||
            acre_mmap_path(file.path.c_str(), ACRE_READ, &opts, &untouched, nullptr) != -ENOMEM ||
            acre_mmap_ring(8 * page(), &opts, &untouched) != -ENOMEM)
            return 2;
        if (!same(untouched, acre_mmap{}) || area_count() != areas ||
            free_descriptor() != descriptor)
            return 3;
        return status_bytes("VmLck") == 0 ? 0 : 4;
    });
}

TEST(LockLimit, keeps_what_a_refused_replacement_would_have_destroyed)
{
    with_a_limit_of_8_pages([] {
        acre_mmap map = {}, untouched = {};
        if (acre_mmap_anon(16 * page(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK)
            return 1;
        bytes(map, 9 * page())[0] = 7;
        acre_mmap_opts opts = flags(ACRE_MAP_LOCKED | ACRE_MAP_REPLACE);
        opts.address = map.base;
        if (acre_mmap_anon(16 * page(), ACRE_READ_WRITE, &opts, &untouched) != -ENOMEM)
            return 2;
        return bytes(map, 9 * page())[0] == 7 ? 0 : 3;
    });
}

TEST(LockLimit, refuses_a_commit_before_anything_is_accessible)
{
    with_a_limit_of_8_pages([] {
        for (uint32_t flag : {ACRE_MAP_LOCKED, ACRE_MAP_LOCK_ON_FAULT}) {
            acre_mmap map = {};
            acre_mmap_opts opts = flags(flag);
            if (acre_mmap_reserve(64 * page(), ACRE_READ_WRITE, &opts, &map) != ACRE_OK)
                return 1;
            acre_mmap before = map;
            uint64_t areas, after;
            if (acre_area_count(&areas) != ACRE_OK)
                return 7;
            if (acre_mmap_commit(&map, 0, 9 * page()) != -ENOMEM ||
                acre_mmap_protect(&map, 0, 9 * page(), ACRE_READ) != -ENOMEM ||
                !same(before, map) || acre_area_count(&after) != ACRE_OK || after != areas)
                return 2;
            if (readable(map.base) || has_vm_flag(map.base, "ac") || has_vm_flag(map.base, "lo") ||
                status_bytes("VmLck") != 0)
                return 3;
            // What was committed stays as it is.
            if (acre_mmap_commit(&map, 0, 6 * page()) != ACRE_OK)
                return 4;
            bytes(map)[0] = 5;
            if (acre_mmap_commit(&map, 0, 9 * page()) != -ENOMEM || bytes(map)[0] != 5 ||
                readable(bytes(map, 6 * page())))
                return 5;
            if (acre_mmap_unmap(&map) != ACRE_OK)
                return 6;
        }
        return 0;
    });
}

TEST(LockLimit, a_hidden_page_keeps_its_bytes_when_its_commit_is_refused)
{
    with_a_limit_of_8_pages([] {
        acre_mmap map = {};
        acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
        if (acre_mmap_reserve(64 * page(), ACRE_READ_WRITE, &opts, &map) != ACRE_OK ||
            acre_mmap_commit(&map, 0, 2 * page()) != ACRE_OK)
            return 1;
        bytes(map)[0] = 5;
        if (acre_mmap_protect(&map, 0, 2 * page(), ACRE_NONE) != ACRE_OK ||
            acre_mmap_commit(&map, 0, 32 * page()) != -ENOMEM)
            return 2;
        if (acre_mmap_protect(&map, 0, 2 * page(), ACRE_READ) != ACRE_OK)
            return 3;
        return bytes(map)[0] == 5 ? 0 : 4;
    });
}

TEST(LockLimit, refuses_growth_and_leaves_the_map_as_it_was)
{
    if (TSAN)
        GTEST_SKIP() << "the sanitizer maps memory of its own beside each map";
    with_a_limit_of_8_pages([] {
        acre_mmap map = {};
        acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
        if (acre_mmap_anon(6 * page(), ACRE_READ_WRITE, &opts, &map) != ACRE_OK)
            return 1;
        acre_mmap before = map;
        size_t areas = area_count();
        for (uint32_t how : {ACRE_RESIZE_IN_PLACE, ACRE_RESIZE_MAY_MOVE}) {
            if (acre_mmap_resize(&map, 9 * page(), how) != -ENOMEM || !same(before, map) ||
                area_count() != areas)
                return 2;
        }
        if (status_bytes("VmLck") != 6 * page())
            return 3;
        return acre_mmap_resize(&map, 8 * page(), ACRE_RESIZE_MAY_MOVE) == ACRE_OK &&
                       has_vm_flag(map.base, "lo")
                   ? 0
                   : 4;
    });
}

}  // namespace
