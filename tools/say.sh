# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the other scripts: one way to speak.

step() {
    printf '\n== %s  %s\n' "$(date +%T)" "$*"
}

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}
