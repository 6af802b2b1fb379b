#!/usr/bin/env bash
# ./dev demo: built by plain cc, without Bazel; what is unchanged is not compiled again, and what is changed always is.
set -uo pipefail

failed=0
work=${TEST_TMPDIR:?}
tree=$work/tree

# is NAME EXPECTED FOUND
is() {
    [[ $2 == "$3" ]] && return
    printf 'FAILED: %s\nexpected: %s\nfound:    %s\n' "$@"
    failed=1
}

type -P cc >/dev/null || {
    echo 'SKIPPED: there is no cc'
    exit 0
}
mkdir -p "$tree" "$work/bin" && cp -RL dev tools tests mmap arena stack examples "$tree" || exit 1
# A compiler that writes down what it compiles, and a Bazel that must not be asked.
printf '#!/bin/bash\n[[ " $* " != *" -c "* ]] || echo compiled >>"%s/compiled"\nexec cc "$@" -O0\n' "$work" \
    >"$work/bin/counting-cc"
printf '#!/bin/bash\necho "$*" >>"%s/bazel"\nexit 1\n' "$work" >"$work/bin/bazel"
chmod +x "$work"/bin/*
export XDG_CACHE_HOME=$work/cache CC=$work/bin/counting-cc PATH=$work/bin:$PATH

# Runs the demo; `said` is what it prints, `compiled` how many sources were compiled for it.
demo() {
    rm -f "$work/compiled"
    said=$("$tree/dev" demo --small trees 2>"$work/errors")
    status=$?
    compiled=$(grep -c . "$work/compiled" 2>/dev/null)
}

sources=$(find "$tree"/{mmap,arena,stack,examples/demo} -name '*.c' | wc -l)
demo
is 'the first run: its status' 0 "$status"
is 'the first run compiles everything' "$sources" "$compiled"
is 'the first run shows the part' 'trees: a binary tree: built, walked and dropped' "$(grep '^trees' <<<"$said")"
demo
is 'the second run compiles nothing' 0 "${compiled:-0}"
is 'the second run: its status' 0 "$status"

cp -p "$tree/examples/demo/main.c" "$work/main.c"
sed -i.old 's/a binary tree: built/a new tree: built/' "$tree/examples/demo/main.c" && rm "$tree/examples/demo/main.c.old"
demo
is 'after a change of a source that is compiled' 1 "$compiled"
is 'the change shows' 'trees: a new tree: built, walked and dropped' "$(grep '^trees' <<<"$said")"

# Times say nothing: an older file comes back, with a time before that of its object.
cp -p "$work/main.c" "$tree/examples/demo/main.c"
touch -t 200101010000 "$tree/examples/demo/main.c"
demo
is 'what was compiled before is there' 0 "${compiled:-0}"
is 'the older source shows' 'trees: a binary tree: built, walked and dropped' "$(grep '^trees' <<<"$said")"

echo '// changed' >>"$tree/mmap/include/acre/status.h"
echo 'int no comma' >>"$tree/examples/demo/line.c"
demo
is 'what does not compile: the status' 1 "$status"
grep -q 'line\.c:.*error' "$work/errors" || is 'what does not compile is shown' 'line.c: error' "$(cat "$work/errors")"
[[ ! -e $work/bazel ]] || is 'Bazel is not asked' '' "$(cat "$work/bazel")"
cp -L examples/demo/line.c "$tree/examples/demo/line.c"
demo
is 'after a change of a header everything is new' 1 "$((compiled > 0))"
is 'and runs' 0 "$status"

exit "$failed"
