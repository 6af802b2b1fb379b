// Numbers that a seed determines.
#ifndef ACRE_TESTS_SUPPORT_RANDOM_H_
#define ACRE_TESTS_SUPPORT_RANDOM_H_

#include <cstddef>
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

}  // namespace acre_test

#endif  // ACRE_TESTS_SUPPORT_RANDOM_H_
