"""The rule built into Bazel 4 to 7."""

sh_library = native.sh_library
