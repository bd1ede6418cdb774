#!/bin/sh
# See to it that the programs of PostgreSQL and RabbitMQ are there; no server of the system is set up or started.
# What is there is left as it is. Otherwise Debian's and Ubuntu's packages are installed, if that is possible.
set -eu

PACKAGES='rabbitmq-server'
POLICY=/usr/sbin/policy-rc.d
ELSEWHERE="install the programs of a RabbitMQ server: on Debian and Ubuntu 'apt-get install $PACKAGES' as root; \
elsewhere 'conda install -c conda-forge rabbitmq-server'."

say() { printf 'services: %s\n' "$1"; }

fail() {
    printf 'services: %s\n' "$1" >&2
    exit 1
}

is_there() { command -v "$1" >/dev/null 2>&1; }

# The program itself: the one that Debian puts on the PATH asks for root, and then is one system-wide server.
find_broker() {
    if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
        printf '%s' /usr/lib/rabbitmq/bin/rabbitmq-server
    else
        command -v rabbitmq-server || true
    fi
}

can_be_root() { [ "$(id -u)" = 0 ] || { is_there sudo && sudo -n true 2>/dev/null; }; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian starts what it installs, unless this says no. One that is there already is its owner's business.
forbid_starting() {
    [ ! -e "$POLICY" ] || return 0
    trap 'as_root rm -f "$POLICY"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | as_root sh -c "umask 022; cat >$POLICY; chmod 755 $POLICY"
}

# Where nobody can be root, the installation below says what to do.
if ! can_be_root; then
    :
elif [ -z "$(find_broker)" ] || ! { is_there postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }; then
    forbid_starting
fi

"$(dirname "$0")/../scripts/install-postgres.sh"

if [ -n "$(find_broker)" ]; then
    say "RabbitMQ is there: $(find_broker)"
    exit 0
fi
is_there apt-get || fail "there is no RabbitMQ, and no apt-get to install it with; $ELSEWHERE"
can_be_root || fail "there is no RabbitMQ, and installing it needs root; $ELSEWHERE"

say "installing $PACKAGES"
# shellcheck disable=SC2086 - the words are meant to be split
{
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $PACKAGES
} >/dev/null || fail "apt-get failed; $ELSEWHERE"
[ -n "$(find_broker)" ] || fail "apt-get left no RabbitMQ; $ELSEWHERE"
say "RabbitMQ is there: $(find_broker)"
