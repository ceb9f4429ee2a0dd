#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# tools/fuzz.sh SECONDS: builds the libFuzzer targets with ASan and UBSan and runs each for SECONDS from its seeds.
set -eu
cd "$(dirname "$0")/.."
. tools/say.sh
seconds=${1:?usage: tools/fuzz.sh SECONDS}
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >build/fuzz-configure.log
targets=$(for file in tests/fuzz/*_fuzz.cpp; do basename "$file" .cpp; done)
# shellcheck disable=SC2086
cmake --build --preset fuzz --target $targets >build/fuzz-build.log || {
    tail -n 40 build/fuzz-build.log
    exit 1
}
for target in $targets; do
    seeds=tests/fuzz/seeds/${target%_fuzz}
    found=build/fuzz/found/$target
    mkdir -p "$found"
    printf '%s: ' "$target"
    # shellcheck disable=SC2046
    if build/fuzz/tests/"$target" -max_total_time="$seconds" -timeout=20 -artifact_prefix="$found/" \
        "$found" $([ -d "$seeds" ] && echo "$seeds") >"build/$target.log" 2>&1; then
        grep -E '^Done' "build/$target.log"
    else
        tail -n 60 "build/$target.log"
        fail "$target found something: $found"
    fi
done
