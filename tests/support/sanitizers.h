// Which sanitizers the tests are built with: gcc defines macros, clang has features.
#ifndef ACRE_TESTS_SUPPORT_SANITIZERS_H_
#define ACRE_TESTS_SUPPORT_SANITIZERS_H_

#if defined(__has_feature)
#define ACRE_TESTS_HAVE(feature) __has_feature(feature)
#else
#define ACRE_TESTS_HAVE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || ACRE_TESTS_HAVE(address_sanitizer)
#define ASAN 1
#else
#define ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || ACRE_TESTS_HAVE(thread_sanitizer)
#define TSAN 1
#else
#define TSAN 0
#endif

#define SANITIZED (ASAN || TSAN)

#endif  // ACRE_TESTS_SUPPORT_SANITIZERS_H_
