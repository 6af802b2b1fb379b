"""Compiler options that all of acre's own code is built with."""

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wcast-align",
]

# The libraries: C11, and nothing visible outside a shared object but what ACRE_API marks.
ACRE_COPTS = _WARNINGS + [
    "-std=c11",
    "-Wstrict-prototypes",
    "-fvisibility=hidden",
]

# Programs and tests in C++.
ACRE_CXXOPTS = _WARNINGS
