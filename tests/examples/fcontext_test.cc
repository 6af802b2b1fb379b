// The coroutines by fcontext of docs/stacks.md are those of examples/stacks, and run.
#include <gtest/gtest.h>

#include "tests/examples/program.h"

using namespace acre_test;

namespace {

TEST(FcontextExample, is_quoted)
{
    expect_quoted("examples/stacks/fcontext.c", "docs/stacks.md", "quote");
}

TEST(FcontextExample, walks_two_trees_side_by_side)
{
#ifdef ACRE_WITHOUT_BOOST_CONTEXT
    GTEST_SKIP() << "built without libboost-context-dev";
#else
    Said said = run("examples/stacks/fcontext", {});
    EXPECT_EQ(0, said.exit_code) << said.signal;
    EXPECT_EQ("3 7 in both\n", said.out);
#endif
}

}  // namespace
