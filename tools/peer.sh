#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes build/peer, a virtual environment with upstream Avocado-VT: what tests and benchmarks compare with. The product
# itself never uses it.
set -eu
cd "$(dirname "$0")/.."
. tools/say.sh
peer=$PWD/build/peer
wanted="avocado-framework==113.0 avocado-framework-plugin-vt==113.0 aexpect==1.8.0 setuptools<81"
if [ "$(cat "$peer/wanted" 2>/dev/null)" != "$wanted" ]; then
    echo "Making $peer (upstream Avocado-VT 113 from PyPI, to compare with)"
    rm -rf "$peer"
    /usr/bin/python3 -m venv "$peer"
    # shellcheck disable=SC2086
    "$peer/bin/python3" -m pip install -q --disable-pip-version-check $wanted
    echo "$wanted" >"$peer/wanted"
fi
