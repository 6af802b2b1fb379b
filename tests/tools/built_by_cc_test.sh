#!/usr/bin/env bash
# The commands of docs/tools.md build the tools.
set -uo pipefail

failed=0
work=${TEST_TMPDIR:?}

type -P cc >/dev/null || {
    echo 'SKIPPED: there is no cc'
    exit 0
}
mkdir -p "$work/tree" && cp -RL docs mmap tools "$work/tree" && cd "$work/tree" || exit 1
for tool in acre-areas acre-doctor; do
    command=$(grep -E "^cc .* -o $tool\$" docs/tools.md) || {
        echo "FAILED: docs/tools.md has no command for $tool"
        failed=1
        continue
    }
    if ! bash -c "$command" || ! "./$tool" --help | grep "^Usage: $tool" >/dev/null; then
        echo "FAILED: $command"
        failed=1
    fi
done
exit "$failed"
