"""The cases of a package's tests, for the programs that run inside booted kernels."""

load("@rules_cc//cc:defs.bzl", "cc_library")
load("//bazel:copts.bzl", "ACRE_CXXOPTS")

def kernel_cases(name, srcs, deps):
    """A library of test cases, all of which are linked in.

    Args:
      name: of the target
      srcs: the tests' files, which have no main()
      deps: what they need besides googletest
    """
    cc_library(
        name = name,
        testonly = True,
        srcs = srcs,
        copts = ACRE_CXXOPTS,
        tags = ["manual"],
        visibility = ["//tests/kernels:__pkg__"],
        deps = deps + ["@googletest//:gtest"],
        alwayslink = True,
    )
