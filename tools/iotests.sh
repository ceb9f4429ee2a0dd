#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fetches QEMU's own block tests (tests/qemu-iotests) from the distribution's source package into DIR, by default
# build/iotests: scripts, expected outputs, sample images, and Python's package "qemu" as it was there.
# Exit status 77: apt cannot serve sources here (the reason is on standard error). Needs dpkg-dev.
# The host's apt configuration is left alone: lists, cache and sources are private to DIR.
set -eu
top=$(dirname "$(dirname "$(readlink -f "$0")")")
dir=${1:-$top/build/iotests}
suite=${2:-$(. /etc/os-release && echo "${VERSION_CODENAME:-}")}

unavailable() {
    echo "iotests.sh: $*" >&2
    exit 77
}

[ -d "$dir/tests/qemu-iotests" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg-source >/dev/null || unavailable "no apt-get or no dpkg-source here: point at the tests/qemu-iotests of a QEMU source tree instead"
[ -n "$suite" ] || unavailable "/etc/os-release names no suite"

apt=$dir/.apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
# The archives that this machine has its packages from, asked for their sources.
here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Component: main' | sort -u |
    sed -n "s/^\([^ ]*\) $here\(-security\)\{0,1\}\$/deb-src \1 $suite\2 main/p" > "$apt/sources.list"
[ -s "$apt/sources.list" ] || unavailable "apt has no archive of $here, so that none can be asked for sources"
cat > "$apt/apt.conf" <<EOF
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "$apt/parts";
EOF
export APT_CONFIG="$apt/apt.conf"
cd "$apt"
apt-get -q update >&2 || unavailable "apt-get update failed"
apt-get -q source --download-only qemu >&2 || unavailable "apt-get source qemu failed"

tree=$apt/tree
rm -rf "$tree"
# The whole tree, with the distribution's patches; all but two folders of it goes at once.
dpkg-source --no-check --extract qemu_*.dsc "$tree" >&2
cd "$dir"
mv "$tree/python" "$dir/python"
mkdir -p "$dir/tests"
mv "$tree/tests/qemu-iotests" "$dir/tests/qemu-iotests"
rm -rf "$apt"
echo "iotests.sh: the tests are in $dir/tests/qemu-iotests" >&2
