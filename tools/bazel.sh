# tools/bazel.sh - Bazel as this machine has it: sourced by bash.
# shellcheck shell=bash

# Debian's Bazel 7 and later finds modules only in folders.  Debian's Bazel 4 knows of none, and any other Bazel downloads.
bazel() {
    local command=$1 options=()
    shift
    [[ $(bazel_of_debian) -lt 7 ]] || options+=(--config=offline)
    command bazel "$command" "${options[@]}" "$@"
}

# The number before the first point of its version, or 0 if it is not Debian's.
bazel_of_debian() {
    local version
    version=$(dpkg-query -W -f '${Version}' bazel-bootstrap 2>/dev/null) && [[ $(type -P bazel) == /usr/bin/bazel ]] ||
        version=0
    echo "${version%%[!0-9]*}"
}

# How Bazel shows progress to tools/progress.sh.
BAZEL_TALK=(--noshow_loading_progress --curses=no --color=no --show_progress_rate_limit=2)

# Compilers see only their own files without namespaces, too, and start faster.
BAZEL_QUICK=(--strategy=CppCompile=processwrapper-sandbox --strategy=CppLink=processwrapper-sandbox
    --strategy=CppArchive=processwrapper-sandbox)
