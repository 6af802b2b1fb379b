# tools/debian.sh - Debian's packages for what a build or a check needs, and Debians in folders: sourced by bash.
#
# The script that sources it defines `say` and `stop`, and sources progress.sh.
# shellcheck shell=bash

# A list of packages has entries "package:probe", or "package?:probe" where only some tests or rows want it.  The probe shows
# that it is there: a command, or an absolute path, also with wildcards.

# Of a list of packages those that are missing, as they stand in the list.
missing() {
    local entry probe
    for entry; do
        probe=${entry#*:}
        if [[ $probe == /* ]]; then
            compgen -G "$probe" >/dev/null || printf '%s ' "$entry"
        else
            type -P "$probe" >/dev/null || printf '%s ' "$entry"
        fi
    done
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

can_install() {
    grep -Eqs '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release && command -v apt-get >/dev/null || return 1
    [[ $(id -u) -eq 0 ]] || command -v sudo >/dev/null
}

# Makes the packages of a list available.  Stops if one is missing that all of it wants; what only some want is left out.
need() {
    local entry needed=() optional=() log
    local -a packages=()
    for entry in $(missing "$@"); do
        case ${entry%%:*} in
        *'?') optional+=("${entry%%'?'*}") ;;
        *) needed+=("${entry%%:*}") ;;
        esac
    done
    [[ ${#needed[@]} -gt 0 || ${#optional[@]} -gt 0 ]] || return 0
    if ! can_install; then
        [[ ${#needed[@]} -eq 0 ]] || stop "please install what Debian calls: ${needed[*]}"
        say "left out, since Debian's packages are not there: ${optional[*]}"
        return
    fi

    log=$(mktemp)
    if ! watch 'lists of packages' "$log" as_root apt-get -o Acquire::Retries=3 update && [[ ${#needed[@]} -gt 0 ]]; then
        stop "apt-get update fails: $(grep -m 1 '^E:' "$log") (all of it: $log)"
    fi
    packages=("${needed[@]}")
    for entry in "${optional[@]}"; do
        [[ $(LC_ALL=C apt-cache policy "$entry" 2>/dev/null) =~ $'\n''  Candidate: '[^\(] ]] && packages+=("$entry")
    done
    if [[ ${#packages[@]} -gt 0 ]] && ! install "$log" "${packages[@]}"; then
        [[ ${#needed[@]} -eq 0 ]] || [[ ${#packages[@]} -gt ${#needed[@]} ]] && install "$log" "${needed[@]}" ||
            stop "apt-get could not install ${needed[*]}: $(grep -m 1 '^E:' "$log") (all of it: $log)"
    fi
    rm -f "$log"
    for entry in $(missing "$@"); do
        case ${entry%%:*} in
        *'?') say "left out: ${entry%%'?'*} is not to be had here" ;;
        *) stop "installed, but not found: ${entry%%:*}" ;;
        esac
    done
}

# install LOG PACKAGES...; says before how much it is.
install() {
    local log=$1 plan
    shift
    [[ $# -gt 0 ]] || return 0
    plan=$(LC_ALL=C apt-get install --assume-no --no-install-recommends "$@" 2>/dev/null | size_of_plan)
    say "installing ${plan:+$plan: }$*"
    watch installing "$log" as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 \
        -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "$@"
}

# "215 packages (645 MB to fetch, 1220 MB on disk, about 3 minutes)", of what apt-get is about to do.  The minutes are those of
# 8 MB/s for the first and 20 MB/s for the second.
size_of_plan() {
    awk '
        function megabytes(number, unit) {
            gsub(",", "", number)
            return unit ~ /^GB/ ? number * 1000 : unit ~ /^kB/ ? number / 1000 : unit ~ /^B/ ? 0 : number
        }
        / newly installed,/ { count = $1 + $3 }
        /^Need to get / { sub(/.*\//, "", $4); fetch = megabytes($4, $5) }
        /^After this operation, / { disk = megabytes($4, $5) }
        END {
            minutes = int((fetch / 8 + disk / 20) / 60) + 1
            if (count)
                printf "%d package%s (%.0f MB to fetch, %.0f MB on disk, about %d minute%s)", count, (count > 1 ? "s" : ""),
                    fetch, disk, minutes, (minutes > 1 ? "s" : "")
        }'
}

# ---- Debian in a folder -----------------------------------------------------------------------------------------------

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

# make_tree SUITE ARCHITECTURE TREE LOG OPTIONS... - a Debian by mmdebstrap, a folder or a *.tar: complete or not there.
make_tree() {
    local suite=$1 architecture=$2 tree=$3 log=$4 fresh sources work
    shift 4
    fresh=${tree%.tar}.new
    [[ $tree != *.tar ]] || fresh+=.tar
    work=$(mktemp -d)
    sources_of "$suite" "$work/apt"
    # One format, and the first that names the suite is enough.
    for sources in "$work"/apt.{sources,list}; do
        [[ -s $sources ]] && break
    done
    [[ -s $sources ]] || stop "the machine's package sources name no suite of Debian's own"
    mkdir -p "${tree%/*}" || stop "no folder ${tree%/*}"
    as_root rm -rf "$fresh" || stop "$fresh cannot be removed"
    watch "a Debian ($suite, $architecture) in $tree" "$log" as_root mmdebstrap --architectures="$architecture" \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' "$@" \
        "$suite" "$fresh" "$sources" || {
        rm -rf "$work"
        return 1
    }
    rm -rf "$work"
    as_root mv "$fresh" "$tree" || stop "$fresh cannot be moved to $tree"
}
