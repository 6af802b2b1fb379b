#!/usr/bin/env bash
# install_test.sh KIND - acre by one way of docs/building.md: a C and a C++ program that only know what a user has of it are
# built and run.  Kinds: the functions below whose names begin with by_.
set -uo pipefail

kind=$1
work=${TEST_TMPDIR:?}/$kind
tree=$work/tree
prefix=$work/prefix
app=$work/app

fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

# needs COMMAND PACKAGE: what Debian calls it.
needs() {
    command -v "$1" >/dev/null && return
    printf 'SKIPPED: %s is not installed (Debian: %s)\n' "$1" "$2"
    exit 0
}

quietly() {
    "$@" >"$work/log" 2>&1 && return
    cat "$work/log"
    fail "$*"
}

# Also that in C++17, with acre.hpp.
run_all() {
    run_both "$1"
    "$1/in_cpp17" || fail "$1/in_cpp17 ends with $?"
}

# Both programs, in the folder.
run_both() {
    local program
    for program in "$1"/in_c "$1"/in_cpp; do
        "$program" || fail "$program ends with $?"
    done
}

links_shared() {
    readelf -d "$1" | grep 'NEEDED.*\[libacre\.so\.0\]' >/dev/null
}

# ---- files, and one file ----------------------------------------------------------------------------------------------

by_make() {
    needs make make
    quietly make -C "$app" -j "$(nproc)" ACRE="$tree"
    run_both "$app"
}

# By the command of docs/building.md.
by_cc() {
    local command
    command=$(grep '^cc -std=c11 .* app\.c .* -o app$' docs/building.md) || fail 'docs/building.md has no such command'
    cp "$app"/check.h "$tree"
    cp "$app/c_test.c" "$tree/app.c"
    cd "$tree" || exit 1
    quietly bash -c "$command"
    ./app || fail "app ends with $?"
}

# Without a warning, by each compiler; the programs by acre.h alone.
by_amalgamation() {
    local one=$work/one compiler compilers=0 header strict=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wcast-align -Werror)
    quietly "$tree/tools/amalgamate" "$one"
    mkdir "$app/acre"
    for header in area arena mmap page stack; do
        printf '#include "acre.h"\n' >"$app/acre/$header.h"
    done
    for compiler in gcc:g++ clang:clang++; do
        command -v "${compiler%:*}" "${compiler#*:}" >/dev/null || continue
        compilers=$((compilers + 1))
        quietly "${compiler%:*}" -std=c11 -O2 "${strict[@]}" -Wstrict-prototypes -I "$one" -c -o "$work/acre.o" "$one/acre.c"
        quietly "${compiler%:*}" -std=c11 "${strict[@]}" -I "$one" -I "$app" -o "$app/in_c" "$app/c_test.c" "$work/acre.o" -pthread
        quietly "${compiler#*:}" -std=c++11 "${strict[@]}" -Wold-style-cast -I "$one" -I "$app" -o "$app/in_cpp" \
            "$app/cpp_test.cc" "$work/acre.o" -pthread
        run_both "$app"
        # Probes count from a place of their own (tests/package).
        ! nm --defined-only --extern-only --format=posix "$work/acre.o" | grep -v -e '^acre_' -e '^_\.stapsdt\.base ' ||
            fail 'acre.o defines what does not begin with acre_'
        for header in arena mmap stack; do
            quietly "${compiler%:*}" -std=c11 -I "$one" -I "$app" -include acre.h -o "$app/example" "$tree/examples/readme/$header.c" \
                -iquote "$tree/mmap/include" -iquote "$tree/arena/include" -iquote "$tree/stack/include" "$work/acre.o" -pthread
            quietly "$app/example"
        done
    done
    # With the checks of a debug build its macros are others.
    quietly cc -std=c11 -DACRE_DEBUG=1 -Wall -Wextra -Werror -I "$one" -c -o "$work/acre.o" "$one/acre.c"
    ((compilers > 0)) || fail 'neither gcc nor clang is on this machine'
}

# ---- CMake ------------------------------------------------------------------------------------------------------------

# cmake_build FOLDER BUILD OPTIONS...
cmake_build() {
    local folder=$1 build=$2
    shift 2
    quietly cmake -S "$folder" -B "$build" "$@"
    quietly cmake --build "$build" --parallel "$(nproc)"
}

