"""@rules_cc, @rules_java and @rules_shell made of the rules built into Bazel 4 to 7, so that nothing is downloaded.

Bazel 4's own @bazel_tools loads the first two, and every test rule wants @remote_coverage_tools; Debian's
bazel-bootstrap ships none of them.
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

_SHELL = [
    "sh_binary",
    "sh_library",
    "sh_test",
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
    if not native.existing_rule("rules_shell"):
        _builtin_rules(name = "rules_shell", files = {"shell/%s.bzl" % rule: [rule] for rule in _SHELL})
    if not native.existing_rule("remote_coverage_tools"):
        _no_coverage_tools(name = "remote_coverage_tools")
