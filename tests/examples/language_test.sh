#!/usr/bin/env bash
# An example in another language: it repeats acre's structs as C has them, and runs with a shared object of the three packages.
# Arguments: python or rust, the example, the program of layout.c, archives.
set -uo pipefail

language=$1 example=$2 layout=$3
shift 3
work=${TEST_TMPDIR:?}

skip() {
    echo "SKIPPED: $*"
    exit 0
}

fail() {
    echo "FAILED: $*"
    exit 1
}

case $language in
python) tool=python3 ;;
rust) tool=rustc ;;
esac
command -v "$tool" >/dev/null || skip "$tool is not installed"

# Position-independent archives where there are both kinds.
archives=()
for file; do
    case $file in
    *.pic.a) archives+=("$file") ;;
    *.a) [[ -e ${file%.a}.pic.a ]] || archives+=("$file") ;;
    esac
done
[[ ${#archives[@]} -eq 3 ]] || fail "not three archives: ${archives[*]}"
cc -shared -o "$work/libacre.so" -Wl,--whole-archive "${archives[@]}" -Wl,--no-whole-archive -pthread ||
    fail 'no shared object'
if nm --dynamic --undefined-only "$work/libacre.so" | grep -E ' __(asan|ubsan|tsan)_' >/dev/null; then
    skip "$tool loads nothing that a sanitizer is built into"
fi

case $language in
python)
    program=(python3 -B "$example")
    run=("${program[@]}" "$work/libacre.so")
    expected='bytearray: Existing exports of data: object cannot be re-sized
acre: grew to 64 MiB; the first view reads Acre
acre: and still does without the buffer: Acre'
    ;;
rust)
    rustc -O -L "$work" -o "$work/example" "$example" || fail 'it does not compile'
    export LD_LIBRARY_PATH=$work
    program=("$work/example")
    run=("${program[@]}")
    expected='40000 stacks taken by 4 threads, 40000 with a guard'
    ;;
esac

# Of the structs and constants that it names, all that C has.
"${program[@]}" --layout >"$work/theirs" || fail 'it prints no layouts'
"$layout" >"$work/all" || fail 'C prints no layouts'
awk 'NR == FNR { named[$1]; next } $1 in named' "$work/theirs" "$work/all" >"$work/ours"
[[ -s $work/theirs ]] || fail 'it names no structs'
diff "$work/ours" "$work/theirs" || fail '< is how C has it, > how the example does'

actual=$("${run[@]}") || fail "it ends with $?"
[[ $actual == "$expected" ]] || fail "it prints: $actual"
