#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs every test and ends with one line of counts. Exit status 0 if nothing failed.
set -u
cd "$(dirname "$0")/.."
. tools/say.sh
build=$PWD/build
passed=0
failed=0
skipped=0

# The number in front of a word: "3 passed, 1 failed in 2s" and the like.
count() {
    grep -o "[0-9]* $1" "$2" | tail -n 1 | cut -d ' ' -f 1 | grep . || echo 0
}

step "Unit tests"
ctest --preset release -V -j 2 --no-tests=error >"$build/ctest.log" 2>&1
ctest_status=$?
# doctest's line: [doctest] test cases:  6 |  6 passed | 0 failed | 0 skipped
eval "$(sed -n 's/.*test cases: *[0-9]* | *\([0-9]*\) passed | *\([0-9]*\) failed | *\([0-9]*\) skipped.*/\1 \2 \3/p' \
    "$build/ctest.log" | awk '{ p += $1; f += $2; s += $3 } END { printf "p=%d f=%d s=%d", p, f, s }')"
# A test program that died has no such line.
if [ "$ctest_status" != 0 ] && [ "$f" = 0 ]; then
    f=1
fi
grep -E "tests passed|\*\*\*" "$build/ctest.log"
if [ "$f" != 0 ]; then
    grep -vE "^[0-9]+: *$" "$build/ctest.log" | grep -E -B 12 -A 6 "ERROR:|\*\*\*|SIG" | head -n 200
fi
passed=$((passed + p))
failed=$((failed + f))
skipped=$((skipped + s))

step "Upstream Avocado-VT, to compare with (build/peer)"
if ! tools/peer.sh; then
    failed=$((failed + 1))
fi

step "Tests across layers (pytest tests/)"
PEER_SITE=$(echo "$build"/peer/lib/python3*/site-packages)
export PEER_SITE
PATH="$build/release/bin:$PATH" "$build/venv/bin/python3" -m pytest -q -ra -n 2 --dist loadfile --durations 40 tests 2>&1 | tee "$build/pytest.log"
if ! grep -qE "[0-9]+ (passed|failed|skipped|error)" "$build/pytest.log"; then
    failed=$((failed + 1))
fi
passed=$((passed + $(count passed "$build/pytest.log")))
failed=$((failed + $(count failed "$build/pytest.log") + $(count "errors\{0,1\}" "$build/pytest.log")))
skipped=$((skipped + $(count skipped "$build/pytest.log")))

# A skip hides a test as surely as a deletion, so each has to be on the list.
unexpected=$(grep '^SKIPPED' "$build/pytest.log" | grep -vFf tests/allowed-skips.txt)
if [ -n "$unexpected" ]; then
    printf 'Skipped, but not on the list tests/allowed-skips.txt:\n%s\n' "$unexpected"
    failed=$((failed + 1))
fi

step "Fuzzers, a few seconds each (build/fuzz)"
if tools/fuzz.sh 5; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
fi

step "Format"
if make -s format-check; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
fi

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
