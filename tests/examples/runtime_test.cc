// The runtime of docs/stacks.md is that of examples/stacks, and runs.
#include <gtest/gtest.h>

#include "tests/examples/program.h"

using namespace acre_test;

namespace {

TEST(Runtime, takes_turns)
{
    expect_quoted("examples/stacks/runtime.c", "docs/stacks.md", "quote");
    Said said = run("examples/stacks/runtime", {});
    EXPECT_EQ(0, said.exit_code) << said.signal;
    EXPECT_EQ("a1 b1 a2 b2 a3 b3 done\n", said.out);
}

}  // namespace
