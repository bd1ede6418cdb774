#!/bin/sh
# Make sure that the programs of the named services are installed, by default of all: postgresql, rabbitmq, slurm, ssh.
# No system server is set up or started. Existing installations are kept. Otherwise the packages of Debian or Ubuntu are
# installed, if possible.
set -eu

[ $# -gt 0 ] || set -- postgresql rabbitmq slurm ssh
for name in "$@"; do
    case $name in
    postgresql | rabbitmq | slurm | ssh) ;;
    *)
        printf 'services: %s: no such service; the services are postgresql, rabbitmq, slurm, ssh\n' "$name" >&2
        exit 2
        ;;
    esac
done
wanted=" $* "

POLICY=/usr/sbin/policy-rc.d

say() { printf 'services: %s\n' "$1"; }

fail() {
    printf 'services: %s\n' "$1" >&2
    exit 1
}

# On Debian, servers are not on the PATH of users other than root.
find_program() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" || true; }

# The server itself: Debian's wrapper on the PATH needs root, and starts the system-wide server.
find_broker() {
    if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
        printf '%s' /usr/lib/rabbitmq/bin/rabbitmq-server
    else
        command -v rabbitmq-server || true
    fi
}

is_wanted() { case $wanted in *" $1 "*) ;; *) return 1 ;; esac }

has_postgres() { [ -n "$(find_program postgres)" ] || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; }

# Print one line for each missing package; PostgreSQL has its own script.
missing_packages() {
    programs=''
    ! is_wanted slurm || programs='slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client munged:munge'
    ! is_wanted ssh || programs="$programs sshd:openssh-server"
    ! is_wanted rabbitmq || [ -n "$(find_broker)" ] || echo rabbitmq-server
    for program in $programs; do
        [ -n "$(find_program "${program%%:*}")" ] || echo "${program#*:}"
    done
}

# Services that Debian would start at every boot from now on.
disable() {
    [ -n "$(find_program systemctl)" ] || return 0
    for unit in "$@"; do
        [ "$unit" != openssh-server ] || unit=ssh
        as_root systemctl disable --quiet "$unit" 2>/dev/null || true
    done
}

can_be_root() { [ "$(id -u)" = 0 ] || { [ -n "$(find_program sudo)" ] && sudo -n true 2>/dev/null; }; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian starts what it installs, unless this policy forbids it. An existing policy is left alone.
forbid_starting() {
    [ ! -e "$POLICY" ] || return 0
    trap 'as_root rm -f "$POLICY"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | as_root sh -c "umask 022; cat >$POLICY; chmod 755 $POLICY"
}

packages=$(missing_packages | tr '\n' ' ')

# Without root, the installation below says what to do.
lacks_postgres() { is_wanted postgresql && ! has_postgres; }
if { [ -n "$packages" ] || lacks_postgres; } && can_be_root; then
    forbid_starting
fi

if is_wanted postgresql; then
    "$(dirname "$0")/../scripts/install-postgres.sh"
fi

if [ -n "$packages" ]; then
    elsewhere="install them: on Debian and Ubuntu 'apt-get install $packages' as root; elsewhere RabbitMQ with \
'conda install -c conda-forge rabbitmq-server', Slurm, MUNGE and an SSH server from your distribution."
    [ -n "$(find_program apt-get)" ] || fail "missing: $packages, and no apt-get to install with; $elsewhere"
    can_be_root || fail "missing: $packages, and installing needs root; $elsewhere"
    say "installing $packages"
    # shellcheck disable=SC2086 - the words are meant to be split
    {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
    } >/dev/null || fail "apt-get failed; $elsewhere"
    # shellcheck disable=SC2086
    disable $packages
    left=$(missing_packages | tr '\n' ' ')
    [ -z "$left" ] || fail "apt-get did not install: $left; $elsewhere"
fi
! is_wanted rabbitmq || say "RabbitMQ is installed: $(find_broker)"
! is_wanted slurm || say "Slurm is installed: $(find_program slurmctld)"
! is_wanted ssh || say "SSH is installed: $(find_program sshd)"
