#!/usr/bin/env bash
# A library that is built by plain cc holds the probes that docs/observability.md lists, with as many arguments, and no others.  Argument: its archive.
set -uo pipefail

archive=$1

printf '#include <sys/sdt.h>\n' | cc -fsyntax-only -x c - 2>/dev/null || {
    echo 'SKIPPED: <sys/sdt.h> is not here (Debian: systemtap-sdt-dev), so acre has no probes'
    exit 0
}

# Lines "name number-of-arguments".
notes=$(readelf --notes "$archive" | awk '
    $1 == "Provider:" { ours = $2 == "acre" }
    $1 == "Name:" { name = $2 }
    $1 == "Arguments:" && ours { print name, NF - 1 }' | sort -u)
# Rows "| `acre:name` | argument, argument, argument | ...".
listed=$(awk -F '|' '$2 ~ /^ `acre:/ {
    gsub(/[ `]|acre:/, "", $2)
    print $2, split($3, _, ",")
}' docs/observability.md | sort -u)

[[ -n $listed ]] || {
    echo 'FAILED: docs/observability.md lists no probes'
    exit 1
}
diff <(echo "$listed") <(echo "$notes") || {
    echo 'FAILED: < is listed in docs/observability.md, > is in the libraries'
    exit 1
}
