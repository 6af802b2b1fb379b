// tests/mmap/area_view.h - views of areas, and notes of what they show.
#ifndef ACRE_TESTS_MMAP_AREA_VIEW_H_
#define ACRE_TESTS_MMAP_AREA_VIEW_H_

#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "acre/area.h"
#include "tests/mmap/maps.h"

namespace acre_test {

// A view that closes with its scope.
struct View : acre_areas {
    explicit View(acre_process process = 0) : acre_areas()
    {
        EXPECT_OK(acre_areas_open(process, this));
    }
    View(const View &) = delete;
    View &operator=(const View &) = delete;
    ~View()
    {
        acre_areas_close(this);
    }
};

inline std::string text_of(const char *text)
{
    return text != nullptr ? text : "(none)";
}

inline std::string shown(const acre_area &area)
{
    std::ostringstream out;
    out << std::hex << area.start << "-" << area.end << " " << area.access << " flags "
        << area.flags << " offset " << area.file_offset << " device " << area.device << " inode "
        << area.inode << " page " << area.page_size << " base " << area.allocation_base << " path "
        << text_of(area.path) << " name " << text_of(area.name);
    return out.str();
}

// Areas noted down in memory that is there already, so that looking at the map does not change it.
class Notes {
  public:
    void add(const acre_area &area)
    {
        if (count_ == kMost)
            return;
        Note &note = notes_[count_++];
        note.area = area;
        note.area.path = copy(note.path, area.path);
        note.area.name = copy(note.name, area.name);
    }

    // Without the areas that grow by themselves.
    std::vector<std::string> lines() const
    {
        std::vector<std::string> result;
        for (size_t i = 0; i < count_; i++) {
            if ((notes_[i].area.flags & (ACRE_AREA_HEAP | ACRE_AREA_STACK)) == 0)
                result.push_back(shown(notes_[i].area));
        }
        return result;
    }

    size_t count() const
    {
        return count_;
    }
    const acre_area &operator[](size_t i) const
    {
        return notes_[i].area;
    }

  private:
    static constexpr size_t kMost = 2000;
    struct Note {
        acre_area area;
        char path[600];
        char name[100];
    };

    template <size_t Size>
    static const char *copy(char (&to)[Size], const char *from)
    {
        if (from == nullptr)
            return nullptr;
        std::strncpy(to, from, Size - 1);
        to[Size - 1] = 0;
        return to;
    }

    size_t count_ = 0;
    Note notes_[kMost] = {};
};

inline void note_all(acre_areas *view, Notes *notes)
{
    acre_area area;
    acre_status status;
    while ((status = acre_areas_next(view, &area)) == 1)
        notes->add(area);
    EXPECT_OK(status);
}

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_AREA_VIEW_H_
