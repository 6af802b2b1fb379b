#!/bin/sh
# A shared object made of the three libraries exports what the public headers declare with ACRE_API: all of it, nothing else;
# and so does cmake/acre.map.
set -u

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Position-independent archives where there are both kinds.
archives() {
    for file; do
        case $file in
        *.pic.a) echo "$file" ;;
        *.a) [ -e "${file%.a}.pic.a" ] || echo "$file" ;;
        esac
    done
}

# Names of the functions declared with ACRE_API.
declared() {
    for file; do
        case $file in *.h) sed 's|//.*||; /^#/d' "$file" ;; esac
    done | tr '\n' ' ' | tr ';' '\n' | sed -n 's/.*ACRE_API[^(]*[ *]\(acre_[a-z0-9_]*\)(.*/\1/p' | sort -u
}

# shellcheck disable=SC2046
cc -shared -o "$scratch/libacre.so" -Wl,--whole-archive $(archives "$@") -Wl,--no-whole-archive || exit 1
# AddressSanitizer names each global variable once more, and the section of them all.
nm --dynamic --defined-only --format=posix "$scratch/libacre.so" |
    awk 'NF > 1 && $1 !~ /^__odr_asan|^__st(art|op)_asan_globals$/ { print $1 }' | sort -u >"$scratch/exported"
declared "$@" >"$scratch/declared"

grep -q '^acre_version$' "$scratch/declared" || { echo 'no declarations were found'; exit 1; }
if ! diff "$scratch/declared" "$scratch/exported"; then
    echo '< declared with ACRE_API but not exported; > exported but not declared'
    exit 1
fi
for map; do
    case $map in
    *.map)
        sed -n 's/^    \(acre_[a-z0-9_]*\);$/\1/p' "$map" | sort -u >"$scratch/listed"
        if ! diff "$scratch/declared" "$scratch/listed"; then
            echo '< declared with ACRE_API but not listed in cmake/acre.map; > listed but not declared'
            exit 1
        fi
        ;;
    esac
done
[ -s "$scratch/listed" ] || { echo 'no version script was given'; exit 1; }
