"""acre without a build system: every source compiled by a command that has nothing of Bazel's but the compiler."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

# The words of docs/building.md.
_WORDS = "-std=c11 -I. -Immap/include -Iarena/include -Istack/include -c"

_COMMAND = """
archive=$1 archiver=$2 compiler=$3 words=$4
shift 4
objects=
for source; do
    object=$archive.objects/$source.o
    mkdir -p "${object%/*}"
    "$compiler" $words "$source" -o "$object" || exit 1
    objects="$objects $object"
done
case $archiver in
*libtool) "$archiver" -static -o "$archive" $objects ;;
*) "$archiver" rcs "$archive" $objects ;;
esac
"""

def _plain_archive_impl(ctx):
    tools = find_cpp_toolchain(ctx)
    archive = ctx.actions.declare_file("lib%s.a" % ctx.label.name)
    words = " ".join(ctx.attr.processor + [_WORDS])
    sources = [source.path for source in ctx.files.srcs if source.extension == "c"]
    ctx.actions.run_shell(
        outputs = [archive],
        inputs = depset(ctx.files.srcs, transitive = [tools.all_files]),
        command = _COMMAND,
        arguments = [archive.path, tools.ar_executable, tools.compiler_executable, words] + sources,
        mnemonic = "PlainCompile",
        use_default_shell_env = True,
    )
    return [DefaultInfo(
        files = depset([archive]),
        runfiles = ctx.runfiles([archive]),
    )]

plain_archive = rule(
    implementation = _plain_archive_impl,
    doc = "Compiles the sources among `srcs` with the compiler of the configuration and no options but the documented ones.",
    attrs = {
        "processor": attr.string_list(doc = "Options of a compiler that is for several processors."),
        "srcs": attr.label_list(allow_files = True, mandatory = True),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
