#!/bin/sh
# Every global name that the static libraries define begins with acre_: a program that links them keeps all others.
set -u

names=$(mktemp)
for archive; do
    case $archive in *.a) nm --defined-only --extern-only --format=posix "$archive" || exit 1 ;; esac
done | awk 'NF > 1 { print $1 }' >"$names"

if ! grep -q '^acre_version$' "$names"; then
    echo 'no libraries were given, or nm shows nothing of them'
    exit 1
fi
# AddressSanitizer names each global variable once more, and what it keeps of them all.  Probes need a place in the file to count
# from, which is weak, hidden and the same in every program that has some.
if grep -v -e '^acre_' -e '^_\.stapsdt\.base$' -e '^__odr_asan' -e '^___asan_globals_registered$' "$names"; then
    echo 'these names are global and do not begin with acre_'
    exit 1
fi
