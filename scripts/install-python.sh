#!/bin/sh
# Make the virtual environment given as the only argument and install the package into it, with its tools.
# An environment that exists is kept and brought up to date.
#
#   PYTHON       interpreter to use; the first of python3.11, python3.12, python3.13, python3 that serves, if not given
#   TORCH_INDEX  package index to take torch from, such as PyTorch's own of builds without CUDA
set -eu

venv=${1:?usage: install-python.sh VENV}
cd "$(dirname "$0")/.."

TORCH=$(grep '^torch==' constraints.txt)

say() { printf 'install: %s\n' "$1"; }

fail() {
    printf 'install: %s\n' "$1" >&2
    exit 1
}

# A command may be there and not run, as version managers leave them.
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
can_make_environments() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() {
    without=''
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
        is_new_enough "$candidate" || continue
        if can_make_environments "$candidate"; then
            python=$candidate
            return
        fi
        without=$candidate
    done
    [ -z "$without" ] || fail "$without has no ensurepip; install its venv package (Debian and Ubuntu: apt-get install $without-venv)."
    fail "no Python 3.11 or newer was found${PYTHON:+ at $PYTHON}; install one, or name it with: make install PYTHON=/path/to/python3.11"
}

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    find_python
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

# By itself and with its version: whatever is resolved beside it could pull the newest one with gigabytes of CUDA.
say "$TORCH"
pip install -qq --no-compile --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$TORCH"
say 'aiida-anial with the extras dev and docs; this takes a minute or two'
pip install -qq --no-compile --constraint constraints.txt --editable '.[dev,docs]'
# What pip would do on one core; templates among the files are no Python.
"$venv/bin/python" -m compileall -q -j 0 "$venv"/lib/python*/site-packages >/dev/null 2>&1 || true
pip check
