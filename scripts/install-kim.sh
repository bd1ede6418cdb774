#!/bin/sh
# Install the KIM API and a LAMMPS that reads its models, which the tests need; Debian's LAMMPS has no plugins.
set -eu

PACKAGES='libkim-api-dev lammps cmake g++'

say() { printf 'install: %s\n' "$1"; }

if command -v kim-api-collections-management >/dev/null 2>&1 && [ -x /usr/bin/lmp ]; then
    say 'the KIM API and a LAMMPS with it are installed'
    exit 0
fi
say "installing $PACKAGES"
root=''
[ "$(id -u)" = 0 ] || root='sudo -n'
# shellcheck disable=SC2086 - the words are meant to be split
{
    $root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $PACKAGES
} >/dev/null || {
    printf 'install: apt-get failed; install the KIM API 2.2 or newer with its headers, and a LAMMPS with KIM.\n' >&2
    exit 1
}
