# tools/progress.sh - nobody waits in silence: sourced by bash.
#
# The script that sources it defines `say`.  ACRE_VERBOSE=1 shows all that the commands print.
# shellcheck shell=bash

# watch LABEL LOG COMMAND... - runs the command with all that it prints in LOG.  Until it ends, LABEL, the seconds and the last
# line of LOG are shown: on a terminal as one line that is written over, elsewhere as a line every 10 s.
watch() {
    local label=$1 log=$2 status=0 ticker
    shift 2
    if [[ -n ${ACRE_VERBOSE-} ]]; then
        "$@" </dev/null 2>&1 | tee "$log" >&2
        return "${PIPESTATUS[0]}"
    fi
    : >"$log"
    tick "$label" "$BASHPID" last_line "$log" &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null || status=$?
    end_tick "$ticker"
    return "$status"
}

# Shows LABEL and what COMMAND prints until it is ended, or until process PARENT has ended.
tick() {
    local label=$1 parent=$2 started=$SECONDS every=10 never line
    shift 2
    trap - EXIT
    is_terminal && every=1
    # Reading what never comes is a sleep without a process that outlives this one.
    exec {never}<> <(:)
    while ! read -rt "$every" -u "$never" && kill -0 "$parent" 2>/dev/null; do
        line=$("$@")
        line="$label: $((SECONDS - started)) s${line:+, $line}"
        if is_terminal; then
            printf '\r\033[K%s' "${line:0:$(columns)}" >&2
        else
            say "${line:0:150}"
        fi
    done
}

end_tick() {
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
    ! is_terminal || printf '\r\033[K' >&2
}

# Where several things run at once (ACRE_LINES=1) each has lines of its own.
is_terminal() {
    [[ -t 2 && -z ${ACRE_LINES-} ]]
}

columns() {
    local width
    width=$(tput cols 2>/dev/null) && [[ $width -gt 1 ]] || width=80
    echo $((width - 1))
}

last_line() {
    tail -c 2000 "$1" 2>/dev/null | tr '\r' '\n' | sed 's/\x1b\[[0-9;]*[A-Za-z]//g; s/^ *//' | grep . | tail -n 1
}

# How lines begin that Bazel and its Java say whatever happens.
TALK='\[[0-9,]+ / [0-9,]+\]|Loading|Analyzing|Computing|Starting local Bazel|    (currently|Fetching)|[[:space:]]*$'
TALK+='|INFO: (Analyzed|Found|Elapsed|Build|[0-9]+ process)'
TALK+='|OpenJDK|WARNING: .*(sun\.misc|java\.lang|native-access|terminally|restricted|Restricted|maintainers)'

# A log without them; with ACRE_VERBOSE it has been seen.
show_log() {
    [[ -n ${ACRE_VERBOSE-} ]] || grep -vE "^($TALK)" "$1" >&2
}

# What a command is about to do and how long that takes; on a terminal the next line that is shown is written over it.
announce() {
    if is_terminal; then
        printf '\r\033[K%s' "$*" >&2
    else
        say "$*"
    fi
}
