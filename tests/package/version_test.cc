#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "acre/status.h"

namespace {

// The first version of `file` that follows `before` at the beginning of a line; it ends where
// `after` stands.
std::string first_version(const char *file, const std::string &before, char after)
{
    std::ifstream in(file);
    std::string line;
    while (std::getline(in, line)) {
        size_t start = before.size();
        if (line.compare(0, start, before) == 0 && line.find_first_of("0123456789", start) == start)
            return line.substr(start, line.find(after, start) - start);
    }
    return std::string("none in ") + file;
}

TEST(Version, the_library_tells_what_its_header_says)
{
    EXPECT_EQ(std::to_string(ACRE_VERSION_MAJOR) + "." + std::to_string(ACRE_VERSION_MINOR) + "." +
                  std::to_string(ACRE_VERSION_PATCH),
              acre_version());
}

TEST(Version, the_module_has_the_same)
{
    EXPECT_EQ(acre_version(), first_version("MODULE.bazel", "    version = \"", '"'));
}

TEST(Version, it_is_the_newest_in_the_changelog)
{
    EXPECT_EQ(acre_version(), first_version("CHANGELOG.md", "## [", ']'));
}

}  // namespace
