// Numbers that a seed determines, and which seeds a random test runs.
#ifndef ACRE_TESTS_SUPPORT_RANDOM_H_
#define ACRE_TESTS_SUPPORT_RANDOM_H_

#include <climits>
#include <cstddef>
#include <cstdlib>
#include <random>

namespace acre_test {

class Random {
  public:
    explicit Random(unsigned seed) : engine_(seed)
    {
    }
    size_t below(size_t bound)
    {
        return engine_() % bound;
    }
    bool one_in(size_t count)
    {
        return below(count) == 0;
    }

  private:
    std::mt19937 engine_;
};

inline unsigned number_of(const char *variable, unsigned otherwise)
{
    const char *given = std::getenv(variable);
    return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : otherwise;
}

/// ACRE_TEST_SEED=n is one seed, ACRE_SEEDS=n is that many instead of 1000 (with Bazel:
/// --test_env=ACRE_SEEDS=n).
struct Seeds {
    unsigned first;
    unsigned end;
    bool is_one;
};

/// A `part`th of the seeds, for a test whose seeds take long.
inline Seeds seeds_to_run(unsigned part = 1)
{
    unsigned only = number_of("ACRE_TEST_SEED", UINT_MAX);
    if (only != UINT_MAX)
        return {only, only + 1, true};
    unsigned count = number_of("ACRE_SEEDS", 1000);
    return {0, (count + part - 1) / part, false};
}

}  // namespace acre_test

#endif  // ACRE_TESTS_SUPPORT_RANDOM_H_
