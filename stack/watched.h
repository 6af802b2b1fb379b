// stack/watched.h - whether somebody keeps an account of the memory of stacks.
#ifndef ACRE_STACK_WATCHED_H_
#define ACRE_STACK_WATCHED_H_

#if defined(__has_include) && defined(__GNUC__) && !defined(NVALGRIND)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define STACK_IS_WATCHED() ((int)RUNNING_ON_VALGRIND)
#endif
#endif

/// 1 under Valgrind, where this library was built with its headers.  It forbids to touch what lies
/// below the last stack pointer of a stack, and does not hear that the stack is used no more.
#ifndef STACK_IS_WATCHED
#define STACK_IS_WATCHED() 0
#endif

#endif  // ACRE_STACK_WATCHED_H_
