"""Programs that a page of docs/ shows."""

load("@rules_cc//cc:defs.bzl", "cc_binary")
load("//bazel:copts.bzl", "ACRE_COPTS")

def quoted_programs(names, deps):
    """A program in C of each NAME.c, which a test runs and compares with the page.

    Args:
      names: of the programs.
      deps: the packages that they use.
    """
    native.exports_files(
        [name + ".c" for name in names],
        visibility = ["//tests/examples:__pkg__"],
    )
    for name in names:
        cc_binary(
            name = name,
            srcs = [name + ".c"],
            copts = ACRE_COPTS,
            visibility = ["//tests/examples:__pkg__"],
            deps = deps,
        )
