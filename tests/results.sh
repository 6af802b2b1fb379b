# tests/results.sh - runs of `bazel test` as lists of cases: sourced by bash.
#
# The script that sources it defines `say`, and sources tools/progress.sh and tools/bazel.sh.
# shellcheck shell=bash

# Lines "passed|failed|skipped <tab> target: case <tab> reason" from one test.xml: GoogleTest's own, or Bazel's for a test that
# writes none.  A script that cannot run here prints "SKIPPED: reason" and exits 0.
CASES='
function attribute(name) {
    if (!match($0, " " name "=\"[^\"]*\""))
        return ""
    return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
}
function plain(text) {
    gsub(/&quot;/, "\"", text); gsub(/&apos;|&#x27;/, "\047", text); gsub(/&lt;/, "<", text)
    gsub(/&gt;/, ">", text); gsub(/&#x0A;/, " ", text); gsub(/&amp;/, "\\&", text)
    return text
}
function finish() {
    if (name != "")
        print state "\t" target ": " name "\t" reason
    name = ""
}
/^ *<testcase / {
    finish()
    name = attribute("classname") == "" ? attribute("name") : attribute("classname") "." attribute("name")
    state = attribute("status") == "notrun" ? "skipped" : "passed"
    reason = state == "skipped" ? "disabled" : ""
}
/^ *<skipped / {
    state = "skipped"
    reason = attribute("message")
    sub(/^[^&]*&#x0A;/, "", reason)
    reason = plain(reason)
}
/^SKIPPED: / && state == "passed" {
    state = "skipped"
    reason = substr($0, 10)
    sub(/\]\]>$/, "", reason)
}
/^ *<failure / || /^ *<testcase .*<error / { state = "failed" }
END { finish() }'

# Lines "target <tab> status <tab> test.xml" from the event file of a `bazel test`; a test that was not built has no test.xml.
TARGETS='
function value(key) {
    if (!match($0, "\"" key "\":\"[^\"]*\""))
        return ""
    return substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
}
/^{"id":{"targetConfigured"/ && /"testSize"/ { open[value("label")] = 1 }
# What cannot be built for this platform, and says so.
/^{"id":{"targetCompleted"/ && /"aborted":{"reason":"SKIPPED"/ { delete open[value("label")] }
# Built, and not run unless a result follows: its tag was filtered out.
/^{"id":{"targetCompleted"/ && /"completed":{"success":true/ { delete open[value("label")] }
/^{"id":{"testResult"/ {
    label = value("label")
    delete open[label]
    xml = match($0, /"name":"test.xml","uri":"file:[^"]*"/) ? substr($0, RSTART + 31, RLENGTH - 32) : ""
    print label "\t" value("status") "\t" xml
}
END { for (label in open) print label "\tNOT BUILT\t" }'

# The cases of one run of `bazel test`, in the form of CASES.
list_cases() {
    local target status xml cases
    awk "$TARGETS" "$1" | while IFS=$'\t' read -r target status xml; do
        cases=
        [[ -r $xml ]] && cases=$(awk -v target="$target" "$CASES" "$xml")
        [[ -z $cases ]] || printf '%s\n' "$cases"
        # What ends badly after its last case (a leak, a crash at exit) or without any has failed too.
        [[ $status = PASSED && -n $cases ]] || grep -q '^failed' <<<"$cases" ||
            printf 'failed\t%s: %s\t\n' "$target" "${status,,}"
    done
}

# "N passed, N failed[, N skipped]" of lines in the form of CASES.
count() {
    awk -F '\t' '
        { of[$1]++ }
        END {
            printf "%d passed, %d failed", of["passed"], of["failed"]
            if (of["skipped"])
                printf ", %d skipped", of["skipped"]
            print ""
        }' "$@"
}

# Runs the tests of the workspace in `directory`; the cases go to $results/NAME.cases.
run_tests() {
    local name=$1 directory=$2 cases=$results/$1.cases log=$results/$1.log started=$SECONDS status=0
    shift 2
    announce "$name: building and testing"
    : >"$results/events"
    watch "$name" "$log" in_folder "$directory" bazel test --keep_going --test_summary=terse "${BAZEL_TALK[@]}" \
        --build_event_json_file="$results/events" "$@" || status=$?
    [[ $status -eq 0 ]] || show_log "$log"
    list_cases "$results/events" | sed "s|\t|\t[$name] |" >"$cases"
    if [[ $status -ne 0 ]] && ! grep -q '^failed' "$cases"; then
        printf 'failed\t[%s] the build\tbazel exits with %d\n' "$name" "$status" >>"$cases"
    elif [[ ! -s $cases ]]; then
        printf 'failed\t[%s] no test was run\t\n' "$name" >>"$cases"
    fi
    say "$name: $(count "$cases") ($((SECONDS - started)) s)"
}

in_folder() {
    local folder=$1
    shift
    (cd "$folder" && "$@")
}

# Failed cases by name, skipped ones by reason, then the count on a line of its own.  Where ACRE_CASES names a file, the cases
# go there.
report() {
    local all=$results/all
    cat "$results"/*.cases >"$all"
    [[ -z ${ACRE_CASES-} ]] || cp "$all" "$ACRE_CASES"
    awk -F '\t' '$1 == "failed" { print "failed: " $2 ($3 == "" ? "" : " (" $3 ")") }' "$all"
    awk -F '\t' '
        $1 == "skipped" { if (!n[$3]++) first[$3] = $2 }
        END {
            for (reason in n)
                print "skipped: " reason " (" first[reason] (n[reason] > 1 ? " and " n[reason] - 1 " more" : "") ")"
        }' "$all" | sort
    count "$all"
    ! grep -q '^failed' "$all"
}

# Where results are kept.
prepare() {
    results=$(mktemp -d)
    trap 'rm -rf "$results"' EXIT
}
