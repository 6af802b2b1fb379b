// tests/examples/json.h - a strict reader of the JSON that the examples print.
#ifndef ACRE_TESTS_EXAMPLES_JSON_H_
#define ACRE_TESTS_EXAMPLES_JSON_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace acre_test {

/// A value.  Numbers are whole and not negative.
struct Json {
    enum Kind { NUMBER, STRING, ARRAY, OBJECT } kind = NUMBER;
    uint64_t number = 0;
    std::string string;
    std::vector<Json> items;                            ///< of an array
    std::vector<std::pair<std::string, Json>> members;  ///< of an object, as they were written

    std::vector<std::string> keys() const;
    /// A member; an empty one when there is none.
    const Json &operator[](const std::string &key) const;
};

/// Whether `text` is one value and a newline, and nothing else.
bool parse_json(const std::string &text, Json *out);

}  // namespace acre_test

#endif  // ACRE_TESTS_EXAMPLES_JSON_H_
