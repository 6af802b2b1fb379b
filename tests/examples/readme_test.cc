// The examples of README.md and of pages in docs/: they are those of examples/, and these run.
#include <gtest/gtest.h>

#include <cerrno>
#include <sstream>
#include <string>
#include <vector>

#include "acre/status.h"
#include "tests/examples/program.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

void expect_in_readme(const std::string &package)
{
    expect_quoted("examples/readme/" + package + ".c", "README.md", "README");
}

void expect_prints(const std::string &package, const std::string &line)
{
    Said said = run("examples/readme/" + package, {});
    EXPECT_EQ(0, said.exit_code) << said.signal;
    EXPECT_EQ(line + "\n", said.out);
    EXPECT_EQ("", said.err);
}

TEST(Readme, shows_a_map_that_is_reserved_and_partly_committed)
{
    expect_in_readme("mmap");
    if (sizeof(void *) == 4)
        GTEST_SKIP() << "a 32-bit program has no 64 GiB of addresses";
    expect_prints("mmap", "1024 KiB are usable");
}

TEST(Readme, shows_an_arena_with_a_mark)
{
    expect_in_readme("arena");
    expect_prints("arena", "kept 1, gone 1");
}

TEST(Readme, shows_a_stack_and_its_guard)
{
    expect_in_readme("stack");
    expect_prints("stack", "that is its guard");
}

TEST(Cpp, shows_a_file_and_a_map_in_an_arena)
{
    expect_quoted("examples/cpp/words.cc", "docs/cpp.md", "quote");
    Folder folder;
    std::string file = folder.write("text", "acre maps\n and  acre unmaps\n");
    Said said = run("examples/cpp/words", {file});
    EXPECT_EQ(0, said.exit_code) << said.signal;
    EXPECT_EQ("4 words, 2 times \"acre\"\n", said.out);
    EXPECT_EQ("", said.err);
    said = run("examples/cpp/words", {folder.path("none")});
    EXPECT_EQ(1, said.exit_code) << said.signal;
    EXPECT_EQ(acre_status_text(-ENOENT) + std::string("\n"), said.err);
}

// The table and the picture are of the same measurement.
TEST(Readme, picture_shows_what_its_data_and_the_table_say)
{
    std::string table = read_file("README.md");
    std::istringstream rows(read_file("docs/pictures/measured.txt"));
    int count = 0;
    for (std::string row; std::getline(rows, row);) {
        if (row.empty() || row[0] == '#')
            continue;
        std::istringstream fields(row);
        std::string question, peer, ratio;
        std::getline(fields, question, '\t');
        std::getline(fields, peer, '\t');
        std::getline(fields, ratio, '\t');
        std::string label = peer.substr(1, peer.size() - 2) + " " + ratio + "x";
        EXPECT_NE(std::string::npos, table.find(" " + ratio + "x")) << row;
        for (const char *kind : {"light", "dark"})
            EXPECT_NE(std::string::npos,
                      read_file("docs/pictures/measured-" + std::string(kind) + ".svg").find(label))
                << row;
        count++;
    }
    EXPECT_GE(count, 5);
}

struct Recipe {
    const char *name;
    const char *prints;  // nullptr: that depends on the system
    std::vector<std::string> arguments;
};

void expect_recipes(const std::string &folder, const std::string &page,
                    const std::vector<Recipe> &recipes)
{
    for (const Recipe &recipe : recipes)
        expect_quoted("examples/" + folder + "/" + recipe.name + ".c", page, "quote");
    if (!keeps_advice())
        GTEST_SKIP() << "this emulator carries out hardly any advice";
    for (const Recipe &recipe : recipes) {
        Said said = run("examples/" + folder + "/" + recipe.name, recipe.arguments);
        EXPECT_EQ(0, said.exit_code) << recipe.name << ", signal " << said.signal;
        if (recipe.prints != nullptr) {
            EXPECT_EQ(recipe.prints, said.out);
        }
    }
}

TEST(Cookbook, of_maps_shows_what_runs)
{
    expect_recipes("mapping", "docs/mapping.md",
                   {
                       {"ring", "across, of which \"oss\" lies at the beginning\n", {}},
                       {"snapshot", "changed to b, back to a\n", {}},
                       {"huge", "4 MiB, as asked\n", {}},
                       {"jit", nullptr, {}},     // answers 42 where it knows the processor
                       {"secret", nullptr, {}},  // silent, or says why there is no place for it
                   });
}

TEST(Cookbook, of_arenas_shows_what_runs)
{
    Folder folder;
    std::string source = folder.write("source", "main and more\n");
    // A sanitizer keeps blocks apart, so there is room for fewer.
    const char *pages =
        SANITIZED ? nullptr : "100 pages, then full; one came back and went out again\n";
    expect_recipes("arenas", "docs/arenas.md",
                   {
                       {"request", "hello, world\nhello, again\n", {}},
                       {"parser", "6 words, the last is \"once\"\n", {}},
                       {"frame", "moved by 10 since the last frame\n", {}},
                       {"compiler", "main\n", {source}},
                       {"pages", pages, {}},
                   });
}

TEST(Cookbook, of_reserved_addresses_shows_what_runs)
{
    expect_recipes("memory", "docs/memory.md", {{"virtual", nullptr, {}}});  // the system's numbers
}

TEST(Cookbook, of_cleanup_shows_what_runs)
{
    expect_recipes("rules", "docs/rules.md", {{"cleanup", "ACRE_OK, ACRE_BAD_SIZE\n", {}}});
}

}  // namespace
