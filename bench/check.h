// bench/check.h - what a benchmark does when something that it needs is refused: says so and stops.
#ifndef ACRE_BENCH_CHECK_H_
#define ACRE_BENCH_CHECK_H_

#include <cstdio>
#include <cstdlib>

#include "acre/status.h"

// Of a call that sets errno.
inline void
check(bool ok)
{
    if (!ok) {
        std::perror("bench");
        std::exit(1);
    }
}

inline void
check(acre_status status)
{
    if (status != ACRE_OK) {
        std::fprintf(stderr, "bench: %s\n", acre_status_text(status));
        std::exit(1);
    }
}

#endif  // ACRE_BENCH_CHECK_H_
