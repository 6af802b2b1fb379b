"""A test of this project: one file of the same name, by googletest."""

load("@rules_cc//cc:defs.bzl", "cc_test")
load("//bazel:copts.bzl", "ACRE_CXXOPTS")

def acre_test(name, deps = [], srcs = None, **kwargs):
    """A cc_test.

    Args:
      name: of the target, and of its file without ".cc"
      deps: what it needs besides //mmap, //tests/support and googletest
      srcs: other files than that one
      **kwargs: as of cc_test
    """
    cc_test(
        name = name,
        srcs = srcs or [name + ".cc"],
        copts = ACRE_CXXOPTS,
        deps = deps + [
            "//mmap",
            "//tests/support",
            "@googletest//:gtest",
            "@googletest//:gtest_main",
        ],
        **kwargs
    )
