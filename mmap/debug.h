// mmap/debug.h - arguments that no correct program passes, for all packages.
//
// Each has a status.  In a debug build (-DACRE_DEBUG=1) it also ends the program: assert prints the
// condition, which names the argument, and the place.
#ifndef ACRE_MMAP_DEBUG_H_
#define ACRE_MMAP_DEBUG_H_

#if defined(ACRE_DEBUG) && ACRE_DEBUG
#undef NDEBUG
#include <assert.h>
#define IS_VALID(condition) (assert(condition), 1)
#else
#define IS_VALID(condition) (condition)
#endif

#endif  // ACRE_MMAP_DEBUG_H_
