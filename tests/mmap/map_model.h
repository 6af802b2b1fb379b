// tests/mmap/map_model.h - a map, the parts that it is split into, and a model of its pages.
//
// A step is a call chosen at random; then every page must be as the model says.  A call that fails
// must have had a cause that mmap.h names: a limit that was lowered for it, or the state of its
// pages.  The calls are in map_calls.h.
#ifndef ACRE_TESTS_MMAP_MAP_MODEL_H_
#define ACRE_TESTS_MMAP_MAP_MODEL_H_

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "mmap/port/memory.h"
#include "tests/mmap/page_model.h"
#include "tests/mmap/witness.h"
#include "tests/support/random.h"

namespace acre_test {

// The map that a seed begins with.
enum MapKind { RESERVED, DEMANDING, LOCKING, ANONYMOUS, SHARED, PRIVATE_FILE, KINDS };
inline const char *const map_kind_names[] = {"reserved",  "demanding", "locking",
                                             "anonymous", "shared",    "private_file"};

// What is not as mmap.h says: of which kind, and where.
struct Difference {
    std::string kind;
    std::string text;
};

class MapModel {
  public:
    MapModel(Witness &witness, unsigned seed, MapKind kind, const File &file, bool talks)
        : witness_(witness), random_(seed), kind_(kind), file_(file), talks_(talks)
    {
        refuses_ = !random_.one_in(3);
        reads_seldom_ = random_.one_in(4);
        markers_ = acre_can(ACRE_CAN_GUARD_WITH_MARKERS) && !random_.one_in(4);
        seals_ = acre_can(ACRE_CAN_SEAL) && random_.one_in(12);
        if (!markers_)
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        locked_before_ = witness_.account("VmLck");
        descriptor_ = free_descriptor();
        count_ = 16 + random_.below(MOST_PAGES - 15);
        slots_.resize(count_ + 16);
        choose_calls();
    }
    ~MapModel()
    {
        for (Handle &handle : handles_) {
            if (!is_sealed(handle))
                (void)!acre_mmap_unmap(&handle.map);
        }
        for (char *wall : walls_)
            munmap(wall, page());
        acre_port_pretend_nothing();
    }
    MapModel(const MapModel &) = delete;
    MapModel &operator=(const MapModel &) = delete;

    // False where this system has no such maps.
    bool create();
    void step();
    void finish();
    bool has_sealed() const
    {
        return has_sealed_;
    }

    static constexpr size_t MOST_PAGES = 64;

  private:
    enum { DEMANDS = ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK, OTHER_ADVICE = 1 << 20 };
    struct Handle {
        acre_mmap map;
        size_t first;  // slot
        uint32_t access;
        size_t pages() const
        {
            return map.size / page();
        }
    };
    struct Range {
        size_t first, count;  // slots
        size_t offset, length;
    };
    using Successors = std::function<void(const Page &, Pages &)>;
    enum After { SAME, SAME_OR_DONE, GIVEN };

    [[noreturn]] void differ(const std::string &what, const std::string &where) const
    {
        throw Difference{last_ + ": " + what,
                         limited_.empty() ? where : where + "; lowered:" + limited_};
    }
    static bool is_sealed(const Handle &handle)
    {
        return (handle.map.flags & ACRE_IS_SEALED) != 0;
    }
    // Whether this refusal is due, and came.
    bool is_due(bool due, acre_status expected, acre_status status) const
    {
        if (due && status != expected)
            differ("not " + name_of(expected), name_of(status));
        return due;
    }
    bool is_lockable_map() const
    {
        return (flags_ & (ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT)) != 0;
    }
    bool commits() const
    {
        return kind_ != SHARED && kind_ != PRIVATE_FILE;
    }
    bool is_reservation() const
    {
        return (flags_ & ACRE_IS_RESERVATION) != 0;
    }

