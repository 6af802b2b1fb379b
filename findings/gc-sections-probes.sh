#!/usr/bin/env bash
# A probe of <sys/sdt.h> in a function that nobody calls: with --gc-sections each of three linkers does something else.
#
# Packages: of Debian 12, amd64: binutils-x86-64-linux-gnu, binutils-common and libbinutils 2.40-2, lld-14 and libllvm14
#           1:14.0.6-12, cpp-12 12.2.0-14+deb12u1, systemtap-sdt-dev 4.8-2; the compiler's libraries as they are newest
#
# Seen: GNU ld keeps the function for its probe's note. gold refuses to link: "relocation refers to local symbol ... which is
#       defined in a discarded section". lld drops the function and keeps the note, which now says that the probe is at address 0.
#
# Why it matters: a library with probes links, or not, or misleads bpftrace, by the linker and by which of its functions the program
#       happens to use. Debian's Bazel links with gold, and with --gc-sections where it optimizes.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download binutils-x86-64-linux-gnu=2.40-2 binutils-common=2.40-2 libbinutils=2.40-2 lld-14=1:14.0.6-12 \
    libllvm14=1:14.0.6-12 cpp-12=12.2.0-14+deb12u1 systemtap-sdt-dev=4.8-2 libmpc3 libmpfr6 libgmp10 libisl23 zlib1g libzstd1 \
    libjansson4 libedit2 libz3-4 libtinfo6 libxml2 libbsd0 libmd0 libicu72 liblzma5 libgprofng0 libctf0 libctf-nobfd0 \
    libgcc-s1 libstdc++6 libffi8 >log 2>&1 || {
    cat log
    echo 'the pinned packages cannot be had'
    exit 2
}
for package in *.deb; do
    dpkg-deb -x "$package" tree
done
export LD_LIBRARY_PATH=$work/tree/usr/lib/x86_64-linux-gnu:$work/tree/lib/x86_64-linux-gnu
bin=$work/tree/usr/bin
cat >probe.c <<'CODE'
#include <sys/sdt.h>
int unused(int value)
{
    DTRACE_PROBE1(example, unused, value);
    return value + 1;
}
int start(void)
{
    return 0;
}
CODE
"$work/tree/usr/lib/gcc/x86_64-linux-gnu/12/cc1" -quiet -O2 -ffunction-sections -I tree/usr/include \
    -I tree/usr/include/x86_64-linux-gnu probe.c -o probe.s
"$bin/x86_64-linux-gnu-as" probe.s -o probe.o
failed=0

# expect WHAT FOUND WANTED
expect() {
    printf '%s: %s\n' "$1" "$2"
    [[ $2 == "$3" ]] || {
        printf 'changed: expected %s\n' "$3"
        failed=1
    }
}

# outcome LINKER: what becomes of the function, and of the place of its probe.
outcome() {
    local function=dropped place
    "$@" --gc-sections -e start probe.o -o probe >message 2>&1 || {
        grep -q 'discarded section' message && echo 'refused: discarded section' && return
        cat message
        return
    }
    [[ -z $("$bin/x86_64-linux-gnu-nm" probe | grep -w unused) ]] || function=kept
    place=$("$bin/x86_64-linux-gnu-readelf" --notes probe | grep -o 'Location: 0x[0-9a-f]*')
    [[ ${place#* } == 0x0000000000000000 ]] && place='at 0' || place='in it'
    echo "function $function, probe $place"
}

expect 'GNU ld' "$(outcome "$bin/x86_64-linux-gnu-ld.bfd")" 'function kept, probe in it'
expect 'gold' "$(outcome "$bin/x86_64-linux-gnu-ld.gold")" 'refused: discarded section'
expect 'lld' "$(outcome "$work/tree/usr/lib/llvm-14/bin/ld.lld")" 'function dropped, probe at 0'
[[ $failed -eq 0 ]] && echo 'as it was seen'
exit "$failed"
