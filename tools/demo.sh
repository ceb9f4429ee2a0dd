#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# From a fresh clone to a test in a real guest; each step does only what is missing.
set -eu
cd "$(dirname "$0")/.."
. tools/say.sh

step "1/5 Packages (packaging/debian-packages.txt)"
tools/deps.sh
step "2/5 Build (build/release)"
make -s build
step "3/5 Avocado and the plugin (build/venv)"
tools/venv.sh
step "4/5 Bootstrap: config set and guest image (build/data/avocado-vt)"
build/avocado vt-bootstrap --vt-type qemu
step "5/5 build/avocado run --vt-type qemu uptime"
build/avocado run --vt-type qemu uptime || {
    status=$?
    fail "The test did not pass; its log: build/job-results/latest/test-results/*/debug.log"
    exit $status
}
report=$(readlink -f build/job-results/latest)/results.html
[ -f "$report" ] && printf '\nHTML report: file://%s\n' "$report"
cat <<'END'
Next, try:
    build/avocado list --vt-type qemu
    build/avocado run --vt-type qemu uptime_native noop_native
    build/avocado run --vt-type qemu --vt-guest-os JeOS.mini-direct uptime
END
