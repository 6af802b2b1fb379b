#include "tests/mmap/maps.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "acre/area.h"
#include "tests/support/posix.h"

namespace acre_test {
namespace {

std::string fresh_path(const std::string &name)
{
    const char *folder = std::getenv("TEST_TMPDIR");
    return std::string(folder != nullptr ? folder : "/tmp") + "/" + std::to_string(getpid()) + name;
}

}  // namespace

char *free_address(size_t size)
{
    acre_mmap map = {};
    EXPECT_OK(acre_mmap_reserve(size, ACRE_NONE, nullptr, &map));
    char *address = bytes(map);
    EXPECT_OK(acre_mmap_unmap(&map));
    return address;
}

std::string name_at(const void *address)
{
    acre_areas view = {};
    EXPECT_OK(acre_areas_open(0, &view));
    acre_area area = {};
    EXPECT_OK(acre_areas_query(&view, reinterpret_cast<uintptr_t>(address), &area));
    std::string name = area.name != nullptr ? area.name : "";
    acre_areas_close(&view);
    return name;
}

File::File(const std::string &text, const std::string &name)
    : path(fresh_path(name)),
      descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600))
{
    EXPECT_GE(descriptor, 0);
    EXPECT_EQ(static_cast<ssize_t>(text.size()), write(descriptor, text.data(), text.size()));
}

File::~File()
{
    close(descriptor);
    unlink(path.c_str());
}

std::string File::content() const
{
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

}  // namespace acre_test