install_by_cmake() {
    cmake_build "$tree" "$work/acre" -DACRE_SHARED="$1" -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib
    quietly cmake --install "$work/acre"
}

by_cmake_static() {
    needs cmake cmake
    install_by_cmake OFF
    cmake_build "$app" "$work/built" -DCMAKE_PREFIX_PATH="$prefix"
    run_all "$work/built"
    ! links_shared "$work/built/in_c" || fail 'a static library was installed, and the program asks for a shared one'
    # A version that cannot be had is refused.
    sed -i 's/find_package(acre 0.1 /find_package(acre 0.2 /' "$app/CMakeLists.txt"
    ! cmake -S "$app" -B "$work/newer" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null 2>&1 || fail 'acre 0.2 is found'
}

by_cmake_shared() {
    local library=$prefix/lib/libacre.so.0
    needs cmake cmake
    install_by_cmake ON
    cmake_build "$app" "$work/built" -DCMAKE_PREFIX_PATH="$prefix"
    run_all "$work/built"
    links_shared "$work/built/in_c" || fail 'a shared library was installed, and the program does not ask for it'
    readelf -d "$library" | grep 'FLAGS_1.*NODELETE' >/dev/null || fail 'the library can be unloaded'
    # What it exports is what the version script lists; another test compares that with the headers.
    diff <(sed -n 's/^    \(acre_[a-z0-9_]*\);$/\1@@ACRE_0.1/p' "$tree/cmake/acre.map" | sort) \
        <(nm -D --defined-only --format=posix "$library" | awk '$2 != "A" { print $1 }' | sort) ||
        fail 'what is exported (>) is not what acre.map lists (<)'
}

# Nothing of the project is changed: neither its build type, nor its warnings, nor what it installs.
by_cmake_subdirectory() {
    needs cmake cmake
    cat >>"$app/CMakeLists.txt" <<'END'
foreach(variable CMAKE_BUILD_TYPE CMAKE_C_FLAGS CMAKE_C_STANDARD CMAKE_C_VISIBILITY_PRESET THREADS_PREFER_PTHREAD_FLAG)
    if(NOT "${${variable}}" STREQUAL "")
        message(FATAL_ERROR "acre sets ${variable} to ${${variable}}")
    endif()
endforeach()
install(TARGETS in_c DESTINATION bin)
END
    cmake_build "$app" "$work/built" -DACRE_SOURCE="$tree" -DCMAKE_INSTALL_PREFIX="$prefix"
    run_all "$work/built"
    quietly cmake --install "$work/built"
    [[ $(cd "$prefix" && find . -type f) == ./bin/in_c ]] || fail "acre is installed with the project: $(find "$prefix" -type f)"
}

# A DLL exports what a shared object does, and programs are linked with it.
by_cmake_windows() {
    local triple=x86_64-w64-mingw32
    needs cmake cmake
    needs "$triple-g++-posix" g++-mingw-w64-x86-64-posix
    cat >"$work/windows.cmake" <<END
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_C_COMPILER $triple-gcc-posix)
set(CMAKE_CXX_COMPILER $triple-g++-posix)
END
    quietly cmake -S "$tree" -B "$work/acre" -DACRE_SHARED=ON -DCMAKE_INSTALL_PREFIX="$prefix" \
        -DCMAKE_TOOLCHAIN_FILE="$work/windows.cmake"
    quietly cmake --build "$work/acre" --parallel "$(nproc)"
    quietly cmake --install "$work/acre"
    cmake_build "$app" "$work/built" -Dacre_ROOT="$prefix" -DCMAKE_TOOLCHAIN_FILE="$work/windows.cmake"
    "$triple-objdump" -p "$work/built/in_c.exe" | grep 'DLL Name: libacre' >/dev/null || fail 'the program does not ask for the DLL'
    diff <(sed -n 's/^    \(acre_[a-z0-9_]*\);$/\1/p' "$tree/cmake/acre.map" | sort) \
        <("$triple-objdump" -p "$prefix"/bin/libacre*.dll | sed -n '/Name Pointer/,$ s/.* \(acre_[a-z0-9_]*\)$/\1/p' | sort) ||
        fail 'what the DLL exports (>) is not what acre.map lists (<)'
}