    template <class Condition>
    bool all(size_t first, size_t count, Condition condition) const
    {
        for (size_t i = first; i < first + count; i++) {
            if (!certainly(slots_[i], condition))
                return false;
        }
        return true;
    }
    template <class Condition>
    size_t how_many(const Range &range, Condition condition) const
    {
        size_t found = 0;
        for (size_t i = range.first; i < range.first + range.count; i++)
            found += std::any_of(slots_[i].begin(), slots_[i].end(), condition);
        return found;
    }
    // Whether the pages are known to differ in nothing but their contents.
    bool is_one_state(const Range &range) const
    {
        const Page &first = slots_[range.first][0];
        return all(range.first, range.count,
                   [&first](const Page &each) { return each.alike(first); });
    }
    bool is_uniform(const Handle &handle) const
    {
        return all(handle.first, handle.pages(),
                   [&](const Page &each) { return each.shown() == handle.access; });
    }

    Handle &some_handle()
    {
        return handles_[random_.below(handles_.size())];
    }
    Range some_range(const Handle &handle)
    {
        size_t pages = handle.pages();
        if (random_.one_in(6))
            return {handle.first, pages, 0, pages * page()};
        size_t offset = random_.below(pages);
        size_t most = random_.one_in(2) && pages - offset > 4 ? 4 : pages - offset;
        size_t count = 1 + random_.below(most);
        return {handle.first + offset, count, offset * page(), count * page()};
    }
    uint32_t some_access(bool none_too)
    {
        static const uint32_t each[] = {ACRE_READ_WRITE, ACRE_READ_WRITE, ACRE_READ,
                                        ACRE_READ_EXEC,  ACRE_NONE,       ACRE_READ_WRITE_EXEC};
        size_t choices = flags_ & ACRE_MAP_JIT ? 6 : 5;
        uint32_t access = each[random_.below(choices)];
        return access == ACRE_NONE && !none_too ? uint32_t{ACRE_READ_WRITE} : access;
    }

    acre_status call(const char *name, Handle &handle, const std::string &where, const Need &need,
                     const std::function<acre_status()> &body);
    void demand_success(acre_status status);
    void replace(const Range &range, bool done, After after, const Successors &next);
    void choose_calls();
    void look();
    void find_locked();
    void write_some();
    bool is_free(size_t first, size_t count);

    void commit();
    void decommit();
    void protect();
    void guard();
    void unguard();
    void discard();
    void discard_many();
    void lock();
    void populate();
    void advise();
    void split();
    void merge();
    void resize();
    void grow(Handle &handle, size_t added);
    void unmap();
    void seal();

    void give(Handle &handle, const Range &range, uint32_t access, acre_status status);
    Need need_to_give(const Range &range, uint32_t access) const;

