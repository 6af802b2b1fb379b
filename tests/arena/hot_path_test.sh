#!/usr/bin/env bash
# An allocation of constant size and alignment takes at most 7 instructions on x86-64 (5 for alignment 1), 9 on aarch64: in
# what gcc and clang make of a loop with -O2.  Arguments: hot_path.c and the public headers.
set -uo pipefail

source=$1
shift
work=${TEST_TMPDIR:?}
failed=0
looked_at=0

# The headers, as a program finds them, and as much of the C library's as they want: that of the other processor may not be
# installed.
mkdir -p "$work/acre"
for header; do
    ln -sf "$PWD/$header" "$work/acre/"
done
cat >"$work/string.h" <<'END'
#include <stddef.h>
void *memset(void *, int, size_t);
void *memcpy(void *, const void *, size_t);
END
: >"$work/errno.h"

# Prints "NAME COUNT" for each loop in assembly on standard input: lines between its marks that are neither directives, nor
# comments, nor labels.
count() {
    awk '
        $1 == ".globl" && $2 ~ /^begin_/ { name = substr($2, 7); instructions = 0; next }
        $1 == ".globl" && $2 ~ /^end_/ { if (name != "") print name, instructions; name = ""; next }
        name != "" && NF > 0 && $1 !~ /^[.#@\/]/ && $1 !~ /:$/ { instructions++ }'
}

# look PROCESSOR MOST MOST_UNALIGNED COMMAND...
look() {
    local processor=$1 most=$2 unaligned=$3 counted name instructions limit
    shift 3
    command -v "$1" >/dev/null || {
        printf 'not there: %s\n' "$*"
        return
    }
    counted=$("$@" -std=c11 -O2 -S -I "$work" -o - "$source" | count)
    if [[ $(wc -l <<<"$counted") -ne 7 ]]; then
        printf 'FAILED: %s: the loops are not all found:\n%s\n' "$*" "$counted"
        failed=1
        return
    fi
    while read -r name instructions; do
        limit=$most
        [[ $name != *_alignment_1 ]] || limit=$unaligned
        printf '%s %s %s: %s instructions (at most %s)\n' "$processor" "$1" "$name" "$instructions" "$limit"
        # Fewer than three could not read, compare and write.
        ((instructions >= 3 && instructions <= limit)) || failed=1
    done <<<"$counted"
    looked_at=$((looked_at + 1))
}

[[ $(uname -m) != x86_64 ]] || look x86-64 7 5 gcc
look x86-64 7 5 clang --target=x86_64-linux-gnu -ffreestanding
[[ $(uname -m) != aarch64 ]] || look aarch64 9 9 gcc
look aarch64 9 9 clang --target=aarch64-linux-gnu -ffreestanding
look aarch64 9 9 aarch64-linux-gnu-gcc -ffreestanding
((looked_at >= 1)) || echo 'SKIPPED: neither gcc nor clang makes code for x86-64 or aarch64 here'
exit "$failed"
