#!/bin/sh
# See to it that Quantum ESPRESSO's pw.x (labels) and ld1.x (pseudopotential) are on the PATH.
# What is there is left as it is. Otherwise Debian's and Ubuntu's packages are installed, if that is possible.
set -eu

PACKAGES='quantum-espresso libopenblas0-serial'
ELSEWHERE="install Quantum ESPRESSO so that pw.x is on the PATH: on Debian and Ubuntu 'apt-get install $PACKAGES' as root; \
elsewhere 'conda install -c conda-forge qe'; or, over ten times slower, 'pip install qepy' from PyPI."

say() { printf 'install: %s\n' "$1"; }

fail() {
    printf 'install: %s\n' "$1" >&2
    exit 1
}

is_there() { command -v "$1" >/dev/null 2>&1; }

if is_there pw.x; then
    say "pw.x is there: $(command -v pw.x)"
    is_there ld1.x || say 'warning: ld1.x is not on the PATH; only making the pseudopotential anew needs it.'
    exit 0
fi

is_there apt-get || fail "there is no pw.x, and no apt-get to install it with; $ELSEWHERE"
if [ "$(id -u)" = 0 ]; then
    root=''
elif is_there sudo && sudo -n true 2>/dev/null; then
    root='sudo -n'
else
    fail "there is no pw.x, and installing it needs root; $ELSEWHERE"
fi

say "installing $PACKAGES"
# shellcheck disable=SC2086 - the words are meant to be split
{
    $root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $PACKAGES
} >/dev/null || fail "apt-get failed; $ELSEWHERE"
is_there pw.x || fail "apt-get left no pw.x on the PATH; $ELSEWHERE"
say "pw.x is there: $(command -v pw.x)"
