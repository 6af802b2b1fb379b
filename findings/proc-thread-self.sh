#!/usr/bin/env bash
# Valgrind and qemu-user show a program itself under /proc/self, and themselves under /proc/thread-self.
#
# Packages: of Debian 12, amd64: valgrind 1:3.19.0-1, qemu-user-static 1:7.2+dfsg-7+deb12u18+b3,
#           busybox-static 1:1.35.0-4+deb12u1+b1
#
# Seen: readlink of /proc/self/exe names busybox, of /proc/thread-self/exe the tool; /proc/self/cmdline is busybox's, that of
#       /proc/thread-self the tool's whole command. In qemu-user /proc/self/maps lists the areas of the program alone, and
#       /proc/thread-self/maps all that the emulator has mapped, too: three times as many. Valgrind leaves maps alone.
#
# Why it matters: /proc/self/maps is empty once the first thread has ended (pthread_exit in main), so a library that looks at
#       its own process may prefer /proc/thread-self. Under these tools it then sees another program and other addresses. Ask
#       /proc/self first, and fall back where it is empty.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download valgrind=1:3.19.0-1 qemu-user-static=1:7.2+dfsg-7+deb12u18+b3 \
    busybox-static=1:1.35.0-4+deb12u1+b1 >log 2>&1 || {
    cat log
    echo 'the pinned packages cannot be had'
    exit 2
}
for package in *.deb; do
    dpkg-deb -x "$package" tree
done
export VALGRIND_LIB=$work/tree/usr/libexec/valgrind
box=$work/tree/bin/busybox
failed=0

# shows TEXT COMMAND...: what the command prints has the text in it.
shows() {
    local text=$1 found
    shift
    found=$("$@" 2>&1 | tr '\0' ' ')
    [[ $found == *"$text"* ]] && return
    printf 'changed: %s\n  expected: %s\n  printed:  %s\n' "${*//$work\/}" "${text//$work\/}" "${found//$work\/}"
    failed=1
}

for tool in "$work/tree/usr/bin/valgrind -q --tool=none" "$work/tree/usr/bin/qemu-x86_64-static"; do
    name=none-amd64-linux command=valgrind.bin
    [[ $tool != *qemu* ]] || name=qemu-x86_64-static command=qemu-x86_64-static
    # shellcheck disable=SC2086
    {
        shows "$box" $tool "$box" readlink /proc/self/exe
        shows "/$name" $tool "$box" readlink /proc/thread-self/exe
        shows "$box cat /proc/self/cmdline" $tool "$box" cat /proc/self/cmdline
        shows "/$command" $tool "$box" cat /proc/thread-self/cmdline
    }
done
own=$("$work/tree/usr/bin/qemu-x86_64-static" "$box" cat /proc/self/maps)
all=$("$work/tree/usr/bin/qemu-x86_64-static" "$box" cat /proc/thread-self/maps)
printf 'areas in qemu-user: %d by /proc/self/maps, %d by /proc/thread-self/maps\n' "$(wc -l <<<"$own")" "$(wc -l <<<"$all")"
[[ $own != *qemu-x86_64-static* && $all == *qemu-x86_64-static* ]] || {
    echo 'changed: the emulator no longer shows itself in /proc/thread-self/maps alone'
    failed=1
}
[[ $failed -eq 0 ]] && echo 'as it was seen'
exit "$failed"
