#!/usr/bin/env bash
# tools/debian.sh: what is missing is installed, with a word on how much it is before; what only some want is left out where it
# is not to be had.  apt-get is a script here.
set -uo pipefail

failed=0
work=${TEST_TMPDIR:?}

say() {
    printf 'say: %s\n' "$*"
}

stop() {
    printf 'stop: %s\n' "$*"
    exit 1
}

. tools/progress.sh
. tools/debian.sh

# is NAME EXPECTED FOUND
is() {
    [[ $2 == "$3" ]] && return
    printf 'FAILED: %s\nexpected: %s\nfound:    %s\n' "$@"
    failed=1
}

# ---- what is missing, and how much it is ------------------------------------------------------------------------------

mkdir -p "$work/lib/some"
: >"$work/lib/some/file.so"
is 'a command, a path and a pattern that are there' '' "$(missing a:bash "b:$work/lib" "c?:$work/lib/*/file.so")"
is 'what is missing' 'a:no-such-command-here c?:/no/such/*.so ' "$(missing a:no-such-command-here b:bash 'c?:/no/such/*.so')"
# A function is no command of the machine's.
bazel-of-this-test() { :; }
is 'a function of the same name' 'a:bazel-of-this-test ' "$(missing a:bazel-of-this-test)"

is 'a large plan' '215 packages (645 MB to fetch, 1220 MB on disk, about 3 minutes)' "$(size_of_plan <<'END'
0 upgraded, 215 newly installed, 0 to remove and 0 not upgraded.
Need to get 645 MB of archives.
After this operation, 1,220 MB of additional disk space will be used.
END
)"
is 'some of it is there' '2 packages (1 MB to fetch, 2100 MB on disk, about 2 minutes)' "$(size_of_plan <<'END'
1 upgraded, 1 newly installed, 0 to remove and 3 not upgraded.
Need to get 1,024 kB/90.1 MB of archives.
After this operation, 2.1 GB of additional disk space will be used.
END
)"
is 'nothing to do' '' "$(size_of_plan <<'END'
0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.
END
)"

# ---- need -------------------------------------------------------------------------------------------------------------

grep -Eqs '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release || {
    echo 'SKIPPED: this is no Debian'
    exit "$failed"
}
mkdir "$work/bin" "$work/there"
cat >"$work/bin/apt-get" <<'END'
#!/bin/bash
# Writes down what it was to do; "installs" what is named, except "broken".
[[ $* == *--assume-no* ]] && {
    echo '0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.'
    exit 1
}
echo "$*" >>"$WORK/calls"
[[ $* != *update ]] || exit 0
for argument; do
    [[ $argument != broken ]] || {
        echo 'E: Unable to locate package broken'
        exit 100
    }
done
for argument; do
    [[ $argument == -* || $argument == *=* || $argument == install ]] || : >"$WORK/there/$argument"
done
END
printf '#!/bin/bash\n[[ $2 == gone ]] || printf "name:\n  Candidate: 1.0\n"\n' >"$work/bin/apt-cache"
printf '#!/bin/bash\nexec "$@"\n' >"$work/bin/sudo"
chmod +x "$work"/bin/*
export WORK=$work PATH=$work/bin:$PATH

installs() {
    rm -rf "$work/there" "$work/calls"
    mkdir "$work/there"
    (need "$@" 2>&1) | sed "s|$work|WORK|g; s|(all of it: .*)|(LOG)|"
    ls "$work/there" | paste -sd ' '
}

there=$work/there
is 'nothing is missing' '' "$(installs a:bash)"
[[ ! -e $work/calls ]] || is 'apt-get is not called then' '' "$(cat "$work/calls")"
is 'two, one of them optional' 'say: installing 2 packages (0 MB to fetch, 0 MB on disk, about 1 minute): one two
one two' "$(installs "one:$there/one" "two?:$there/two")"
is 'one that the distribution lacks' 'say: installing 2 packages (0 MB to fetch, 0 MB on disk, about 1 minute): one
say: left out: gone is not to be had here
one' "$(installs "one:$there/one" "gone?:$there/gone")"
is 'an optional one that cannot be installed' 'say: installing 2 packages (0 MB to fetch, 0 MB on disk, about 1 minute): one broken
say: installing 2 packages (0 MB to fetch, 0 MB on disk, about 1 minute): one
say: left out: broken is not to be had here
one' "$(installs "one:$there/one" "broken?:$there/broken")"
is 'one that is needed and cannot be installed' 'say: installing 2 packages (0 MB to fetch, 0 MB on disk, about 1 minute): broken
stop: apt-get could not install broken: E: Unable to locate package broken (LOG)' "$(installs "broken:$there/broken")"

exit "$failed"
