# bazel/debian.sh - Debian's packages for what a build or a check needs: sourced by bash.
#
# The script that sources it defines `say` and `stop`.
# shellcheck shell=bash

# Of a list of "package:command or absolute path that shows that it is there", the packages that are missing.
missing() {
    local entry probe
    for entry; do
        probe=${entry#*:}
        [[ $probe == /* && -e $probe ]] || command -v "$probe" >/dev/null || printf '%s ' "${entry%%:*}"
    done
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Makes the packages of a list available, or stops.
need() {
    local packages log
    packages=$(missing "$@")
    packages=${packages% }
    [[ -n $packages ]] || return 0

    grep -Eqs '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release && command -v apt-get >/dev/null ||
        stop "please install what Debian calls: $packages"
    [[ $(id -u) -eq 0 ]] || command -v sudo >/dev/null ||
        stop "please install as root: apt-get install $packages"

    say "installing $packages"
    log=$(mktemp)
    # shellcheck disable=SC2086
    as_root apt-get update >"$log" 2>&1 </dev/null &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends \
            $packages >>"$log" 2>&1 </dev/null ||
        stop "apt-get could not install $packages: $(grep '^E:' "$log" | head -n 1) (all of it: $log)"
    rm -f "$log"
    packages=$(missing "$@")
    [[ -z $packages ]] || stop "installed, but not found: $packages"
}

# The machine's own entries for its distribution's main suite, changed to name suite $1, into $2.sources and $2.list: from
# *.sources by paragraphs, from *.list by lines.
sources_of() {
    local own file
    own=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -r $file ]] && awk -v RS= -v own="$own" -v suite="$1" '
            BEGIN { pattern = "(^|\n)Suites:[^\n]*[ \t]" own "([ \t\n]|$)" }
            $0 ~ pattern {
                gsub(/(^|\n)#[^\n]*/, "")
                sub(/^\n/, "")
                sub(/(^|\n)Suites:[^\n]*/, "\nSuites: " suite)
                sub(/\nComponents:[^\n]*/, "\nComponents: main")
                sub(/\nTypes:[^\n]*/, "\nTypes: deb")
                sub(/^\n/, "")
                print $0 "\n"
            }' "$file" >>"$2.sources"
    done
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ -r $file ]] && sed -nE "s/^deb +(\[[^]]*\] +)?([^ ]+) +$own +main.*/deb \1\2 $1 main/p" "$file" >>"$2.list"
    done
}
