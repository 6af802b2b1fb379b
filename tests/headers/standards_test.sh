#!/usr/bin/env bash
# The public headers, each alone, and their inline functions compile without a warning in every standard of C and C++ from C11
# and C++11 (those of //cpp: C++17) on that a compiler of this machine has.  Arguments: translation units and the public headers.
set -uo pipefail

work=${TEST_TMPDIR:?}
failed=0
in_c=()
in_cxx=()
in_cxx17=()
mkdir -p "$work/acre"
for file; do
    case $file in
    *.c) in_c+=("$file") ;;
    */cpp17_units/*.cc | tests/cpp/*.cc) in_cxx17+=("$file") ;;
    *.cc) in_cxx+=("$file") ;;
    */acre/*.h | */acre/*.hpp) ln -sf "$PWD/$file" "$work/acre/" ;;
    esac
done
[[ ${#in_c[@]} -gt 1 && ${#in_cxx[@]} -gt 1 && ${#in_cxx17[@]} -gt 1 ]] || {
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
        "$compiler" -std="$standard" "${options[@]}" -O2 -S -o /dev/null -I "$work" -I "$(dirname "$0")" -I . "$file" && continue
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
    for standard in c++17 'c++20|c++2a' 'c++23|c++2b' 'c++26|c++2c'; do
        compile "${pair#*:}" c++ "$standard" "${in_cxx17[@]}"
    done
done
# What Visual Studio compiles, by clang and without that system's headers: what acre's include of C's is declared here.
headers=$work/microsoft
mkdir -p "$headers"
printf '#define ENOTSUP 129\n' >"$headers/errno.h"
printf '#define _Check_return_ __attribute__((warn_unused_result))\n' >"$headers/sal.h"
cat >"$headers/string.h" <<END
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
size_t strlen(const char *text);
int vsnprintf(char *text, size_t size, const char *format, __builtin_va_list arguments);
#ifdef __cplusplus
}
#endif
END
cp "$headers/string.h" "$headers/stdio.h"

microsoft() {
    clang --target=x86_64-pc-windows-msvc -fsyntax-only "${WARNINGS[@]}" -isystem "$headers" -I "$work" -I "$(dirname "$0")" "$@"
}

if command -v clang >/dev/null; then
    for pair in c11:"${in_c[*]}" c++14:"${in_cxx[*]}" c++20:"${in_cxx[*]}"; do
        # shellcheck disable=SC2086
        for file in ${pair#*:}; do
            microsoft -std="${pair%%:*}" "$file" && continue
            printf 'FAILED: as Visual Studio, -std=%s %s\n' "${pair%%:*}" "$file"
            failed=1
        done
    done
    printf '#include "acre/mmap.h"\nvoid lose(acre_mmap *map) { acre_mmap_unmap(map); }\n' >"$work/lose.c"
    if microsoft -std=c11 -Wno-missing-prototypes "$work/lose.c" 2>/dev/null; then
        printf 'FAILED: as Visual Studio, a status that is not used is not warned of\n'
        failed=1
    fi
fi
((compiled > 0)) || echo 'SKIPPED: neither gcc nor clang is on this machine'
exit "$failed"
