// tests/mmap/page_model.h - what mmap.h allows each page of a map to be, and what the kernel says
// that it is.
//
// mmap.h leaves some things open: whether a call that failed has acted on a page, when a discarded
// page is emptied, which kind a guard is of.  So the model holds for each page all states that it
// may be in; a call replaces each by those that may follow, and a look at the page removes those
// that it contradicts.  A page without a state left is not as mmap.h promises.
#ifndef ACRE_TESTS_MMAP_PAGE_MODEL_H_
#define ACRE_TESTS_MMAP_PAGE_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "acre/mmap.h"

namespace acre_test {

enum { MARKER = 1, PROTECTION = 2 };  // a page may have both
constexpr int ANYTHING = -1;

struct Page {
    bool committed = false;
    bool locked = false;
    bool added = false;   // by resize
    bool fading = false;  // discarded lazily: `value` or fresh
    uint8_t guard = 0;
    uint8_t fresh = 0;  // the byte that it begins with
    uint32_t access = ACRE_NONE;
    int value = 0;        // of its byte, or ANYTHING
    uint32_t advice = 0;  // NO_DUMP and DONT_FORK as ACRE_MAP_*, and a number for other advice

    bool operator==(const Page &other) const
    {
        return alike(other) && fading == other.fading && value == other.value;
    }
    // But for its contents.
    bool alike(const Page &other) const
    {
        return committed == other.committed && locked == other.locked && guard == other.guard &&
               access == other.access && advice == other.advice;
    }
    // What the kernel's list of areas shows.
    uint32_t shown() const
    {
        return guard & PROTECTION ? uint32_t{ACRE_NONE} : access;
    }
    void refresh()
    {
        value = fresh;
        fading = false;
    }
};

using Pages = std::vector<Page>;  // the states that one page may be in; none: it is not mapped

inline void add(Pages &states, const Page &state)
{
    if (std::find(states.begin(), states.end(), state) == states.end())
        states.push_back(state);
}

template <class Condition>
bool certainly(const Pages &states, Condition condition)
{
    return std::all_of(states.begin(), states.end(), condition);
}

inline std::string access_text(uint32_t access)
{
    std::string text;
    text += access & ACRE_READ ? 'r' : '-';
    text += access & ACRE_WRITE ? 'w' : '-';
    text += access & ACRE_EXEC ? 'x' : '-';
    return text;
}

inline std::string text_of(const Page &page)
{
    return std::string(page.committed ? "" : "reserved ") + access_text(page.access) +
           (page.guard & MARKER ? " marker" : "") + (page.guard & PROTECTION ? " protected" : "") +
           (page.locked ? " locked" : "") + " byte " + std::to_string(page.value) +
           (page.fading ? " or fresh" : "");
}

/// What the kernel says of a page (witness.h).
struct Seen {
    bool mapped = false;
    uint32_t access = 0;
    bool looked = false;  // at its byte
    bool readable = false;
    uint8_t byte = 0;
    uintptr_t area = 0;  // where its area begins
};

inline std::string text_of(const Seen &seen)
{
    if (!seen.mapped)
        return "not mapped";
    std::string text = access_text(seen.access);
    if (seen.looked)
        text += seen.readable ? " byte " + std::to_string(seen.byte) : std::string(" faults");
    return text;
}

/// Removes the states that were seen not to be; returns what is wrong when none is left, else "".
inline std::string compare(Pages &states, const Seen &seen)
{
    Pages left;
    bool shown = false;
    bool faulted = false;
    for (Page page : states) {
        if (!seen.mapped || page.shown() != seen.access)
            continue;
        shown = true;
        // Whether code without READ can be read is the processor's affair.
        if (!seen.looked || page.shown() == ACRE_EXEC) {
            add(left, page);
            continue;
        }
        bool readable = page.guard == 0 && page.shown() != ACRE_NONE;
        faulted = faulted || !readable;
        if (readable != seen.readable)
            continue;
        if (readable && page.fading && seen.byte == page.fresh)
            page.refresh();
        if (readable && page.value == ANYTHING)
            page.value = seen.byte;
        if (!readable || page.value == seen.byte)
            add(left, page);
    }
    if (!left.empty()) {
        states.swap(left);
        return "";
    }
    if (!seen.mapped)
        return "a page is not mapped";
    bool hidden =
        certainly(states, [](const Page &page) { return (page.guard & PROTECTION) != 0; });
    bool guarded = certainly(states, [](const Page &page) { return page.guard != 0; });
    if ((guarded && seen.readable) || (hidden && seen.access != ACRE_NONE))
        return "a guard is gone";
    if (!shown && seen.access == ACRE_NONE)
        return "a page is inaccessible";
    if (!shown && certainly(states, [](const Page &page) { return page.shown() == ACRE_NONE; }))
        return "a page is accessible";
    if (!shown)
        return "a page has another access";
    if (!seen.readable)
        return "a page faults";
    return faulted ? "a page does not fault" : "a page has other contents";
}

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_PAGE_MODEL_H_
