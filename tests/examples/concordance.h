// tests/examples/concordance.h - running the concordance.
#ifndef ACRE_TESTS_EXAMPLES_CONCORDANCE_H_
#define ACRE_TESTS_EXAMPLES_CONCORDANCE_H_

#include "tests/examples/json.h"
#include "tests/examples/program.h"

namespace acre_test {

extern const char CONCORDANCE[];

inline Said concordance(const std::vector<std::string> &arguments, const How &how = {})
{
    return run(CONCORDANCE, arguments, how);
}

/// The object that `said.out` must be.
Json json_of(const Said &said);
/// What `--json` says of a run that must succeed, and must say nothing else.
Json count(std::vector<std::string> arguments, const How &how = {});

}  // namespace acre_test

#endif  // ACRE_TESTS_EXAMPLES_CONCORDANCE_H_
