#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages that are missing: as root, or through sudo; else names them and stops.
set -eu
cd "$(dirname "$0")/.."
. tools/say.sh

command -v dpkg-query >/dev/null || fail "This is no Debian system: install what packaging/debian-packages.txt lists by \
the names of your distribution, then use cmake as CMakePresets.json has it."

missing=
for package in $(grep -v '^#' packaging/debian-packages.txt); do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    echo "All packages are there."
    exit 0
fi

echo "Missing:$missing"
if [ "$(id -u)" = 0 ]; then
    sudo=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo=sudo
else
    fail "Neither root nor sudo: have these installed, then go on with the same command:
    apt-get install --no-install-recommends$missing"
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q
# shellcheck disable=SC2086
$sudo apt-get install -q -y --no-install-recommends $missing
