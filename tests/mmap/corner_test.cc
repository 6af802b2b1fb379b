// Every call on maps of every kind: which status each pair gives is written here by hand, from what
// acre/mmap.h says.
//
// A refused call changes nothing; after one that was granted the map can still be used and
// unmapped.  All of it once more in the child of a fork, on maps of the parent's.

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>

#include "mmap/port/memory.h"
#include "tests/mmap/corner_kinds.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;
using namespace acre_test::corner;

namespace {
// ---- the table ----------------------------------------------------------------------------------
//
//   +  ACRE_OK                              e  ACRE_EMPTY_HANDLE
//   s  ACRE_BAD_STATE                       u  ACRE_UNSAFE_FLAG_NEEDED
//   S  ACRE_SEALED
//   x  the system's refusal                 ?  ACRE_OK or the system's refusal
//   g  + where guards are markers, else S   m  s where guards are markers, else +

struct Row {
    const char *name;
    acre_status (*call)(acre_mmap *map, size_t length);
    const char *expected;
    // The length may be 0 (so the call is on a range): then what is acre's own refusal stays one,
    // and all else succeeds.
    bool on_range;
};

acre_mmap other;  // what split makes, and merge takes
bool is_empty;

acre_status commit_as(acre_mmap *map, size_t length)
{
    return acre_mmap_commit_as(map, 0, length, ACRE_READ);
}

template <uint32_t access>
acre_status protect(acre_mmap *map, size_t length)
{
    return acre_mmap_protect(map, 0, length, access);
}

template <acre_status (*call)(acre_mmap *, size_t, size_t)>
acre_status whole(acre_mmap *map, size_t length)
{
    return call(map, 0, length);
}

acre_status split(acre_mmap *map, size_t length)
{
    return acre_mmap_split(map, length / 2 / unit * unit, &other);
}

// Of two halves where it can be cut, else of the map and a neighbour like it.
acre_status merge(acre_mmap *map, size_t length)
{
    if (split(map, length) == ACRE_OK)
        return acre_mmap_merge(map, &other);
    acre_mmap next = *map;
    if (!is_empty)
        next.base = bytes(*map, map->size);
    return acre_mmap_merge(map, &next);
}

acre_status shrink(acre_mmap *map, size_t length)
{
    return acre_mmap_resize(map, length / 2, ACRE_RESIZE_IN_PLACE);
}

// There is room behind the map.
acre_status grow(acre_mmap *map, size_t length)
{
    return acre_mmap_resize(map, length + unit, ACRE_RESIZE_IN_PLACE);
}

// More than the room behind it.
acre_status move(acre_mmap *map, size_t length)
{
    return acre_mmap_resize(map, 4 * length + 2 * granule(), ACRE_RESIZE_MAY_MOVE);
}

acre_status seal(acre_mmap *map, size_t)
{
    return acre_mmap_seal(map);
}

template <uint32_t when>
acre_status discard(acre_mmap *map, size_t length)
{
    return acre_mmap_discard(map, 0, length, when);
}

template <uint32_t how>
acre_status flush(acre_mmap *map, size_t length)
{
    return acre_mmap_flush(map, 0, length, how);
}

acre_status resident(acre_mmap *map, size_t length)
{
    size_t present;
    return acre_mmap_resident(map, 0, length, &present);
}

acre_status guard(acre_mmap *map, size_t length)
{
    return acre_mmap_guard(map, 0, length == 0 ? 0 : unit);
}

// Also where the guard was refused: then there is nothing to lift.
acre_status unguard(acre_mmap *map, size_t length)
{
    (void)guard(map, length);
    return acre_mmap_unguard(map, 0, length == 0 ? 0 : unit);
}

template <acre_advice advice>
acre_status advise(acre_mmap *map, size_t length)
{
    return acre_mmap_advise(map, 0, length, advice);
}

acre_status unmap(acre_mmap *map, size_t)
{
    return acre_mmap_unmap(map);
}

// Explicit huge pages are the kernel's special memory in some of what is told of them: '?' there.
// clang-format off
const Row rows[] = {
  //                                               anonymous
  //                                               | file, private
  //                                               | | file, shared
  //                                               | | | reserved
  //                                               | | | | partly committed
  //                                               | | | | | huge
  //                                               | | | | | | locked
  //                                               | | | | | | | guarded
  //                                               | | | | | | | | ring
  //                                               | | | | | | | | | twin, writable
  //                                               | | | | | | | | | | twin, executable
  //                                               | | | | | | | | | | | clone
  //                                               | | | | | | | | | | | | sealed, writable
  //                                               | | | | | | | | | | | | | sealed, read-only
  //                                               | | | | | | | | | | | | | | adopted
  //                                               | | | | | | | | | | | | | | | adopted reservation
  //                                               | | | | | | | | | | | | | | | | droppable
  //                                               | | | | | | | | | | | | | | | | | shared memory
  //                                               | | | | | | | | | | | | | | | | | | empty
  {"commit",        whole<acre_mmap_commit>,      "+ s s + + + + + s s s s S S s + + s e", true},
  {"commit_as",     commit_as,                    "+ s s + + + + + s s s s S S s + + s e", true},
  {"decommit",      whole<acre_mmap_decommit>,    "+ s s + + + + + s s s s S S s + + s e", true},
  {"protect NONE",  protect<ACRE_NONE>,           "+ + + + + + + + + + + + S S + + + + e", true},
  {"protect READ",  protect<ACRE_READ>,           "+ + + + + + + + + + + + S S + + + + e", true},
  {"protect WRITE", protect<ACRE_WRITE>,          "+ + + + + + + + + + + + S S + + + + e", true},
  {"protect W+X",   protect<ACRE_READ_WRITE_EXEC>,"u u u u u u u u u u u u u u u u u u e", false},
  {"split",         split,                        "+ + + + + + + + s s s + S S + + + + e", false},
  {"merge",         merge,                        "+ + + + + + + + s s s + S S + + + + e", false},
  {"shrink",        shrink,                       "+ + + + + + + + s s s + S S + + + + e", false},
  {"grow",          grow,                         "+ + + + + ? + + s s s s S S + + + s e", false},
  {"move",          move,                         "+ + + + s ? + s s s s s S S + + + s e", false},
  {"seal",          seal,                         "+ + + + + + + + + + + + + + + + + + e", false},
  {"discard",       discard<ACRE_DISCARD_NOW>,    "+ + s + + ? + + + + ? + + S + + + + e", true},
  {"discard lazy",  discard<ACRE_DISCARD_LAZY>,   "+ + s + + ? + + + + ? + + S + + + + e", true},
  {"populate",      whole<acre_mmap_populate>,    "+ + + x x + + x + + + + + + + x + + e", true},
  {"lock",          whole<acre_mmap_lock>,        "+ + + x x + + x + + + + + + + x s + e", true},
  {"lock_on_fault", whole<acre_mmap_lock_on_fault>,"+ + + + + + + + + + + + + + + + s + e", true},
  {"unlock",        whole<acre_mmap_unlock>,      "+ + + + + + + + + + + + + + + + + + e", true},
  {"flush",         flush<ACRE_FLUSH_WAIT>,       "+ + + + + + + + + + + + + + + + + + e", true},
  {"flush async",   flush<ACRE_FLUSH_ASYNC>,      "+ + + + + + + + + + + + + + + + + + e", true},
  {"resident",      resident,                     "+ + + + + + + + + + + + + + + + + + e", true},
  {"guard",         guard,                        "+ + + + + + + + + + ? + g S + + s + e", true},
  {"unguard",       unguard,                      "+ + + + + + + + + + ? + + S + + s + e", true},
  {"NORMAL",        advise<ACRE_ADVISE_NORMAL>,   "? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"SEQUENTIAL",    advise<ACRE_ADVISE_SEQUENTIAL>,"? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"RANDOM",        advise<ACRE_ADVISE_RANDOM>,   "? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"WILL_NEED",     advise<ACRE_ADVISE_WILL_NEED>,"? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"COLD",          advise<ACRE_ADVISE_COLD>,     "? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"PAGE_OUT",      advise<ACRE_ADVISE_PAGE_OUT>, "? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"HUGE",          advise<ACRE_ADVISE_HUGE>,     "? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"NO_HUGE",       advise<ACRE_ADVISE_NO_HUGE>,  "? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"COLLAPSE",      advise<ACRE_ADVISE_COLLAPSE>, "? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? ? e", true},
  {"NO_DUMP",       advise<ACRE_ADVISE_NO_DUMP>,  "+ + + + + + + + + + + + + + + + + + e", true},
  {"DUMP",          advise<ACRE_ADVISE_DUMP>,     "+ + + + + + + + + + + + + + + + x + e", true},
  {"DONT_FORK",     advise<ACRE_ADVISE_DONT_FORK>,"+ + + + + + + + + + + + + S + + + + e", true},
  {"DO_FORK",       advise<ACRE_ADVISE_DO_FORK>,  "+ + + + + ? + + + + + + + + + + + + e", true},
  {"WIPE_ON_FORK",  advise<ACRE_ADVISE_WIPE_ON_FORK>,"+ x x + + ? + m x x x x + S + + + x e", true},
  {"KEEP_ON_FORK",  advise<ACRE_ADVISE_KEEP_ON_FORK>,"+ + + + + + + + + + + + + + + + x + e", true},
  {"unmap",         unmap,                        "+ + + + + + + + + + + + S S + + + + +", false},
};
// Where there is no fork advice about it holds for all; a view cannot grow, nor what was adopted
// without moving.
const struct {
  const char *name;
  const char *expected;
} on_windows[] = {
  {"grow",                                        "+ x x + + ? + + s s s s S S x x s s e"},
  {"move",                                        "+ x x + s ? + s s s s s S S + + s s e"},
  {"WIPE_ON_FORK",                                "+ + + + + ? + + + + + + + S + + + + e"},
};
// clang-format on

const char *expected_of(const Row &row)
{
    for (const auto &other_row : on_windows) {
        if (kOnWindows && std::strcmp(other_row.name, row.name) == 0)
            return other_row.expected;
    }
    return row.expected;
}
// What it cannot do with any of them.
bool is_impossible(const Row &row)
{
    if (row.call == seal)
        return !acre_can(ACRE_CAN_SEAL);
    if (row.call == whole<acre_mmap_lock_on_fault>)
        return !acre_can(ACRE_CAN_LOCK_ON_FAULT);
    if (row.call == advise<ACRE_ADVISE_NO_DUMP>)
        return !acre_can(ACRE_CAN_EXCLUDE_FROM_DUMPS);
    if (row.call != whole<acre_mmap_populate>)
        return false;
    Map map;
    EXPECT_OK(anon(free_address(PAGES * page()), 0, &map));
    return acre_status_unsupported(acre_mmap_populate(&map, 0, map.size));
}
// ---- one pair -----------------------------------------------------------------------------------

std::string word_for(char cell)
{
    bool markers = acre_can(ACRE_CAN_GUARD_WITH_MARKERS);
    switch (cell) {
    case '+':
        return "ACRE_OK";
    case 's':
        return "ACRE_BAD_STATE";
    case 'S':
        return "ACRE_SEALED";
    case 'e':
        return "ACRE_EMPTY_HANDLE";
    case 'u':
        return "ACRE_UNSAFE_FLAG_NEEDED";
    case 'g':
        return markers ? "ACRE_OK" : "ACRE_SEALED";
    case 'm':
        return markers ? "ACRE_BAD_STATE" : "ACRE_OK";
    default:
        return "the system's refusal";
    }
}

bool is_systems(acre_status status)
{
    return status < 0 && status >= -4095;
}

void expect_status(char cell, acre_status status)
{
    if (cell == '?') {
        EXPECT_TRUE(status == ACRE_OK || is_systems(status)) << name_of(status);
    } else {
        EXPECT_EQ(word_for(cell), is_systems(status) ? "the system's refusal" : name_of(status))
            << name_of(status);
    }
}

// Whatever was done to it before, its second page can be made writable; guards lie elsewhere.
void expect_usable(acre_mmap *map)
{
    if (map->size == 0)
        return;
    if (map->flags & ACRE_IS_SEALED) {
        std::string access = permissions(bytes(*map, page()));
        if (access[1] == 'w')
            bytes(*map)[page()] = 5;
        EXPECT_EQ(access[0] == 'r', readable(bytes(*map, page())));
        return;
    }
    ASSERT_OK(acre_mmap_protect(map, 0, map->size, ACRE_READ_WRITE));
    bytes(*map)[page()] = 5;
    EXPECT_EQ(5, *static_cast<volatile char *>(bytes(*map, page())));
}

// A place for a map of `size` bytes, where nothing is, and as much behind it; then the addresses
// are taken.
class Room {
  public:
    explicit Room(size_t size) : size_((size + granule() - 1) / granule() * granule())
    {
        acre_mmap_opts opts = {};
        opts.alignment = unit;
        acre_mmap all = {};
        EXPECT_OK(acre_mmap_reserve(3 * size_, ACRE_NONE, &opts, &all));
        opts = at(bytes(all, 2 * size_));
        EXPECT_OK(acre_mmap_unmap(&all));
        EXPECT_OK(acre_mmap_reserve(size_, ACRE_NONE, &opts, &above_));
    }
    ~Room()
    {
        EXPECT_OK(acre_mmap_unmap(&above_));
    }
    Room(const Room &) = delete;
    Room &operator=(const Room &) = delete;

