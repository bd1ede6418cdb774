#!/bin/sh
# Make sure that Quantum ESPRESSO's pw.x (labels) and ld1.x (pseudopotential) are on the PATH.
# An existing installation is kept. Otherwise the packages of Debian or Ubuntu are installed, if possible.
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
    say "pw.x is installed: $(command -v pw.x)"
    is_there ld1.x || say 'warning: ld1.x is not on the PATH; it is needed only to regenerate the pseudopotential.'
    exit 0
fi

is_there apt-get || fail "pw.x is not installed, and there is no apt-get to install it with; $ELSEWHERE"
if [ "$(id -u)" = 0 ]; then
    root=''
elif is_there sudo && sudo -n true 2>/dev/null; then
    root='sudo -n'
else
    fail "pw.x is not installed, and installing it needs root; $ELSEWHERE"
fi

say "installing $PACKAGES"
# shellcheck disable=SC2086 - the words are meant to be split
{
    $root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $PACKAGES
} >/dev/null || fail "apt-get failed; $ELSEWHERE"
is_there pw.x || fail "apt-get did not put pw.x on the PATH; $ELSEWHERE"
say "pw.x is installed: $(command -v pw.x)"
