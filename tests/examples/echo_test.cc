// The echo server: every byte comes back, whichever stacks it runs on; what it prints is true.
#include <gtest/gtest.h>

#include <string>

#include "acre/page.h"
#include "tests/examples/program.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

const char *const PROGRAM = "examples/echo/echo";

// The number at the end of a line that begins so.
double last_number(const std::string &out, const std::string &beginning)
{
    for (const std::string &line : lines_of(out)) {
        if (line.compare(0, beginning.size(), beginning) == 0)
            return std::stod(line.substr(line.rfind(' ')));
    }
    return -1;
}

TEST(Echo, echoes_every_byte_on_either_kind_of_stacks)
{
    Said said = run(PROGRAM, {"200", "50"});
    EXPECT_EQ(0, said.exit_code) << said.err;
    EXPECT_EQ("", said.err);
    // 200 connections with five messages of 1500 bytes each, and 50 with one: for two kinds.
    EXPECT_NE(std::string::npos, said.out.find("3150000 bytes came back, every one right\n"))
        << said.out;
}

TEST(Echo, takes_no_areas_for_stacks_of_the_pool)
{
    if (emulated() || sanitized())
        GTEST_SKIP() << "areas and memory are somebody else's here";
    Said said = run(PROGRAM, {"500", "1"});
    ASSERT_EQ(0, said.exit_code) << said.err;
    // With protected pages where there are no markers, as all others.
    EXPECT_GE(last_number(said.out, "mmap + mprotect"), 1.9);
    EXPECT_LE(last_number(said.out, "acre's pool"),
              acre_can(ACRE_CAN_GUARD_WITH_MARKERS) ? 0.05 : 2.1);
}

TEST(Echo, opens_as_many_connections_as_there_are_descriptors_for)
{
    if (emulated())
        GTEST_SKIP() << "this emulator keeps limits of its own";
    How how;
    how.prepare = [] {
        struct rlimit limit = {200, 200};
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            _exit(126);
    };
    Said said = run(PROGRAM, {"9000", "1"}, how);
    EXPECT_EQ(0, said.exit_code) << said.err;
    EXPECT_EQ(0u, said.out.find("136 connections at once")) << said.out;
}

TEST(Echo, refuses_what_is_no_number)
{
    for (const char *wrong : {"", "0", "-1", "12x", "1000001"}) {
        Said said = run(PROGRAM, {wrong});
        EXPECT_EQ(2, said.exit_code) << wrong;
        EXPECT_EQ("", said.out);
        EXPECT_NE(std::string::npos, said.err.find("wants a number"));
    }
    EXPECT_EQ(0, run(PROGRAM, {"--help"}).exit_code);
}

}  // namespace
