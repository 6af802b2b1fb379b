// tests/mmap/map_calls.h - the calls of a map model, and what mmap.h says of each.
#ifndef ACRE_TESTS_MMAP_MAP_CALLS_H_
#define ACRE_TESTS_MMAP_MAP_CALLS_H_

#include "tests/mmap/map_model.h"

namespace acre_test {

// ---- access -------------------------------------------------------------------------------------

inline Need MapModel::need_to_give(const Range &range, uint32_t access) const
{
    Need need;
    if (access & ACRE_WRITE && kind_ != SHARED)
        need.data =
            how_many(range, [](const Page &each) { return (each.shown() & ACRE_WRITE) == 0; });
    if (access != ACRE_NONE && is_lockable_map())
        need.locks = how_many(range, [](const Page &each) { return !each.locked; });
    return need;
}

inline void MapModel::give(Handle &handle, const Range &range, uint32_t access, acre_status status)
{
    if (is_due(is_sealed(handle), ACRE_SEALED, status))
        return;
    demand_success(status);
    bool reserved = all(range.first, range.count, [](const Page &each) { return !each.committed; });
    bool undone = is_uniform(handle);
    bool nothing = reserved || undone || is_one_state(range);
    if (status != ACRE_OK)
        last_ += reserved ? " of reserved pages" : undone ? " of a uniform map" : "";
    bool locks = is_lockable_map() && commits() && access != ACRE_NONE;
    replace(range, status == ACRE_OK, nothing ? SAME : SAME_OR_DONE,
            [&](const Page &page, Pages &out) {
                Page given = page;
                given.access = access;
                given.guard &= static_cast<uint8_t>(~PROTECTION);
                given.committed = page.committed || access != ACRE_NONE;
                // Unlocked since, it may be locked again.
                if (!locks || page.committed)
                    add(out, given);
                given.locked = given.locked || locks;
                add(out, given);
            });
}

inline void MapModel::commit()
{
    Handle &handle = some_handle();
    Range range = some_range(handle);
    bool as = random_.one_in(3);
    uint32_t access = as ? some_access(false) : handle.access;
    acre_status status =
        call(as ? "commit_as" : "commit", handle,
             where_of(range.first, range.count, " " + access_text(access)),
             need_to_give(range, access), [&] {
                 return as ? acre_mmap_commit_as(&handle.map, range.offset, range.length, access)
                           : acre_mmap_commit(&handle.map, range.offset, range.length);
             });
    if (is_due(!is_sealed(handle) && (!commits() || access == ACRE_NONE), ACRE_BAD_STATE, status))
        return;
    give(handle, range, access, status);
}

inline void MapModel::protect()
{
    Handle &handle = some_handle();
    Range range = some_range(handle);
    uint32_t access = some_access(true);
    acre_status status =
        call("protect", handle, where_of(range.first, range.count, " " + access_text(access)),
             need_to_give(range, access),
             [&] { return acre_mmap_protect(&handle.map, range.offset, range.length, access); });
    give(handle, range, access, status);
    if (status == ACRE_OK && range.length == handle.map.size)
        handle.access = access;
}

inline void MapModel::decommit()
{
    Handle &handle = some_handle();
    Range range = some_range(handle);
    Need need;
    uint32_t demands = DEMANDS | ACRE_MAP_WIPE_ON_FORK | ACRE_MAP_NO_HUGE;
    need.addresses = flags_ & demands ? range.count : 0;
    acre_status status = call("decommit", handle, where_of(range.first, range.count), need, [&] {
        return acre_mmap_decommit(&handle.map, range.offset, range.length);
    });
    if (is_due(is_sealed(handle), ACRE_SEALED, status) ||
        is_due(!commits(), ACRE_BAD_STATE, status))
        return;
    demand_success(status);
    replace(range, status == ACRE_OK, SAME, [&](const Page &page, Pages &out) {
        Page reserved;
        reserved.fresh = page.fresh;
        reserved.refresh();
        reserved.advice = flags_ & DEMANDS;
        add(out, reserved);
    });
}

// ---- guards and contents ------------------------------------------------------------------------

inline void MapModel::guard()
{
    Handle &handle = some_handle();
    Range range = some_range(handle);
    if (random_.one_in(2)) {
        range.count = 1;
        range.length = page();
    }
    uint32_t before = handle.map.flags;
    acre_status status = call("guard", handle, where_of(range.first, range.count), Need(), [&] {
        return acre_mmap_guard(&handle.map, range.offset, range.length);
    });
    bool sealed = is_sealed(handle);
    if (is_due(sealed && (handle.access & ACRE_WRITE) == 0, ACRE_SEALED, status))
        return;
    if (is_due((flags_ & ACRE_MAP_WIPE_ON_FORK) != 0, ACRE_BAD_STATE, status))
        return;
    // Sealed pages that are not writable keep their contents, and locked ones take no marker.
    bool plain = !is_lockable_map() && all(range.first, range.count, [](const Page &each) {
        return (each.shown() & ACRE_WRITE) != 0 && !each.locked;
    });
    bool may_refuse = (sealed && (status == ACRE_SEALED || status == -EPERM) &&
                       (!plain || !markers_ || kind_ == SHARED)) ||
                      (kind_ == SHARED && status == -EACCES && !plain);
    if (!may_refuse)
        demand_success(status);
    uint32_t kinds = ACRE_HAS_MARKER_GUARDS | ACRE_HAS_PAGE_GUARDS;
    uint32_t told = status == ACRE_OK ? handle.map.flags & ~before & kinds : kinds;
    if (told == 0)
        told = handle.map.flags & kinds;
    replace(range, status == ACRE_OK, is_one_state(range) ? SAME : SAME_OR_DONE,
            [&](const Page &page, Pages &out) {
                Page guarded = page;
                guarded.refresh();
                if (told & ACRE_HAS_MARKER_GUARDS && markers_) {
                    guarded.guard = page.guard | MARKER;
                    add(out, guarded);
                }
                if (told & ACRE_HAS_PAGE_GUARDS) {
                    guarded.guard = page.guard | PROTECTION;
                    guarded.access = ACRE_NONE;
                    add(out, guarded);
                    guarded.guard = PROTECTION;
                    add(out, guarded);
                }
            });
}

inline void MapModel::unguard()
{
    Handle &handle = some_handle();
    Range range = some_range(handle);
    auto guarded = [](const Page &each) { return each.guard != 0; };
    // Mostly what is guarded, and only that.
    if (!random_.one_in(8)) {
        size_t end = handle.first + handle.pages();
        size_t first = handle.first;
        size_t skip = random_.below(handle.pages());
        for (size_t tries = 0; tries < handle.pages(); tries++) {
            first = handle.first + (skip + tries) % handle.pages();
            if (certainly(slots_[first], guarded))
                break;
        }
        size_t count = 1;
        while (first > handle.first && certainly(slots_[first - 1], guarded)) {
            first--;
            count++;
        }
        while (first + count < end && certainly(slots_[first + count], guarded))
            count++;
        range = {first, count, (first - handle.first) * page(), count * page()};
    }
    bool uniform = is_uniform(handle);
    bool whole = all(range.first, range.count, guarded);
    acre_status status =
        call(whole ? "unguard" : "unguard of more", handle, where_of(range.first, range.count),
             need_to_give(range, handle.access),
             [&] { return acre_mmap_unguard(&handle.map, range.offset, range.length); });
    bool sealed = is_sealed(handle);
    if (is_due(sealed && (handle.access & ACRE_WRITE) == 0, ACRE_SEALED, status))
        return;
    if (is_due((flags_ & ACRE_MAP_WIPE_ON_FORK) != 0, ACRE_BAD_STATE, status))
        return;
    if (!sealed || uniform || (status != ACRE_SEALED && status != -EPERM))
        demand_success(status);
    bool locks = is_lockable_map() && commits() && handle.access != ACRE_NONE;
    if (status != ACRE_OK) {
        // Still guarded; what a marker guards may have got its access.  The call is not for what
        // was not guarded.
        replace(range, false, SAME_OR_DONE, [&](const Page &page, Pages &out) {
            Page given = page;
            if (page.guard & PROTECTION)
                return;
            for (uint32_t access : {handle.access, uint32_t{ACRE_NONE}}) {
                given.access = access;
                add(out, given);
            }
        });
        return;
    }
    replace(range, true, SAME, [&](const Page &page, Pages &out) {
        Page open = page;
        open.guard = 0;
        open.access = handle.access;
        open.refresh();
        if (page.guard == 0)
            open.value = ANYTHING;
        if (handle.access == ACRE_NONE)
            add(out, open);
        open.committed = true;
        if (!locks || page.committed)
            add(out, open);
        open.locked = open.locked || locks;
        add(out, open);
    });
}

inline void MapModel::discard()
{
    Handle &handle = some_handle();
    Range range = some_range(handle);
    uint32_t when = random_.one_in(3) ? ACRE_DISCARD_LAZY : ACRE_DISCARD_NOW;
    bool writable = all(range.first, range.count,
                        [](const Page &each) { return (each.shown() & ACRE_WRITE) != 0; });
    acre_status status =
        call(when == ACRE_DISCARD_LAZY ? "discard LAZY" : "discard NOW", handle,
             where_of(range.first, range.count), Need(),
             [&] { return acre_mmap_discard(&handle.map, range.offset, range.length, when); });
    bool sealed = is_sealed(handle);
    if (is_due(sealed && (handle.access & ACRE_WRITE) == 0, ACRE_SEALED, status))
        return;
    bool may_refuse = !writable && ((sealed && (status == ACRE_SEALED || status == -EPERM)) ||
                                    (kind_ == SHARED && status == -EACCES));
    if (!may_refuse)
        demand_success(status);
    bool lazily = when == ACRE_DISCARD_LAZY && commits();
    replace(range, status == ACRE_OK, is_one_state(range) ? SAME : SAME_OR_DONE,
            [&](const Page &page, Pages &out) {
                Page emptied = page;
                if (lazily) {
                    emptied.fading = true;
                    add(out, emptied);
                }
                emptied.refresh();
                add(out, emptied);
            });
}

inline void MapModel::discard_many()
{
    Handle &handle = some_handle();
    if (!commits() || has_sealed_)
        return;
    std::vector<acre_range> ranges;
    std::vector<Range> given;
    std::string where;
    for (size_t i = 1 + random_.below(4); i > 0; i--) {
        given.push_back(some_range(some_handle()));
        const Range &range = given.back();
        ranges.push_back({base_ + range.first * page(), range.length});
        where += where_of(range.first, range.count, ", ");
    }
    size_t done = 99;
    acre_status status = call("discard_many", handle, where, Need(), [&] {
        return acre_discard_many(ranges.data(), ranges.size(), ACRE_DISCARD_NOW, &done);
    });
    demand_success(status);
    if (done != ranges.size())
        differ("not all is done", std::to_string(done));
    for (const Range &range : given) {
        replace(range, true, SAME, [](const Page &page, Pages &out) {
            out.push_back(page);
            out.back().refresh();
        });
    }
}

// ---- residency ----------------------------------------------------------------------------------

inline void MapModel::lock()
{
    Handle &handle = some_handle();
    Range range = some_range(handle);
    size_t how = random_.below(3);
    static const char *const names[] = {"lock", "lock_on_fault", "unlock"};
    Need need;
    need.locks = how == 2 ? 0 : how_many(range, [](const Page &each) { return !each.locked; });
    acre_status status = call(names[how], handle, where_of(range.first, range.count), need, [&] {
        return how == 0   ? acre_mmap_lock(&handle.map, range.offset, range.length)
               : how == 1 ? acre_mmap_lock_on_fault(&handle.map, range.offset, range.length)
                          : acre_mmap_unlock(&handle.map, range.offset, range.length);
    });
    auto lockable = [](const Page &each) { return each.committed && each.guard == 0; };
    bool known = all(range.first, range.count,
                     [&](const Page &each) { return lockable(each) && each.access != ACRE_NONE; });
    bool never = false;
    for (size_t i = range.first; i < range.first + range.count; i++)
        never = never || certainly(slots_[i], [&](const Page &each) { return !lockable(each); });
    if (how == 0 && never && status == ACRE_OK)
        differ("a page is not committed or guarded", "");
    if (how != 0 || known || status != -ENOMEM)
        demand_success(status);
    bool locked = status == ACRE_OK && how != 2;
    replace(range, true, SAME, [&](const Page &page, Pages &out) {
        out.push_back(page);
        out.back().locked = locked;
    });
}

inline void MapModel::populate()
{
    Handle &handle = some_handle();
    Range range = some_range(handle);
    acre_status status = call("populate", handle, where_of(range.first, range.count), Need(), [&] {
        return acre_mmap_populate(&handle.map, range.offset, range.length);
    });
    if (acre_status_unsupported(status))
        return;
    auto usable = [](const Page &each) { return each.guard == 0 && each.shown() != ACRE_NONE; };
    bool never = false;
    for (size_t i = range.first; i < range.first + range.count; i++)
        never = never || certainly(slots_[i], [&](const Page &each) { return !usable(each); });
    if (never && status == ACRE_OK)
        differ("a page is not committed or guarded", "");
    if (all(range.first, range.count, usable))
        demand_success(status);
}

inline void MapModel::advise()
{
    static const acre_advice each[] = {
        ACRE_ADVISE_NORMAL,    ACRE_ADVISE_SEQUENTIAL, ACRE_ADVISE_RANDOM,  ACRE_ADVISE_COLD,
        ACRE_ADVISE_PAGE_OUT,  ACRE_ADVISE_NO_HUGE,    ACRE_ADVISE_NO_DUMP, ACRE_ADVISE_DUMP,
        ACRE_ADVISE_DONT_FORK, ACRE_ADVISE_DO_FORK};
    Handle &handle = some_handle();
    Range range = some_range(handle);
    acre_advice advice = each[random_.below(is_sealed(handle) ? 8 : 10)];
    acre_status status = call(
        "advise", handle, where_of(range.first, range.count, " " + std::to_string(advice)), Need(),
        [&] { return acre_mmap_advise(&handle.map, range.offset, range.length, advice); });
    bool demand = advice >= ACRE_ADVISE_NO_DUMP;
    bool fork = flags_ & ACRE_MAP_WIPE_ON_FORK && advice >= ACRE_ADVISE_DONT_FORK;
    if (demand && !fork && status != -ENOTSUP)
        demand_success(status);
    if (advice == ACRE_ADVISE_COLD || advice == ACRE_ADVISE_PAGE_OUT)
        return;
    uint32_t number = ++advices_ * OTHER_ADVICE;
    replace(range, status == ACRE_OK, SAME_OR_DONE, [&](const Page &page, Pages &out) {
        Page advised = page;
        if (advice == ACRE_ADVISE_NO_DUMP)
            advised.advice |= ACRE_MAP_NO_DUMP;
        else if (advice == ACRE_ADVISE_DUMP)
            advised.advice &= ~uint32_t{ACRE_MAP_NO_DUMP};
        else if (advice == ACRE_ADVISE_DONT_FORK)
            advised.advice |= ACRE_MAP_DONT_FORK;
        else if (advice == ACRE_ADVISE_DO_FORK)
            advised.advice &= ~uint32_t{ACRE_MAP_DONT_FORK};
        else
            advised.advice = (page.advice & DEMANDS) | number;
        add(out, advised);
    });
}

// ---- handles ------------------------------------------------------------------------------------

inline void MapModel::split()
{
    size_t index = random_.below(handles_.size());
    Handle &handle = handles_[index];
    if (handle.pages() < 2 || handles_.size() > 6)
        return;
    size_t at = 1 + random_.below(handle.pages() - 1);
    Handle tail = {{}, handle.first + at, handle.access};
    acre_status status = call("split", handle, where_of(handle.first, at), Need(),
                              [&] { return acre_mmap_split(&handle.map, at * page(), &tail.map); });
    if (is_due(is_sealed(handle), ACRE_SEALED, status))
        return;
    demand_success(status);
    handles_.insert(handles_.begin() + static_cast<long>(index) + 1, tail);
}

inline void MapModel::merge()
{
    if (handles_.size() < 2)
        return;
    size_t index = random_.below(handles_.size() - 1);
    Handle &handle = handles_[index];
    Handle &next = handles_[index + 1];
    Need need;
    need.descriptor = kind_ == PRIVATE_FILE;
    acre_status status = call("merge", handle, where_of(handle.first, handle.pages()), need,
                              [&] { return acre_mmap_merge(&handle.map, &next.map); });
    acre_status expected = handle.first + handle.pages() != next.first && status != ACRE_OK
                               ? ACRE_NOT_ADJACENT
                           : is_sealed(handle) || is_sealed(next) ? ACRE_SEALED
                           : handle.access != next.access         ? ACRE_ATTRIBUTE_MISMATCH
                                                                  : ACRE_OK;
    if (expected == ACRE_OK && refused_ok_)
        return;
    if (status != expected)
        differ("another answer", name_of(status) + " instead of " + name_of(expected));
    if (status == ACRE_OK)
        handles_.erase(handles_.begin() + static_cast<long>(index) + 1);
}

inline void MapModel::grow(Handle &handle, size_t added)
{
    size_t pages = handle.pages();
    Range behind = {handle.first + pages, added, pages * page(), added * page()};
    Page fresh;
    fresh.committed = !is_reservation();
    fresh.access = fresh.committed ? handle.access : uint32_t{ACRE_NONE};
    fresh.locked = fresh.committed && is_lockable_map();
    fresh.advice = flags_ & DEMANDS;
    fresh.added = true;
    Need need;
    need.addresses = added;
    need.data = fresh.committed && kind_ != SHARED ? added : 0;
    need.locks = fresh.locked ? added : 0;
    bool room = is_free(behind.first, added);
    acre_status status = call("resize to more", handle, where_of(behind.first, added), need, [&] {
        return acre_mmap_resize(&handle.map, (pages + added) * page(), ACRE_RESIZE_IN_PLACE);
    });
    acre_status expected = is_sealed(handle) ? ACRE_SEALED
                           : kind_ == SHARED ? ACRE_BAD_STATE
                           : room            ? ACRE_OK
                                             : -ENOMEM;
    if (expected == ACRE_OK)
        demand_success(status);
    else if (status != expected)
        differ("another answer", name_of(status) + " instead of " + name_of(expected));
    for (size_t i = behind.first; status == ACRE_OK && i < behind.first + added; i++) {
        fresh.fresh = kind_ == PRIVATE_FILE ? static_cast<uint8_t>(i + 1) : uint8_t{0};
        fresh.refresh();
        slots_[i] = {fresh};
    }
}

inline void MapModel::resize()
{
    Handle &handle = some_handle();
    size_t pages = handle.pages();
    size_t end = handle.first + pages;
    if (random_.one_in(2) && end < slots_.size()) {
        grow(handle, 1 + random_.below(std::min(slots_.size() - end, size_t{8})));
        return;
    }
    if (pages < 8)
        return;
    size_t less = 1 + random_.below(6);
    acre_status status = call("resize to less", handle, where_of(end - less, less), Need(), [&] {
        return acre_mmap_resize(&handle.map, (pages - less) * page(), ACRE_RESIZE_IN_PLACE);
    });
    if (is_due(is_sealed(handle), ACRE_SEALED, status))
        return;
    demand_success(status);
    for (size_t i = end - less; i < end; i++)
        slots_[i].clear();
}

inline void MapModel::unmap()
{
    size_t index = random_.below(handles_.size());
    Handle &handle = handles_[index];
    if (handles_.size() < 3 || is_sealed(handle))
        return;
    size_t first = handle.first;
    size_t pages = handle.pages();
    demand_success(call("unmap", handle, where_of(first, pages), Need(),
                        [&] { return acre_mmap_unmap(&handle.map); }));
    for (size_t i = first; i < first + pages; i++)
        slots_[i].clear();
    handles_.erase(handles_.begin() + static_cast<long>(index));
}

inline void MapModel::seal()
{
    Handle &handle = some_handle();
    if (!seals_)
        return;
    demand_success(call("seal", handle, where_of(handle.first, handle.pages()), Need(),
                        [&] { return acre_mmap_seal(&handle.map); }));
    has_sealed_ = true;
}

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_MAP_CALLS_H_
