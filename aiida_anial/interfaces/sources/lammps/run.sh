#!/bin/sh
# Run an input of LAMMPS with this potential: ./run.sh INPUT [RANKS [OPTIONS OF lmp]]. See README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "run.sh: $1" >&2
    exit 1
}

[ $# -ge 1 ] || fail "give an input of LAMMPS, and the number of ranks if there is more than one."
input=$1
ranks=${2:-1}
shift "$(($# > 1 ? 2 : 1))"
[ -f "$input" ] || fail "there is no input $input."
[ -f "$here/anialplugin.so" ] || fail "the plugin has not been built: run $here/build.sh."
lmp=$(sed -n 1p "$here/lammps")
[ "$("$lmp" -h 2>/dev/null | grep -m 1 '^Large-scale Atomic')" = "$(sed -n 2p "$here/lammps")" ] ||
    fail "$lmp is not the LAMMPS that the plugin was built for: run $here/build.sh."
mpiexec=$(dirname "$lmp")/mpiexec
[ -x "$mpiexec" ] || mpiexec=mpiexec
# LAMMPS loads all files of this folder whose names end in plugin.so. Each rank has one thread.
export LAMMPS_PLUGIN_PATH="$here" OMP_NUM_THREADS=1
set -- "$lmp" -in "$input" -var anial "$here" "$@"
[ "$ranks" = 1 ] || set -- "$mpiexec" -n "$ranks" "$@"
exec "$@"
