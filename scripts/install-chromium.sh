#!/bin/sh
# Install Chromium, in which the tests open the page of a campaign.
set -eu

if command -v chromium >/dev/null 2>&1; then
    echo 'install: Chromium is installed'
    exit 0
fi
echo 'install: Chromium'
root=''
[ "$(id -u)" = 0 ] || root='sudo -n'
{
    $root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium
} >/dev/null || {
    printf 'install: apt-get failed; install chromium.\n' >&2
    exit 1
}
