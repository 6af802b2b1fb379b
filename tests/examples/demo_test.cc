// The demo, each part small: the form of what it says, and what holds on every machine.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "acre/page.h"
#include "tests/examples/json.h"
#include "tests/examples/program.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_EMULATED(
    "the emulator writes the text of areas itself, tells of each process that dies, and runs "
    "no program that another program starts",
    "Demo.areas_are_alike_either_way Demo.the_overflow_is_named_and_the_others_finish "
    "Demo.a_terminal_gets_bars_and_colours_unless_it_wants_none");

const char DEMO[] = "examples/demo/demo";

Json demo(std::vector<std::string> arguments)
{
    arguments.push_back("--json");
    Said said = run(DEMO, arguments);
    Json json;
    EXPECT_EQ(0, said.exit_code) << said.out << said.err;
    EXPECT_EQ("", said.err);
    EXPECT_TRUE(parse_json(said.out, &json)) << said.out;
    return json;
}

// The line of one part that ran; or why it did not, in `*skipped`.
Json part(const std::string &name, std::string *skipped)
{
    Json json = demo({"--small", name});
    EXPECT_EQ((std::vector<std::string>{"version", "small", "parts", "milliseconds"}), json.keys());
    EXPECT_EQ(1u, json["parts"].items.size());
    if (json["parts"].items.size() != 1)
        return Json();
    Json line = json["parts"].items[0];
    EXPECT_EQ(name, line["name"].string);
    EXPECT_NE("", line["title"].string);
    *skipped = line["skipped"].string;
    std::vector<std::string> keys = {"name", "title", "unit", "hand", "acre", "facts", "notes"};
    if (!skipped->empty())
        keys = {"name", "title", "skipped"};
    EXPECT_EQ(keys, line.keys());
    for (const char *side : {"hand", "acre"}) {
        if (skipped->empty()) {
            EXPECT_EQ((std::vector<std::string>{"how", "value"}), line[side].keys());
        }
    }
    return line;
}

// Declares `line`, of a part that ran.
#define PART_OR_SKIP(line, name)               \
    std::string why_not;                       \
    const Json line = part(name, &why_not);    \
    ASSERT_FALSE(HasFailure()) << line.string; \
    if (!why_not.empty())                      \
    GTEST_SKIP() << why_not

TEST(Demo, stacks_are_more_than_by_hand_where_guards_cost_no_area)
{
    PART_OR_SKIP(line, "stacks");
    const Json &facts = line["facts"];
    acre_system machine;
    ASSERT_EQ(ACRE_OK, acre_system_read(&machine));
    EXPECT_EQ("count", line["unit"].string);
    EXPECT_LT(0u, line["hand"]["value"].number);
    EXPECT_GE(facts["wanted"].number, line["acre"]["value"].number);
    EXPECT_GE(facts["wanted"].number, line["hand"]["value"].number);
    // Two areas for each by hand, as the system counts them.
    if (machine.area_limit != 0) {
        EXPECT_GE(machine.area_limit / 2, line["hand"]["value"].number);
    }
    if (facts["acre_guards_are_markers"].number == 0 || machine.area_limit == 0 ||
        machine.area_limit / 2 >= facts["wanted"].number)
        GTEST_SKIP() << "the limit of areas is not what ends it here";
    EXPECT_LT(line["hand"]["value"].number, line["acre"]["value"].number);
    EXPECT_GT(100u, facts["acre_areas"].number);
}

TEST(Demo, trees_have_all_their_nodes_either_way)
{
    PART_OR_SKIP(line, "trees");
    const Json &facts = line["facts"];
    EXPECT_EQ("ns", line["unit"].string);
    EXPECT_LT(0u, facts["nodes"].number);
    EXPECT_EQ(facts["nodes"].number, facts["hand_nodes"].number);
    EXPECT_EQ(facts["nodes"].number, facts["acre_nodes"].number);
}

TEST(Demo, the_state_is_as_its_snapshot_afterwards)
{
    PART_OR_SKIP(line, "snapshot");
    const Json &facts = line["facts"];
    EXPECT_EQ("ns", line["unit"].string);
    EXPECT_LT(0u, facts["pages_changed"].number);
    EXPECT_EQ(facts["pages_changed"].number, facts["pages_differing_before"].number);
    EXPECT_EQ(0u, facts["pages_differing_after"].number);
    EXPECT_EQ(0u, facts["hand_pages_differing_after"].number);
}

