"""@system_libraries: libraries of this machine that some tests and benchmarks use, each if it is there.

A target that depends on a library that is missing is built with ACRE_WITHOUT_<LIBRARY>, and skips what it would do with it.
Headers lie where the compiler looks by itself.
"""

# A header and the library's file without its ending; in Debian libboost-context-dev (Boost.Coroutine2 is nothing but headers),
# libboost-fiber-dev, libpcl1-dev.
_LIBRARIES = {
    "boost_context": ("boost/context/fiber.hpp", "libboost_context"),
    "boost_fiber": ("boost/fiber/fiber.hpp", "libboost_fiber"),
    "pcl": ("pcl.h", "libpcl"),
}

_THERE = """
cc_library(
    name = "{name}",
    linkopts = ["-l{library}"],
)
"""

_MISSING = """
cc_library(
    name = "{name}",
    defines = ["ACRE_WITHOUT_{macro}"],
)
"""

def _folders(rctx):
    folders = [rctx.path(prefix + "/lib") for prefix in ["/usr", "/usr/local", "/opt/homebrew"]]
    folders = [folder for folder in folders if folder.exists]
    return folders + [
        entry
        for folder in folders
        for entry in folder.readdir()
        if entry.basename.endswith("-linux-gnu") or entry.basename.endswith("-linux-gnueabihf")
    ]

def _is_there(rctx, header, file):
    headers = [rctx.path("%s/include/%s" % (prefix, header)) for prefix in ["/usr", "/usr/local", "/opt/homebrew"]]
    files = [folder.get_child(file + ending) for folder in _folders(rctx) for ending in [".so", ".a", ".dylib"]]
    return any([path.exists for path in headers]) and any([path.exists for path in files])

def _system_libraries_impl(rctx):
    build = """\
load("@rules_cc//cc:defs.bzl", "cc_library")

package(
    default_testonly = True,
    default_visibility = ["//visibility:public"],
)
"""
    for name, (header, file) in _LIBRARIES.items():
        form = _THERE if _is_there(rctx, header, file) else _MISSING
        build += form.format(name = name, library = file[len("lib"):], macro = name.upper())
    rctx.file("WORKSPACE", "workspace(name = \"system_libraries\")\n")
    rctx.file("BUILD.bazel", build)

system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    # Looked for again by each server: packages are installed in between.
    local = True,
)
