#include "tests/examples/concordance.h"

#include <gtest/gtest.h>

namespace acre_test {

const char CONCORDANCE[] = "examples/concordance/concordance";

Json json_of(const Said &said)
{
    Json json;
    EXPECT_TRUE(parse_json(said.out, &json)) << said.out;
    return json;
}

Json count(std::vector<std::string> arguments, const How &how)
{
    arguments.insert(arguments.begin(), "--json");
    Said said = concordance(arguments, how);
    EXPECT_EQ(0, said.exit_code) << "signal " << said.signal;
    EXPECT_EQ("", said.err);
    return json_of(said);
}

}  // namespace acre_test