TEST(Demo, areas_are_alike_either_way)
{
    PART_OR_SKIP(line, "areas");
    const Json &facts = line["facts"];
    EXPECT_EQ("ns", line["unit"].string);
    EXPECT_LT(2000u, facts["areas"].number);
    EXPECT_LT(0u, facts["compared"].number);
    EXPECT_EQ(facts["compared"].number, facts["alike"].number);
}

TEST(Demo, the_overflow_is_named_and_the_others_finish)
{
    PART_OR_SKIP(line, "overflow");
    const Json &facts = line["facts"];
    EXPECT_EQ("sorter", facts["overflowed"].string);
    EXPECT_EQ(1u, facts["overflows"].number);
    EXPECT_EQ(facts["coroutines"].number - 1, line["acre"]["value"].number);
    EXPECT_EQ(0u, line["hand"]["value"].number);
    EXPECT_NE(0u, facts["hand_signal"].number);
}

TEST(Demo, parts_run_in_their_order_and_once_each)
{
    Json json = demo({"--small", "snapshot", "trees", "snapshot"});
    ASSERT_EQ(2u, json["parts"].items.size());
    EXPECT_EQ("trees", json["parts"].items[0]["name"].string);
    EXPECT_EQ("snapshot", json["parts"].items[1]["name"].string);
}

TEST(Demo, wrong_arguments_are_one_line_and_2)
{
    for (const char *wrong : {"--jso", "-x", "-", "tree", "", "a\nb"}) {
        Said said = run(DEMO, {"trees", wrong});
        EXPECT_EQ(2, said.exit_code) << wrong;
        EXPECT_EQ("", said.out) << wrong;
        EXPECT_EQ(1u, lines_of(said.err).size()) << said.err;
        EXPECT_EQ(0u, said.err.find("demo: ")) << said.err;
    }
}

TEST(Demo, help_names_the_parts_and_the_options)
{
    Said said = run(DEMO, {"--help"});
    EXPECT_EQ(0, said.exit_code);
    EXPECT_EQ("", said.err);
    EXPECT_EQ(0u, said.out.find("Usage: "));
    for (const char *word : {"  stacks ", "  trees ", "  snapshot ", "  areas ", "  overflow ",
                             "--small", "--json", "NO_COLOR"})
        EXPECT_NE(std::string::npos, said.out.find(word)) << word;
}

TEST(Demo, a_pipe_gets_plain_text)
{
    Said said = run(DEMO, {"--small", "trees"});
    EXPECT_EQ(0, said.exit_code);
    EXPECT_EQ("", said.err);
    for (char letter : said.out)
        EXPECT_TRUE(letter == '\n' || (letter >= ' ' && letter <= '~')) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("  by hand  malloc + free")) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("  acre     acre_arena")) << said.out;
    EXPECT_EQ(std::string::npos, said.out.find('#')) << said.out;
}

// What the demo shows on a terminal with these settings of the environment.
std::string on_terminal(const std::string &settings)
{
    return shell("env " + settings +
                 " script -qec 'examples/demo/demo --small trees' /dev/null "
                 "2>/dev/null </dev/null");
}

TEST(Demo, a_terminal_gets_bars_and_colours_unless_it_wants_none)
{
    std::string plain = on_terminal("LC_ALL=C TERM=dumb");
    if (plain.find("acre_arena") == std::string::npos)
        GTEST_SKIP() << "no terminal can be had here (script)";
    EXPECT_NE(std::string::npos, plain.find("####")) << plain;
    EXPECT_EQ(std::string::npos, plain.find('\033')) << plain;
    std::string coloured = on_terminal("LC_ALL=C TERM=xterm NO_COLOR=");
    EXPECT_NE(std::string::npos, coloured.find("\033[32m#")) << coloured;
    std::string refused = on_terminal("LC_ALL=C TERM=xterm NO_COLOR=1");
    EXPECT_NE(std::string::npos, refused.find("####")) << refused;
    EXPECT_EQ(std::string::npos, refused.find('\033')) << refused;
    std::string blocks = on_terminal("LC_ALL=C.UTF-8 TERM=dumb");
    EXPECT_NE(std::string::npos, blocks.find("\xe2\x96\x88")) << blocks;
}

TEST(Demo, what_cannot_be_written_is_told)
{
    How full;
    full.out_path = "/dev/full";
    Said said = run(DEMO, {"--small", "trees"}, full);
    EXPECT_EQ(1, said.exit_code);
    EXPECT_EQ("demo: standard output: No space left on device\n", said.err);
}

}  // namespace