# ---- pkg-config, by ./dev install -------------------------------------------------------------------------------------

# As a distribution packs it: for /usr, in a folder of its own.
by_pkg_config() {
    local flags pc
    needs cmake cmake
    needs pkg-config pkgconf
    ACRE_MAN=OFF DESTDIR=$prefix quietly "$tree/dev" install /usr
    [[ ! -e $prefix/usr/share/man ]] || fail "man pages are installed with ACRE_MAN=OFF"
    pc=$(find "$prefix" -name acre.pc)
    [[ -n $(find "$prefix/usr" -name libacre.a) && -n $(find "$prefix/usr" -name libacre.so) ]] || fail 'both kinds are not there'
    export PKG_CONFIG_LIBDIR=${pc%/*}
    [[ $(pkg-config --modversion acre) == "$(sed -nE 's/^## \[([0-9.]+)\].*/\1/p' "$tree/CHANGELOG.md" | head -n 1)" ]] ||
        fail "acre.pc has version $(pkg-config --modversion acre)"
    flags=$(pkg-config --cflags --libs acre) || fail 'pkg-config'
    # shellcheck disable=SC2086
    quietly cc -std=c11 -o "$app/in_c" "$app/c_test.c" $flags
    # shellcheck disable=SC2086
    quietly c++ -std=c++11 -o "$app/in_cpp" "$app/cpp_test.cc" $flags
    LD_LIBRARY_PATH=$(dirname "$(find "$prefix" -name libacre.so)") run_both "$app"
    links_shared "$app/in_c" || fail 'the program does not ask for the shared library'
    # The other of the two, from the same prefix.
    cmake_build "$app" "$work/static" -DCMAKE_PREFIX_PATH="$prefix/usr"
    ! links_shared "$work/static/in_c" || fail 'without a word find_package takes the shared library'
    cmake_build "$app" "$work/shared" -DCMAKE_PREFIX_PATH="$prefix/usr" -DBUILD_SHARED_LIBS=ON
    links_shared "$work/shared/in_c" || fail 'with BUILD_SHARED_LIBS find_package takes the static library'
    run_all "$work/static"
    run_all "$work/shared"
}

# ---- man pages, by ./dev install --------------------------------------------------------------------------------------

# Each function that the library exports has a page, and those that are inline in a header; man finds them, and reads them
# without a warning.
by_man() {
    local folder=$prefix/share/man/man3 name text
    needs cmake cmake
    needs doxygen doxygen
    needs python3 python3
    needs man man-db
    quietly "$tree/dev" install "$prefix"
    ! grep 'without man pages' "$work/log" || fail 'no man pages'
    for name in $(sed -n 's/^    \(acre_[a-z0-9_]*\);$/\1/p' "$tree/cmake/acre.map") acre_arena_alloc acre_stack_switch_leave acre_mmap_h; do
        [[ -s $folder/$name.3 ]] || fail "no page of $name"
    done
    for name in "$folder"/*.3; do
        text=$(LC_ALL=C.UTF-8 man -l --warnings=w "$name" 2>&1 >/dev/null </dev/null)
        [[ -z $text ]] || fail "${name##*/}: $text"
    done
    text=$(MANPATH=$prefix/share/man MANWIDTH=80 LC_ALL=C man 3 acre_mmap_reserve </dev/null) || fail "man: status $?"
    for name in 'acre_mmap_reserve  *-  *reserves  *addresses' '#include <acre/mmap.h>' 'acre_status acre_mmap_reserve(' \
        'const acre_mmap_opts \*opts,' '^ *size  *bytes, > 0' '^RETURN VALUE' '^ *ACRE_UNSAFE_FLAG_NEEDED$' \
        '^ *status = acre_mmap_commit(&map, 0, 64 \* map.page_size);' 'acre_mmap_commit(3)'; do
        grep -q -e "$name" <<<"$text" || fail "no '$name' in: $text"
    done
}

# ---- files for other builds -------------------------------------------------------------------------------------------

# Fills packaging/ as a release does.
fill_packaging() {
    tar -C "$work" --transform 's|^tree|acre|' -czf "$work/acre.tar.gz" tree/LICENSE-MIT
    quietly "$tree/packaging/fill" https://example.org/acre https://example.org/acre.tar.gz "$work/acre.tar.gz" "$work/filled"
}

