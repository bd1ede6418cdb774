#!/bin/sh
# Create the virtual environment given as the only argument and install the package into it, with its tools.
# An existing environment is kept and updated.
#
#   PYTHON       interpreter to use; by default the first suitable one of python3.11, python3.12, python3.13, python3
#   TORCH_INDEX  package index from which to install torch, such as PyTorch's own index of builds without CUDA
set -eu

venv=${1:?usage: install-python.sh VENV}
cd "$(dirname "$0")/.."

TORCH=$(grep '^torch==' constraints.txt)

say() { printf 'install: %s\n' "$1"; }

fail() {
    printf 'install: %s\n' "$1" >&2
    exit 1
}

# A command may exist and still not run, as with the shims of version managers.
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
    say "creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

# torch first and with its version: resolved together with other packages, it could become the newest build, with
# gigabytes of CUDA.
say "$TORCH"
pip install -qq --no-compile --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$TORCH"
say 'aiida-anial with the extras dev, docs, metatomic and ovito; this takes a minute or two'
pip install -qq --no-compile --constraint constraints.txt --editable '.[dev,docs,metatomic,ovito]'
# Faster than pip, which compiles on one core; some files are templates, not valid Python.
"$venv/bin/python" -m compileall -q -j 0 "$venv"/lib/python*/site-packages >/dev/null 2>&1 || true
pip check
