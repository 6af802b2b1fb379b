"""C and C++ toolchains made of Debian's cross compilers, for acre's own checks with the Bazel that Debian has."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load(
    "@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl",
    "artifact_name_pattern",
    "feature",
    "flag_group",
    "flag_set",
    "tool_path",
)

_COMPILE = [
    ACTION_NAMES.assemble,
    ACTION_NAMES.c_compile,
    ACTION_NAMES.cpp_compile,
    ACTION_NAMES.linkstamp_compile,
    ACTION_NAMES.preprocess_assemble,
]
_LINK = [
    ACTION_NAMES.cpp_link_dynamic_library,
    ACTION_NAMES.cpp_link_executable,
    ACTION_NAMES.cpp_link_nodeps_dynamic_library,
]

# The tools that Bazel asks a toolchain for, and whether the compiler's suffix belongs to them.
_TOOLS = {
    "ar": False,
    "cpp": True,
    "gcc": True,
    "gcov": True,
    "ld": False,
    "nm": False,
    "objcopy": False,
    "objdump": False,
    "strip": False,
}

def _always(name, actions, flags):
    sets = [flag_set(actions = actions, flag_groups = [flag_group(flags = flags)])] if flags else []
    return feature(name = name, enabled = True, flag_sets = sets)

def _config_impl(ctx):
    patterns = []
    if ctx.attr.windows:
        patterns = [artifact_name_pattern("executable", "", ".exe")]
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        abi_libc_version = "unknown",
        abi_version = "unknown",
        artifact_name_patterns = patterns,
        compiler = "gcc",
        cxx_builtin_include_directories = ctx.attr.includes,
        features = [
            feature(name = "supports_pic", enabled = not ctx.attr.windows),
            _always("cross_compile", _COMPILE, ctx.attr.copts),
            _always("cross_link", _LINK, ctx.attr.linkopts + ["-lstdc++", "-lm"]),
        ],
        host_system_name = "local",
        target_cpu = ctx.attr.cpu,
        target_libc = "unknown",
        target_system_name = ctx.attr.name,
        tool_paths = [
            tool_path(name = tool, path = ctx.attr.prefix + tool + (ctx.attr.suffix if suffixed else ""))
            for tool, suffixed in _TOOLS.items()
        ],
        toolchain_identifier = ctx.attr.name,
    )

_config = rule(
    implementation = _config_impl,
    attrs = {
        "copts": attr.string_list(),
        "cpu": attr.string(),
        "includes": attr.string_list(),
        "linkopts": attr.string_list(),
        "prefix": attr.string(),
        "suffix": attr.string(),
        "windows": attr.bool(),
    },
    provides = [CcToolchainConfigInfo],
)

def cross_toolchain(name, os, cpu, prefix, includes, suffix = "", copts = [], linkopts = [], constraints = [], tools = []):
    """Defines the platform `name` and a toolchain that builds for it.

    Args:
      name: of the platform.
      os: of @platforms//os.
      cpu: of @platforms//cpu.
      prefix: what stands before `gcc` in the path of the compiler.
      includes: directories that the compiler itself searches.
      suffix: what stands after `gcc`.
      copts: options of every compilation.
      linkopts: options of every link.
      constraints: of the platform, besides those of its system and processor.
      tools: files of the toolchain that lie in this package.
    """
    constraints = ["@platforms//os:" + os, "@platforms//cpu:" + cpu] + constraints
    native.filegroup(
        name = name + "_tools",
        srcs = tools,
    )
    native.platform(name = name, constraint_values = constraints)
    _config(
        name = name + "_config",
        copts = copts,
        cpu = cpu,
        includes = includes,
        linkopts = linkopts,
        prefix = prefix,
        suffix = suffix,
        windows = os == "windows",
    )
    native.cc_toolchain(
        name = name + "_cc",
        all_files = name + "_tools",
        ar_files = name + "_tools",
        as_files = name + "_tools",
        compiler_files = name + "_tools",
        dwp_files = name + "_tools",
        linker_files = name + "_tools",
        objcopy_files = name + "_tools",
        strip_files = name + "_tools",
        toolchain_config = name + "_config",
    )
    native.toolchain(
        name = name + "_toolchain",
        exec_compatible_with = ["@platforms//os:linux"],
        target_compatible_with = constraints,
        toolchain = name + "_cc",
        toolchain_type = "@bazel_tools//tools/cpp:toolchain_type",
    )
