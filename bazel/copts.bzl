"""Compiler options that all of acre's own code is built with."""

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wcast-align",
]

# Which takes -W… as gcc does, but the standard as Microsoft's compiler.
_CLANG_CL_WARNINGS = ["/clang:" + warning for warning in _WARNINGS if warning != "-Wall"] + ["/W4"]

# The libraries: C11, and nothing visible outside a shared object but what ACRE_API marks.  No probes: gold, which Bazel links
# with, refuses them with --gc-sections (findings/gc-sections-probes.sh).
ACRE_COPTS = select({
    "//bazel:clang_cl": _CLANG_CL_WARNINGS + ["/std:c11"],
    "//bazel:msvc_cl": [
        "/W4",
        "/std:c11",
        "/experimental:c11atomics",
    ],
    "//conditions:default": _WARNINGS + [
        "-std=c11",
        "-Wstrict-prototypes",
        "-fvisibility=hidden",
        "-DACRE_NO_PROBES",
    ],
})

# Programs and tests in C++.
ACRE_CXXOPTS = select({
    "//bazel:clang_cl": _CLANG_CL_WARNINGS,
    "//bazel:msvc_cl": ["/W4"],
    "//conditions:default": _WARNINGS,
})
