// Counts the different words of a file: a mapped file, and a map and its nodes in an arena.
// quote begins
#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>

#include "acre/acre.hpp"

int
main(int count, char **arguments)
{
    std::uint64_t size = 0;
    auto file = acre::map::path(count > 1 ? arguments[1] : "", ACRE_READ, {}, &size);
    auto arena = acre::arena::create();
    if (!file || !arena) {
        std::fprintf(stderr, "%s\n", (file ? arena.error() : file.error()).message().c_str());
        return 1;
    }
    acre::arena_resource resource(*arena);
    std::pmr::map<std::string_view, int> words(&resource);  // its nodes go with the arena, at once
    std::string_view text(reinterpret_cast<const char *>(file->data()),
                          static_cast<std::size_t>(size));
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
        if (end > 0)
            words[text.substr(0, end)]++;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const int times = words["acre"];
    std::printf("%zu words, %d times \"acre\"\n", words.size(), times);
    return 0;  // the file is unmapped, the arena destroyed
}
// quote ends
