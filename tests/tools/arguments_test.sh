#!/usr/bin/env bash
# A wrong argument of ./dev is one line on standard error and status 2, and nothing is installed or built.
set -uo pipefail

failed=0

# refuses LINE ARGUMENTS...
refuses() {
    local line=$1 out status=0
    shift
    out=$(PATH=/usr/bin:/bin ./dev "$@" 2>&1 >/dev/null </dev/null) || status=$?
    [[ $status -eq 2 && $out == "$line" ]] && return
    printf 'FAILED: ./dev %s: status %d, said: %s\n' "$*" "$status" "$out"
    failed=1
}

refuses 'dev: unknown command: tset (./dev help lists the commands)' tset
refuses 'dev: unknown command: --fast (./dev help lists the commands)' --fast
refuses 'dev: test: neither a pass nor a target: gc (./dev help lists the commands)' test gc
refuses 'dev: test: neither a pass nor a target: --config=asan (./dev help lists the commands)' test --config=asan
refuses 'dev: check takes no arguments (./dev help lists the commands)' check all
refuses 'dev: install takes a folder (./dev help lists the commands)' install
refuses 'dev: install takes a folder (./dev help lists the commands)' install --prefix=/usr
refuses 'dev: docs takes at most a folder (./dev help lists the commands)' docs a b
refuses 'dev: docs takes at most a folder (./dev help lists the commands)' docs --html
refuses 'dev: unknown command: tset (./dev help lists the commands)' -v tset
./dev help | grep '^usage: ./dev' >/dev/null || {
    echo 'FAILED: ./dev help'
    failed=1
}
exit "$failed"
