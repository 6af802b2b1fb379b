"""What acre's own tests and benchmarks use, from Debian's packages; named as in the Bazel Central Registry."""

load("//bazel:system_libraries.bzl", "system_libraries")

def acre_dev_deps():
    for name in ["google_benchmark", "googletest", "rules_shell"]:
        native.local_repository(
            name = name,
            path = "bazel/offline/" + name,
        )
    system_libraries(name = "system_libraries")
