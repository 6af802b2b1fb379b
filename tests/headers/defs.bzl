"""What the public headers of a library are, and translation units that include each of them alone."""

load("@rules_cc//cc/common:cc_info.bzl", "CcInfo")

_C = """\
#include "acre/{header}"
#include "acre/{header}"

int declared_after_{name}_in_c(void);

int
declared_after_{name}_in_c(void)
{{
    return 1;
}}
"""

# Overloads and templates cannot be declared inside an extern "C" that a header left open.
_CXX = """\
#include "acre/{header}"
#include "acre/{header}"

template <class T>
T declared_after_{name}(T value)
{{
    return value;
}}

int declared_after_{name}_in_cpp(int value);
int declared_after_{name}_in_cpp(char value);

int declared_after_{name}_in_cpp(int value)
{{
    return declared_after_{name}(value);
}}

int declared_after_{name}_in_cpp(char value)
{{
    return declared_after_{name}(value);
}}
"""

def _headers_of(libraries, extensions):
    return {
        header.basename: header
        for library in libraries
        for header in library[CcInfo].compilation_context.direct_public_headers
        if header.extension in extensions
    }

def _public_headers_impl(ctx):
    headers = depset(_headers_of(ctx.attr.libraries, ["h", "hpp"]).values())
    return [DefaultInfo(files = headers, runfiles = ctx.runfiles(transitive_files = headers))]

public_headers = rule(
    implementation = _public_headers_impl,
    doc = "The public headers of `libraries`, as files.",
    attrs = {"libraries": attr.label_list(mandatory = True, providers = [CcInfo])},
)

def _header_units_impl(ctx):
    units = []
    for header in _headers_of(ctx.attr.libraries, [ctx.attr.extension]):
        name = header.rpartition(".")[0]
        unit = ctx.actions.declare_file("%s/%s.%s" % (ctx.label.name, name, ctx.attr.language))
        ctx.actions.write(unit, (_C if ctx.attr.language == "c" else _CXX).format(
            header = header,
            name = name,
        ))
        units.append(unit)
    return [DefaultInfo(files = depset(units))]

header_units = rule(
    implementation = _header_units_impl,
    doc = "For each public header of `libraries` a source file that includes it first, twice, and declares something after it.",
    attrs = {
        "extension": attr.string(
            default = "h",
            doc = "Of the headers' names.",
            values = ["h", "hpp"],
        ),
        "language": attr.string(mandatory = True, values = ["c", "cc"]),
        "libraries": attr.label_list(mandatory = True, providers = [CcInfo]),
    },
)
