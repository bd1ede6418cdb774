#!/bin/sh
# Make sure that the programs of a PostgreSQL server are installed; no server is set up or started.
# An existing installation is kept. Otherwise the package of Debian or Ubuntu is installed, if possible.
set -eu

PACKAGES='postgresql'
ELSEWHERE="install the programs of a PostgreSQL server, initdb and postgres: on Debian and Ubuntu \
'apt-get install $PACKAGES' as root; elsewhere 'conda install -c conda-forge postgresql'."

say() { printf 'install: %s\n' "$1"; }

fail() {
    printf 'install: %s\n' "$1" >&2
    exit 1
}

is_there() { command -v "$1" >/dev/null 2>&1; }

# On Debian they are not on the PATH.
find_server() {
    for program in /usr/lib/postgresql/*/bin/postgres; do
        if [ -x "$program" ]; then
            printf '%s' "$program"
            return
        fi
    done
    command -v postgres || true
}

found=$(find_server)
if [ -n "$found" ]; then
    say "PostgreSQL is installed: $found"
    exit 0
fi

is_there apt-get || fail "PostgreSQL is not installed, and there is no apt-get to install it with; $ELSEWHERE"
if [ "$(id -u)" = 0 ]; then
    root=''
elif is_there sudo && sudo -n true 2>/dev/null; then
    root='sudo -n'
else
    fail "PostgreSQL is not installed, and installing it needs root; $ELSEWHERE"
fi

say "installing $PACKAGES"
# shellcheck disable=SC2086 - the words are meant to be split
{
    $root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $PACKAGES
} >/dev/null || fail "apt-get failed; $ELSEWHERE"
found=$(find_server)
[ -n "$found" ] || fail "apt-get did not install PostgreSQL; $ELSEWHERE"
say "PostgreSQL is installed: $found"
