#!/usr/bin/env bash
# gdb's gcore writes zeros for everything behind the first guard marker of a memory area.
#
# Packages: of Debian 12, amd64: gdb-minimal 13.1-3, and the libraries that it depends on
#
# Seen: with Linux 6.18. A page guarded by madvise(MADV_GUARD_INSTALL) (from 6.13 on) lies 3.5 MiB into an area of 8 MiB that is
#       filled with x. The core that gdb writes of the living process has x in the first 3 MiB and zeros in all that follows,
#       where only one page of 4096 bytes cannot be read. gdb warns that memory could not be read, and says that the core was
#       saved. gdb copies an area a mebibyte at a time, and gives up on the rest of the area at the first that fails.
#
# Why it matters: markers take no memory area, so allocators and coroutine libraries put thousands of them into one area. A core
#       that was taken by gcore then lacks their memory without a word when it is read. The kernel's own core files are whole,
#       and so are those of gdb 18.1; a guard by mprotect ends the area, and all versions write what lies around it.
set -euo pipefail

work=$(mktemp -d)
child=
trap '[[ -z $child ]] || kill "$child" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
# As if nothing was installed, so that all of its libraries come along.
touch nothing
mkdir -p packages/partial
apt-get -q -y -o Dir::State::status="$work/nothing" -o Dir::Cache::archives="$work/packages" --no-install-recommends \
    --download-only install gdb-minimal=13.1-3 >log 2>&1 || {
    cat log
    echo 'the pinned package cannot be had'
    exit 2
}
for package in packages/*.deb; do
    dpkg-deb -x "$package" tree
done
export LD_LIBRARY_PATH=$work/tree/lib/x86_64-linux-gnu:$work/tree/usr/lib/x86_64-linux-gnu

# The area, filled by read(2), which needs no address of Perl's; prints where it lies.
perl -e 'printf "%s", "x" x (8 << 20)' >pattern
cat >area.pl <<'PERL'
$| = 1;
my $size = 8 << 20;
my $area = syscall(9, 0, $size, 3, 0x22, -1, 0);
open my $file, '<', 'pattern' or die;
syscall(0, fileno $file, $area, $size) == $size or die;
syscall(28, $area + (7 << 19), 4096, 102) == 0 or die "no guard markers: $!\n";
printf "%x\n", $area;
sleep 600;
PERL
perl area.pl >where 2>error &
child=$!
for _ in {1..100}; do
    [[ -s where || -s error ]] && break
    sleep 0.1
done
[[ -s where ]] || {
    cat error
    echo 'this kernel has no guard markers: nothing can be seen'
    exit 2
}
"$work/tree/usr/bin/gdb" -q -batch -p "$child" -ex 'generate-core-file core' >told 2>&1
grep -q 'Saved corefile' told || {
    cat told
    echo 'changed: gdb writes no core file'
    exit 1
}
area=$(cat where)
echo "gdb: $(grep -c 'Memory read failed' told) warning of memory that could not be read, then: $(grep -o 'Saved corefile' told)"

# How many bytes of the area are x in the core, which has it as one piece.
count=$(perl -e 'local $/; open my $core, "<:raw", "core"; $_ = <$core>; my $bytes = tr/x//; print $bytes')
printf 'of 8 MiB of x, all but a page of which can be read, the core has %d bytes (area at %s)\n' "$count" "$area"
if ((count >= 3 << 20 && count < (3 << 20) + 1000000)); then
    echo 'as it was seen'
else
    echo 'changed: the core has another part of the area'
    exit 1
fi
