"""The rule built into Bazel 4 to 7."""

sh_binary = native.sh_binary
