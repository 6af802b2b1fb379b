"""What WORKSPACE needs where Bazel downloads nothing: the repositories that Debian's bazel-bootstrap 4 to 7 asks for.

Bazel 4's own @bazel_tools loads @rules_cc and @rules_java, and every test rule wants @remote_coverage_tools; Bazel 7 registers
toolchains that load @bazel_skylib and @rules_python. The rules are those built into Bazel; what Debian has as files is
linked.
"""

_CC = [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "fdo_prefetch_hints",
    "fdo_profile",
    "objc_import",
    "objc_library",
]

_JAVA = [
    "java_binary",
    "java_import",
    "java_library",
    "java_package_configuration",
    "java_plugin",
    "java_proto_library",
    "java_runtime",
    "java_test",
    "java_toolchain",
]

def _builtin_rules_impl(rctx):
    rctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % rctx.name)
    for file, rules in rctx.attr.files.items():
        package = file.rpartition("/")[0]
        rctx.file(package + "/BUILD", "exports_files(glob([\"*.bzl\"]))\n")
        rctx.file(file, "".join(["%s = native.%s\n" % (rule, rule) for rule in rules]))
    for file, provider in rctx.attr.providers.items():
        package = file.rpartition("/")[0]

        # Two files: within one, the name would mean the new variable, not what is built in.
        rctx.file(package + "/BUILD", "exports_files(glob([\"*.bzl\"]))\n")
        rctx.file(package + "/builtin.bzl", "builtin = %s\n" % provider)
        rctx.file(file, "load(\":builtin.bzl\", \"builtin\")\n%s = builtin\n" % provider)

_builtin_rules = repository_rule(
    implementation = _builtin_rules_impl,
    attrs = {
        "files": attr.string_list_dict(mandatory = True),
        "providers": attr.string_dict(),
    },
)

def _no_coverage_tools_impl(rctx):
    rctx.file("WORKSPACE", "workspace(name = \"%s\")\n" % rctx.name)
    rctx.file("none.sh", "#!/bin/sh\nexit 1\n")
    rctx.file("BUILD", """\
package(default_visibility = ["//visibility:public"])

[sh_binary(name = n, srcs = ["none.sh"]) for n in ("coverage_report_generator", "lcov_merger")]
""")

_no_coverage_tools = repository_rule(
    implementation = _no_coverage_tools_impl,
    doc = "Used only by `bazel coverage`.",
)

# Where Debian's Bazel 7 keeps them; Bazel 4 never asks for them.
_FOLDERS = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "rules_python": "/usr/share/bazel/rules/python",
}

def _folder_impl(rctx):
    folder = rctx.path(rctx.attr.path)
    if not folder.exists:
        fail("@%s is not in %s: call builtin_rules() only with Debian's bazel-bootstrap" % (rctx.name, folder))
    for entry in folder.readdir():
        rctx.symlink(entry, entry.basename)

_folder = repository_rule(
    implementation = _folder_impl,
    attrs = {"path": attr.string(mandatory = True)},
    local = True,
)

def builtin_rules():
    """Defines what is not defined yet; call it before anything else that defines these repositories."""
    if not native.existing_rule("rules_cc"):
        _builtin_rules(
            name = "rules_cc",
            files = {"cc/defs.bzl": _CC},
            providers = {"cc/common/cc_info.bzl": "CcInfo"},
        )
    if not native.existing_rule("rules_java"):
        _builtin_rules(name = "rules_java", files = {"java/defs.bzl": _JAVA})
    if not native.existing_rule("remote_coverage_tools"):
        _no_coverage_tools(name = "remote_coverage_tools")
    for name, path in _FOLDERS.items():
        if not native.existing_rule(name):
            _folder(name = name, path = path)
