// The examples of README.md: they are those of examples/readme, and these run.
#include <gtest/gtest.h>

#include "tests/examples/program.h"

using namespace acre_test;

namespace {

const std::string BEGIN = "// README begins\n";
const std::string END = "// README ends\n";

void expect_quoted(const std::string &package)
{
    std::string source = read_file("examples/readme/" + package + ".c");
    size_t begin = source.find(BEGIN);
    size_t end = source.find(END);
    ASSERT_NE(std::string::npos, begin);
    ASSERT_NE(std::string::npos, end);
    begin += BEGIN.size();
    std::string block = "```c\n" + source.substr(begin, end - begin) + "```\n";
    EXPECT_NE(std::string::npos, read_file("README.md").find(block)) << "README.md lacks\n"
                                                                     << block;
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
    expect_quoted("mmap");
    expect_prints("mmap", "1024 KiB of 64 GiB are usable");
}

TEST(Readme, shows_an_arena_with_a_mark)
{
    expect_quoted("arena");
    expect_prints("arena", "kept 1, gone 1");
}

TEST(Readme, shows_a_stack_and_its_guard)
{
    expect_quoted("stack");
    expect_prints("stack", "that is its guard");
}

}  // namespace
