#!/usr/bin/env bash
# tools/gdb/acre.py, by gdb in batch mode: pools, stacks, arenas, the frames of a coroutine that waits, and handles in a line.
set -uo pipefail

failed=0
work=${TEST_TMPDIR:?}

skip() {
    echo "SKIPPED: $*"
    exit 0
}

type -P gdb >/dev/null || skip 'gdb is not installed'
type -P cc >/dev/null || skip 'there is no cc'
[[ $(uname -m) == x86_64 || $(uname -m) == aarch64 ]] || skip 'the registers of a context are not known on this processor'
gdb --batch -nx -ex 'python print("has python")' 2>/dev/null | grep 'has python' >/dev/null || skip 'gdb has no Python here'

# shellcheck disable=SC2046
cc -g -O0 -std=c11 -pthread -I. -Immap/include -Iarena/include -Istack/include -o "$work/program" tests/tools/gdb_program.c \
    $(find mmap arena stack -name '*.c') 2>"$work/errors" || {
    grep -q 'ucontext.h: No such' "$work/errors" && skip 'the C library has no contexts'
    cat "$work/errors"
    exit 1
}
gdb --batch -nx -ex 'set width 0' -ex 'set print frame-arguments none' -ex 'source tools/gdb/acre.py' \
    -ex 'break stop_here' -ex run -ex 'acre stacks' \
    -ex 'acre arenas' -ex 'acre backtrace parked_context' -ex up -ex 'print map' -ex 'print single' \
    -ex 'print global_arena' -ex 'printf "bounds %#lx %#lx\n", (unsigned long)stacks[1].base, (unsigned long)single.base' \
    -ex 'backtrace' "$work/program" >"$work/said" 2>&1 </dev/null
grep -q '^Breakpoint 1, ' "$work/said" || skip "gdb cannot run a program here: $(tail -n 1 "$work/said")"

# shows PATTERN
shows() {
    grep -Eq -- "$1" "$work/said" && return
    printf 'FAILED: nothing like: %s\n' "$1"
    failed=1
}

pooled=$(sed -n 's/^bounds \(0x[0-9a-f]*\) .*/\1/p' "$work/said")
single=$(sed -n 's/^bounds 0x[0-9a-f]* \(0x[0-9a-f]*\)$/\1/p' "$work/said")
shows '^1 pools$'
shows "^  out   $pooled-0x"
shows '^  3 out, '
shows "^single  $single-0x[0-9a-f]+  [0-9]+ KiB  .*tag 77$"
shows '^1 single stacks$'
shows '^global_arena \(global\)  acre_arena: cursor 0x'
shows '^local_arena \(main\)  acre_arena: cursor 0x'
shows '^2 arenas$'
shows '#[0-9]+ .*waits_for_ever'
shows '#[0-9]+ .*coroutine_body'
shows '= acre_mmap: 0x[0-9a-f]+, 1 MiB, rw-, reservation$'
shows "= acre_stack: $single, [0-9]+ KiB, guard by "
# The registers are as they were.
[[ $(tail -n 2 "$work/said") == *'stop_here'*'main'* ]] || {
    echo 'FAILED: the frames afterwards are not those of before'
    failed=1
}
[[ $failed -eq 0 ]] || cat "$work/said"
exit "$failed"