by_meson() {
    local version
    needs meson meson
    fill_packaging
    version=$(sed -nE 's/^## \[([0-9.]+)\].*/\1/p' "$tree/CHANGELOG.md" | head -n 1)
    mkdir "$app/subprojects"
    cp "$work/filled/meson/acre.wrap" "$app/subprojects"
    # What Meson does with what it downloads.
    cp -r "$tree" "$app/subprojects/acre-$version"
    cp -r "$work/filled/meson/packagefiles/acre/." "$app/subprojects/acre-$version"
    local library
    for library in static shared; do
        quietly meson setup --wrap-mode=nodownload -Ddefault_library=$library "$work/$library" "$app"
        quietly meson compile -C "$work/$library"
        run_all "$work/$library"
    done
    links_shared "$work/shared/in_c" || fail 'the program does not ask for the shared library'
}

# What no package of Debian's can run is well-formed, and has nothing left to fill.
by_recipes() {
    local file
    needs python3 python3
    fill_packaging
    ! grep -rn '@ACRE_' "$work/filled" || fail 'placeholders are left'
    for file in vcpkg/acre/vcpkg.json bcr/metadata.template.json bcr/source.template.json; do
        quietly python3 -m json.tool "$work/filled/$file"
    done
    quietly python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$work/filled/conan/conanfile.py"
    grep -q "\"sha256-$(openssl dgst -sha256 -binary "$work/acre.tar.gz" 2>/dev/null | base64)\"" \
        "$work/filled/bcr/source.template.json" || ! command -v openssl >/dev/null || fail 'the integrity is not that of the archive'
}

# ---- programs that are there already ----------------------------------------------------------------------------------

# tools/abi: the tree agrees with itself; a function that is gone, and a struct that grew, are found.
by_abi() {
    local one=$work/one
    needs abidiff abigail-tools
    needs cmake cmake
    quietly "$tree/tools/abi" "$tree" "$tree"
    quietly "$tree/tools/amalgamate" "$one"
    # shared LIBRARY FOLDER VERSION_SCRIPT
    shared() {
        quietly cc -std=c11 -g -fPIC -shared -fvisibility=hidden -Wl,--version-script="$3" -o "$1" "$2/acre.c" -pthread
    }
    shared "$work/old.so" "$one" "$tree/cmake/acre.map"
    grep -v '^    acre_mmap_split;' "$tree/cmake/acre.map" >"$work/less.map"
    shared "$work/less.so" "$one" "$work/less.map"
    differs "$work/old.so" "$work/less.so" '1 Removed function' acre_mmap_split
    # The other way round a function is new, which breaks nothing.
    quietly "$tree/tools/abi" "$work/less.so" "$work/old.so"
    cp -r "$one" "$work/grown"
    sed -i 's/^typedef struct acre_stack_info {/&\n    void *grown;/' "$work/grown/acre.h"
    # Which acre itself would not compile.
    sed -i '/^_Static_assert(sizeof(acre_stack_info)/d' "$work/grown/acre.c"
    shared "$work/grown.so" "$work/grown" "$tree/cmake/acre.map"
    differs "$work/old.so" "$work/grown.so" acre_stack_info 'grown'
    status=0
    "$tree/tools/abi" "$work/old.so" "$work/none.so" >"$work/log" 2>&1 || status=$?
    ((status == 2)) || fail "a library that is not there: status $status"
}

# differs OLD NEW WORDS...: that is what tools/abi says of them.
differs() {
    local status=0 word
    "$tree/tools/abi" "$1" "$2" >"$work/log" 2>&1 || status=$?
    ((status == 1)) || fail "tools/abi $1 $2: status $status: $(cat "$work/log")"
    for word in "${@:3}"; do
        grep -q "$word" "$work/log" || fail "no '$word' in: $(cat "$work/log")"
    done
}

declare -F "by_$kind" >/dev/null || fail "no such kind: $kind"
# Files instead of links, which CMake would install as links.
mkdir -p "$tree" &&
    cp -rL .bcr CHANGELOG.md CMakeLists.txt LICENSE-* arena cmake cpp dev examples mmap packaging stack tests tools "$tree" &&
    cp -r "$tree/tests/install/consumer" "$app" && chmod -R u+w "$work" || exit 1
"by_$kind"
