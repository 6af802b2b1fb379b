"""Where a target can be built: values of target_compatible_with."""

def _without(systems):
    conditions = {system: ["//bazel:incompatible"] for system in systems}
    conditions["//conditions:default"] = []
    return select(conditions)

NOT_ON_WINDOWS = _without(["//bazel:windows"])

ON_LINUX = _without([
    "//bazel:freebsd",
    "//bazel:ios",
    "//bazel:macos",
    "//bazel:windows",
])

# Microsoft's compilers take other options than cc.
NOT_BY_CL = _without([
    "//bazel:clang_cl",
    "//bazel:msvc_cl",
])

ON_WINDOWS = select({
    "//bazel:windows": [],
    "//conditions:default": ["//bazel:incompatible"],
})

# With getcontext and its kin, which musl has not.
WITH_UCONTEXT = _without([
    "//bazel:musl",
    "//bazel:windows",
])

# The same, and epoll.
WITH_UCONTEXT_ON_LINUX = _without([
    "//bazel:freebsd",
    "//bazel:ios",
    "//bazel:macos",
    "//bazel:musl",
    "//bazel:windows",
])