    Witness &witness_;
    Random random_;
    const MapKind kind_;
    const File &file_;
    const bool talks_;
    bool refuses_, reads_seldom_, markers_, seals_;
    bool has_sealed_ = false;
    bool has_room_ = false;
    bool looks_late_ = false;  // the last look was not at contents
    bool refused_ok_ = false;  // it was refused by a limit, as it may be
    uint32_t flags_ = 0;       // of the map, as demanded
    size_t count_;
    char *base_ = nullptr;  // of slot 0
    std::vector<char *> walls_;
    std::vector<void (MapModel::*)()> calls_;
    std::vector<Pages> slots_;
    std::vector<Handle> handles_;
    size_t locked_before_;
    int descriptor_;
    uint32_t advices_ = 0;
    std::string last_ = "create", limited_;
};

inline bool MapModel::create()
{
    acre_mmap_opts opts = {};
    uint32_t access = random_.one_in(4) ? ACRE_READ : ACRE_READ_WRITE;
    uint32_t more[] = {ACRE_MAP_NO_DUMP, ACRE_MAP_DONT_FORK, ACRE_MAP_NO_HUGE, ACRE_MAP_STACK};
    bool reserves =
        kind_ == RESERVED || kind_ == DEMANDING || (kind_ == LOCKING && random_.one_in(2));
    opts.flags = random_.one_in(2) ? uint32_t{ACRE_MAP_JIT} : 0u;
    if (kind_ == DEMANDING)
        opts.flags |= more[random_.below(3)];
    if (kind_ != RESERVED && random_.one_in(3))
        opts.flags |= more[random_.below(4)];
    if (kind_ == DEMANDING && (opts.flags & ACRE_MAP_DONT_FORK) == 0 && random_.one_in(6))
        opts.flags |= ACRE_MAP_WIPE_ON_FORK;
    if (kind_ == LOCKING)
        opts.flags |= random_.one_in(2) ? ACRE_MAP_LOCKED : ACRE_MAP_LOCK_ON_FAULT;
    if (kind_ == SHARED)
        opts.flags |= ACRE_MAP_SHARED;
    if (kind_ == RESERVED && random_.one_in(4))
        opts.flags |= ACRE_MAP_POPULATE;

    // A place with room behind and below it, or where the kernel likes.
    has_room_ = random_.one_in(2);
    if (has_room_) {
        size_t room = (slots_.size() + count_ + 2) * page();
        void *all = mmap(nullptr, room, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED)
            return false;
        char *low = static_cast<char *>(all);
        munmap(low + page(), room - 2 * page());
        walls_ = {low, low + room - page()};
        opts.address = low + page() + count_ * page();
        opts.flags |= ACRE_MAP_FIXED;
    }
    acre_mmap map = {};
    acre_status status =
        kind_ == PRIVATE_FILE
            ? acre_mmap_file(handle_of(file_.descriptor), 0, count_ * page(), access, &opts, &map)
        : reserves ? acre_mmap_reserve(count_ * page(), access, &opts, &map)
                   : acre_mmap_anon(count_ * page(), access, &opts, &map);
    // Not each system has each demand, nor is each user allowed to lock.
    if (acre_status_unsupported(status) || (kind_ == LOCKING && status < 0))
        return false;
    if (status != ACRE_OK)
        differ("refused", name_of(status));
    flags_ = map.flags;
    base_ = static_cast<char *>(map.base);
    handles_.push_back({map, 0, access});
    for (size_t i = 0; i < slots_.size(); i++) {
        Page fresh;
        fresh.fresh = kind_ == PRIVATE_FILE ? static_cast<uint8_t>(i + 1) : uint8_t{0};
        fresh.refresh();
        fresh.committed = !reserves;
        fresh.access = reserves ? uint32_t{ACRE_NONE} : access;
        fresh.locked = !reserves && is_lockable_map();
        fresh.advice = flags_ & DEMANDS;
        if (i < count_)
            slots_[i] = {fresh};
    }
    look();
    return true;
}

// Makes the call, with limits lowered where this is the time; refused by one, it must have been in
// need of what that limits.
inline acre_status MapModel::call(const char *name, Handle &handle, const std::string &where,
                                  const Need &need, const std::function<acre_status()> &body)
{
    Limits limits;
    if (refuses_ && random_.one_in(3)) {
        size_t which = random_.below(8);
        auto lower = [&](bool this_one) {
            return Limit{this_one || (which == 0 && random_.one_in(2)), random_.below(count_ + 1)};
        };
        limits.data = lower(which == 1 || which == 2 || which == 3);
        limits.addresses = lower(which == 4);
        limits.locks = lower(which == 5);
        limits.no_descriptor = which == 3 || which == 6 || (which == 0 && random_.one_in(2));
    }
    acre_mmap before = handle.map;
    acre_status status;
    {
        Lowered lowered(witness_, limits);
        errno = 4095;
        status = body();
    }
    int left = errno;
    auto exceeds = [](const Limit &limit, size_t pages) { return limit.set && pages > limit.room; };
    bool data = exceeds(limits.data, need.data);
    bool addresses = exceeds(limits.addresses, need.addresses);
    bool locks = exceeds(limits.locks, need.locks);
    bool descriptor = limits.no_descriptor && need.descriptor;
    refused_ok_ = (status == -ENOMEM && (data || addresses || locks)) ||
                  ((status == -EPERM || status == -EAGAIN) && locks) ||
                  (status == -EMFILE && descriptor);
    last_ = std::string(name) + (status == ACRE_OK ? "" : " refused");
    limited_ = std::string(limits.data.set ? " DATA" : "") + (limits.addresses.set ? " AS" : "") +
               (limits.locks.set ? " MEMLOCK" : "") + (limits.no_descriptor ? " NOFILE" : "");
    if (talks_) {
        std::printf("  %s, map %zu+%zu, %s: %s%s\n", name, handle.first, before.size / page(),
                    where.c_str(), name_of(status).c_str(),
                    limited_.empty() ? "" : (", lowered:" + limited_).c_str());
        std::fflush(stdout);
    }
    if (left != 4095)
        differ("errno is changed", where);
    if (status != ACRE_OK && !same(before, handle.map))
        differ("the handle is changed", where);
    return status;
}

inline void MapModel::demand_success(acre_status status)
{
    if (status != ACRE_OK && !refused_ok_)
        differ("without a cause", name_of(status));
}

inline std::string where_of(size_t first, size_t count, const std::string &more = "")
{
    return std::to_string(count) + " pages from " + std::to_string(first) + more;
}

// What the pages of the range may be after a call: as `next` says where it succeeded; where it
// failed as they were, or each so or so.
inline void MapModel::replace(const Range &range, bool done, After after, const Successors &next)
{
    if (!done && after == SAME)
        return;
    for (size_t i = range.first; i < range.first + range.count; i++) {
        Pages states;
        if (!done && after == SAME_OR_DONE)
            states = slots_[i];
        for (const Page &each : slots_[i]) {
            Pages following;
            next(each, following);
            for (const Page &state : following)
                add(states, state);
        }
        slots_[i].swap(states);
    }
}

inline void MapModel::look()
{
    bool at_contents = !reads_seldom_ || random_.one_in(8);
    std::vector<Seen> seen = witness_.look(base_, slots_.size(), at_contents);
    size_t least_locked = 0;
    size_t most_locked = 0;
    for (const Handle &handle : handles_) {
        if (handle.map.access != handle.access)
            differ("the map's access", access_text(handle.map.access));
        for (size_t i = handle.first; i < handle.first + handle.pages(); i++) {
            std::string expected;
            for (const Page &each : slots_[i])
                expected += (expected.empty() ? "" : ", or ") + text_of(each);
            std::string wrong = compare(slots_[i], seen[i]);
            if (!wrong.empty() && looks_late_)
                last_ = "a call before " + last_;
            if (!wrong.empty())
                differ(wrong, "page " + std::to_string(i) + ": " + text_of(seen[i]) +
                                  "; it should be " + expected);
            bool marked =
                certainly(slots_[i], [](const Page &each) { return each.guard == MARKER; });
            bool hidden =
                certainly(slots_[i], [](const Page &each) { return each.guard == PROTECTION; });
            if ((marked && (handle.map.flags & ACRE_HAS_MARKER_GUARDS) == 0) ||
                (hidden && (handle.map.flags & ACRE_HAS_PAGE_GUARDS) == 0))
                differ("map->flags does not tell of a guard", "page " + std::to_string(i));
            auto locked = [](const Page &each) { return each.locked; };
            least_locked += certainly(slots_[i], locked);
            most_locked += std::any_of(slots_[i].begin(), slots_[i].end(), locked);
        }
    }
    size_t locked = (witness_.account("VmLck") - locked_before_) / page();
    if (locked < least_locked || locked > most_locked)
        differ("locks", std::to_string(locked) + " pages are locked instead of " +
                            std::to_string(least_locked) + " to " + std::to_string(most_locked));
    if (least_locked != most_locked)
        find_locked();
    looks_late_ = !at_contents;
    if (free_descriptor() != descriptor_)
        differ("a descriptor is left open", "");
}

// Where the number of locked pages leaves open which are.
inline void MapModel::find_locked()
{
    std::vector<std::string> flags = witness_.flags(base_, slots_.size());
    for (size_t i = 0; i < slots_.size(); i++) {
        bool locked = flags[i].find(" lo ") != std::string::npos;
        Pages left;
        for (const Page &each : slots_[i]) {
            if (each.locked == locked)
                left.push_back(each);
        }
        if (!slots_[i].empty() && left.empty())
            differ("locks", "page " + std::to_string(i) + ":" + flags[i]);
        slots_[i].swap(left);
    }
}

inline void MapModel::write_some()
{
    for (Handle &handle : handles_) {
        for (size_t i = handle.first; i < handle.first + handle.pages(); i++) {
            bool writable = certainly(slots_[i], [](const Page &each) {
                return (each.shown() & ACRE_WRITE) != 0 && each.guard == 0;
            });
            if (!writable || !random_.one_in(4))
                continue;
            auto byte = static_cast<uint8_t>(1 + random_.below(255));
            if (!witness_.store(base_, i, byte))
                differ("a page cannot be written", "page " + std::to_string(i));
            for (Page &each : slots_[i]) {
                each.value = byte;
                each.fading = false;
            }
        }
    }
}

inline bool MapModel::is_free(size_t first, size_t count)
{
    std::vector<Seen> seen = witness_.look(base_ + first * page(), count, false);
    return std::none_of(seen.begin(), seen.end(), [](const Seen &each) { return each.mapped; });
}

// Not all calls in each seed: what one of them reveals at once would hide what others reveal later.
inline void MapModel::choose_calls()
{
    static const struct {
        void (MapModel::*call)();
        size_t weight;
    } each[] = {
        {&MapModel::commit, 4}, {&MapModel::decommit, 2},     {&MapModel::protect, 2},
        {&MapModel::guard, 2},  {&MapModel::unguard, 2},      {&MapModel::discard, 1},
        {&MapModel::lock, 1},   {&MapModel::discard_many, 1}, {&MapModel::populate, 1},
        {&MapModel::advise, 1}, {&MapModel::split, 1},        {&MapModel::merge, 1},
        {&MapModel::resize, 2}, {&MapModel::unmap, 1},        {&MapModel::seal, 1},
    };
    for (const auto &row : each) {
        if (random_.one_in(3) && row.call != &MapModel::commit)
            continue;
        for (size_t i = 0; i < row.weight; i++)
            calls_.push_back(row.call);
    }
}

inline void MapModel::step()
{
    (this->*calls_[random_.below(calls_.size())])();
    look();
    if (random_.one_in(2))
        write_some();
}

inline void MapModel::finish()
{
    reads_seldom_ = false;
    last_ = "at the end";
    look();
    std::vector<std::string> flags = witness_.flags(base_, slots_.size());
    auto check = [&](size_t i, const char *flag, const std::function<bool(const Page &)> &has) {
        bool found = flags[i].find(std::string(" ") + flag + " ") != std::string::npos;
        if (certainly(slots_[i], [&](const Page &each) { return has(each) != found; }))
            differ(std::string(slots_[i][0].added ? "an added" : "a") + " page's " + flag +
                       " of VmFlags",
                   "page " + std::to_string(i) + ":" + flags[i]);
    };
    for (const Handle &handle : handles_) {
        for (size_t i = handle.first; i < handle.first + handle.pages(); i++) {
            check(i, "lo", [](const Page &each) { return each.locked; });
            check(i, "dd", [](const Page &each) { return (each.advice & ACRE_MAP_NO_DUMP) != 0; });
            check(i, "dc",
                  [](const Page &each) { return (each.advice & ACRE_MAP_DONT_FORK) != 0; });
        }
    }
    for (Handle &handle : handles_) {
        if (!is_sealed(handle) && acre_mmap_unmap(&handle.map) != ACRE_OK)
            differ("unmap", "");
    }
    // A sanitizer maps memory of its own, also there.
    if (!SANITIZED && has_room_ && !has_sealed_ && !is_free(0, slots_.size()))
        differ("something is left mapped", "");
}

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_MAP_MODEL_H_
