// tests/mmap/port/port.h - what the tests of mmap/port/ share.
//
// They call the port as //mmap calls it, on whatever system this is built for.  What a system may
// not have is skipped by what it says that it can do.
#ifndef ACRE_TESTS_MMAP_PORT_PORT_H_
#define ACRE_TESTS_MMAP_PORT_PORT_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "mmap/port/area.h"
#include "mmap/port/memory.h"
#include "mmap/port/thread.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

namespace acre_test {

/// Of acre_mmap.private_[0], as mmap/check.h has it.
constexpr uintptr_t kMixed = 1;

inline port_request request_for(size_t size, uint32_t access, uint32_t flags = 0)
{
    port_request request = {};
    request.size = size;
    request.alignment = acre_port_page_size();
    request.page_size = acre_port_page_size();
    request.access = access;
    request.flags = flags;
    return request;
}

/// A handle as the portable part makes it.
inline acre_mmap handle_for(const port_request &request)
{
    acre_mmap map = {};
    map.size = request.size;
    map.page_size = request.page_size;
    map.offset = request.offset;
    map.access = request.access;
    map.private_[0] = request.flags & ACRE_IS_RESERVATION ? kMixed : 0;
    return map;
}

/// Whether all of the range is inaccessible and none of it has contents.
inline bool is_reserved(const void *start, size_t length)
{
    auto end = reinterpret_cast<uintptr_t>(start) + length;
    acre_area area = {};
    for (auto at = reinterpret_cast<uintptr_t>(start); at < end; at = area.end) {
        if (acre_port_area_at(at, &area) != ACRE_OK || area.access != ACRE_NONE ||
            (kOnWindows && (area.flags & ACRE_AREA_RESERVED) == 0))
            return false;
    }
    const void *lowest = nullptr;
    return kOnWindows || (acre_port_lowest_touched(start, length, &lowest) == ACRE_OK &&
                          reinterpret_cast<uintptr_t>(lowest) == end);
}

/// Ends with its scope.
struct Mapped : acre_mmap {
    explicit Mapped(const port_request &request) : acre_mmap(handle_for(request))
    {
        status = acre_port_map(&request, this);
    }
    explicit Mapped(size_t of) : acre_mmap(), status(ACRE_OK)
    {
        size = of;
        page_size = acre_port_page_size();
        access = ACRE_READ_WRITE;
    }
    Mapped(const Mapped &) = delete;
    Mapped &operator=(const Mapped &) = delete;
    ~Mapped()
    {
        unmap();
    }
    void unmap()
    {
        if (base != nullptr) {
            EXPECT_OK(acre_port_unmap(this));
        }
        base = nullptr;
    }
    char *at(size_t from = 0)
    {
        return static_cast<char *>(base) + from;
    }
    acre_status status;
};

inline size_t unit()
{
    return acre_port_granularity();
}

inline bool all_are(const char *bytes, size_t length, char value)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

inline uint32_t access_at(const void *address)
{
    acre_area area = {};
    EXPECT_OK(acre_port_area_at(reinterpret_cast<uintptr_t>(address), &area));
    return area.access;
}

inline std::string fresh_path(const char *name)
{
    const char *folder = std::getenv("TEST_TMPDIR");
    return std::string(folder != nullptr ? folder : ".") + "/" +
           std::to_string(acre_port_process_id()) + name;
}

/// A file of `size` bytes 7, opened for reading and writing.
struct Written {
    explicit Written(size_t size) : path(fresh_path("port"))
    {
        std::ofstream(path, std::ios::binary) << std::string(size, 7);
        uint64_t found = 0;
        EXPECT_OK(acre_port_file_open(path.c_str(), 1, &file, &found));
        EXPECT_EQ(size, found);
    }
    ~Written()
    {
        acre_port_file_close(file);
        std::remove(path.c_str());
    }
    Written(const Written &) = delete;
    Written &operator=(const Written &) = delete;
    std::string content() const
    {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    std::string path;
    acre_file file = 0;
};

inline port_request request_for_file(const Written &file, size_t size, uint32_t flags)
{
    port_request request = request_for(size, ACRE_READ_WRITE, ACRE_IS_FILE | flags);
    request.file = file.file;
    return request;
}

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_PORT_PORT_H_
