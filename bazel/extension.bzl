"""For MODULE.bazel: @system_libraries."""

load("//bazel:system_libraries.bzl", "system_libraries")

def _libraries(_):
    system_libraries(name = "system_libraries")

libraries = module_extension(implementation = _libraries)
