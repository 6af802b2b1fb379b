"""What acre's own tests and benchmarks use, from Debian's packages; named as in the Bazel Central Registry."""

_REPOS = {
    "google_benchmark": "/usr/include/benchmark",
    "googletest": "/usr/src/googletest",
}

def acre_dev_deps():
    for name, path in _REPOS.items():
        native.new_local_repository(
            name = name,
            build_file = "//third_party:%s.BUILD" % name,
            path = path,
        )
