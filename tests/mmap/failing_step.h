// tests/mmap/failing_step.h - a step that fails half-way leaves nothing behind: of each scenario
// the first system call fails, then the second, and so on until none is left to fail.
//
// The linker leads the library's system calls through the functions of failing_step.cc (--wrap, see
// the BUILD file).  Only one call fails in a run, so that what undoes the steps before it works.
// munmap has tests of its own: where a trial or a border cannot be unmapped, it stays.
#ifndef ACRE_TESTS_MMAP_FAILING_STEP_H_
#define ACRE_TESTS_MMAP_FAILING_STEP_H_

#ifdef __linux__
#include <features.h>
#endif

#if defined(__GLIBC__)

#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/mmap/maps.h"

namespace acre_test {

// Addresses that mmap refuses although no area is there, as where an emulator has its own memory.
struct Hidden {
    uintptr_t start, end;
};
extern Hidden hidden;

// Which call fails, and how.
struct Steps {
    int armed;  // while a call of the library is under way
    int munmap_too;
    int error;  // 0 = that which the call is known for
    int left;   // the call fails when this reaches 0
    int failed;
    int moves;  // how many were done
    int lower;  // a file that is made larger is beyond a limit that is lowered at that very moment
};
extern Steps steps;

// The instruction cache was flushed for `length` bytes from `start` on.
using Flushed = std::vector<std::pair<const void *, size_t>>;
extern Flushed flushed;

enum { NOTHING_LEFT, LEFTOVERS_ALLOWED };

/// A call of the library, with its step failing; what it leaves behind when it fails is found here.
class Call {
  public:
    explicit Call(int allowed) : allowed_(allowed)
    {
    }

    /// An out-parameter, `map` or `more`, holds a pattern before.
    acre_status operator()(const std::function<acre_status()> &call);

    int leaks() const
    {
        return leaks_;
    }

  private:
    int allowed_;
    int leaks_ = 0;
};

using Scenario = std::function<void(Call &)>;

void fail_each_step(const std::string &name, const Scenario &scenario);

inline acre_mmap pattern()
{
    acre_mmap map;
    std::memset(&map, 0xa5, sizeof map);
    return map;
}

inline std::function<acre_status(acre_mmap *)> anon_with(uint32_t choice)
{
    return [choice](acre_mmap *out) {
        acre_mmap_opts opts = flags(choice);
        return acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, out);
    };
}

}  // namespace acre_test

#endif

#endif  // ACRE_TESTS_MMAP_FAILING_STEP_H_
