#!/usr/bin/env bash
# The public headers, each alone, and their inline functions compile without a warning in every standard of C and C++ from C11
# and C++11 on that a compiler of this machine has.  Arguments: translation units and the public headers.
set -uo pipefail

work=${TEST_TMPDIR:?}
failed=0
in_c=()
in_cxx=()
mkdir -p "$work/acre"
for file; do
    case $file in
    *.c) in_c+=("$file") ;;
    *.cc) in_cxx+=("$file") ;;
    */acre/*.h) ln -sf "$PWD/$file" "$work/acre/" ;;
    esac
done
[[ ${#in_c[@]} -gt 1 && ${#in_cxx[@]} -gt 1 ]] || {
    printf 'FAILED: no translation units were given\n'
    exit 1
}

WARNINGS=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wcast-align -Werror)
WARNINGS_CXX=(-Wold-style-cast -Wzero-as-null-pointer-constant)

# Prints the first of the names of a standard ("c23|c2x") that the compiler knows for language $2.
name_of() {
    local name
    for name in ${3//|/ }; do
        "$1" -std="$name" -fsyntax-only -x "$2" /dev/null 2>/dev/null && {
            echo "$name"
            return
        }
    done
    return 1
}

# compile COMPILER LANGUAGE STANDARD FILE...
compile() {
    local compiler=$1 language=$2 standard file
    standard=$(name_of "$1" "$2" "$3") || {
        printf '%s does not know %s\n' "$1" "$3"
        return
    }
    shift 3
    local -a options=("${WARNINGS[@]}")
    [[ $language != c++ ]] || options+=("${WARNINGS_CXX[@]}")
    # Optimized, since some warnings come of that.
    for file; do
        "$compiler" -std="$standard" "${options[@]}" -O2 -S -o /dev/null -I "$work" -I "$(dirname "$0")" "$file" && continue
        printf 'FAILED: %s -std=%s %s\n' "$compiler" "$standard" "$file"
        failed=1
    done
    printf '%s -std=%s: %d files\n' "$compiler" "$standard" $#
    compiled=$((compiled + 1))
}

compiled=0
for pair in gcc:g++ clang:clang++; do
    command -v "${pair%:*}" "${pair#*:}" >/dev/null || continue
    for standard in c11 c17 'c23|c2x' c2y; do
        compile "${pair%:*}" c "$standard" "${in_c[@]}"
    done
    for standard in c++11 c++14 c++17 'c++20|c++2a' 'c++23|c++2b' 'c++26|c++2c'; do
        compile "${pair#*:}" c++ "$standard" "${in_cxx[@]}"
    done
done
((compiled > 0)) || echo 'SKIPPED: neither gcc nor clang is on this machine'
exit "$failed"