    char *base() const
    {
        return bytes(above_) - 2 * size_;
    }
    char *end() const
    {
        return bytes(above_);
    }

  private:
    size_t size_;
    acre_mmap above_ = {};
};

void check(const Row &row, char cell, acre_mmap *map, const char *low, const char *high)
{
    acre_mmap before = *map;
    std::string areas = areas_between(low, high);
    int descriptor = free_descriptor();
    errno = 4095;
    acre_status status = row.call(map, is_empty ? page() : map->size);
    EXPECT_EQ(4095, errno);
    expect_status(cell, status);
    EXPECT_EQ(descriptor, free_descriptor());
    if (status == ACRE_OK)
        return;
    EXPECT_EQ(0, std::memcmp(&before, map, sizeof before));
    EXPECT_EQ(areas, areas_between(low, high));
}

// Ranges that are nowhere, or none: before anything is asked of the system.
void check_ranges(const Row &row, char cell, acre_mmap *map, const char *low, const char *high)
{
    acre_mmap before = *map;
    std::string areas = areas_between(low, high);
    bool refused = !is_empty && std::strchr("sSm", cell) != nullptr;
    EXPECT_EQ(refused ? word_for(cell) : "ACRE_OK", name_of(row.call(map, 0)));
    EXPECT_EQ(0, std::memcmp(&before, map, sizeof before));
    if (row.call != guard && row.call != unguard) {
        EXPECT_STATUS(is_empty ? ACRE_EMPTY_HANDLE : ACRE_BAD_RANGE,
                      row.call(map, map->size + unit));
    }
    EXPECT_EQ(0, std::memcmp(&before, map, sizeof before));
    EXPECT_EQ(areas, areas_between(low, high));
}

void finish(acre_mmap *map)
{
    expect_usable(map);
    if ((map->flags & ACRE_IS_SEALED) == 0) {
        EXPECT_OK(acre_mmap_unmap(map));
    }
    if (other.size != 0) {
        expect_usable(&other);
        EXPECT_OK(acre_mmap_unmap(&other));
    }
    EXPECT_EQ(0u, other.size);
}

int failure_count()
{
    return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
}

// Runs it in a child, which reports by itself.
void in_a_child(const std::function<void()> &body)
{
    Ended ended = in_child([&] {
        int before = failure_count();
        body();
        return failure_count() != before ? 1 : 0;
    });
    EXPECT_TRUE(ended.exited) << "signal " << ended.code;
    EXPECT_EQ(0, ended.code);
}

void walk_pair(const Row &row, int column, bool forked)
{
    SCOPED_TRACE(std::string(row.name) + " of a map that is " + names[column] +
                 (forked ? ", in a child" : ""));
    char cell = expected_of(row)[2 * column];
    is_empty = column == EMPTY;
    other = {};
    unit = unit_of(column);
    Room room((column == HUGE_PAGES ? 2 : PAGES) * unit);
    acre_mmap map = {};
    ASSERT_OK(make(column, room.base(), &map));
    const char *low = column == TWIN_WRITE ? bytes(map) : room.base();
    const char *high = column == TWIN_WRITE ? low + map.size : room.end();
    auto all = [&] {
        if (row.on_range)
            check_ranges(row, cell, &map, low, high);
        check(row, cell, &map, low, high);
        finish(&map);
    };
    if (!forked) {
        all();
        return;
    }
    in_a_child(all);
    // The parent's is as it was.
    finish(&map);
}

void walk(bool forked)
{
    if (!kOnWindows && emulated())
        GTEST_SKIP() << "an emulator's areas are not the kernel's";
    File file(std::string(size_t{4 * PAGES} * page(), 'f'));
    content = &file;
    size_t areas = area_count();
    for (int column = 0; column < COLUMNS; column++) {
        if (is_missing(column))
            continue;
        bool sealed_kind = column == SEALED_WRITABLE || column == SEALED_READ_ONLY;
        for (const Row &row : rows) {
            ASSERT_EQ(2u * COLUMNS - 1, std::strlen(expected_of(row))) << row.name;
            if (is_impossible(row))
                continue;
            if (sealed_kind || row.call == seal)
                in_a_child([&] { walk_pair(row, column, forked); });
            else
                walk_pair(row, column, forked);
            if (testing::Test::HasFatalFailure())
                return;
        }
    }
    // A pair that left something behind would have done so many times over.
    EXPECT_LT(area_count(), areas + 16);
}

TEST(Corner, every_call_on_maps_of_every_kind)
{
    walk(false);
}

TEST(Corner, the_same_in_the_child_of_a_fork)
{
    walk(true);
}

TEST(Corner, the_same_where_guards_are_protection)
{
    acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    walk(false);
    acre_port_pretend_nothing();
}

}  // namespace
