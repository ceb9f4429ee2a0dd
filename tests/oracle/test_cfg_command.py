# SPDX-License-Identifier: GPL-2.0-or-later
"""The `cfg` command: the order of its options, its formats, streams and exit statuses."""

import json
import os
import pathlib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
RUNNER = pathlib.Path(os.environ.get("VT_RUNNER", BUILD / "bin/avocado-runner-vt"))

pytestmark = pytest.mark.skipif(not RUNNER.exists(), reason="%s is not built" % RUNNER)

TWO = "variants:\n  - @a:\n  - b: a\nk = 1\n"


def cfg(*arguments, text=None, cwd=None):
    """Runs the command; returns exit status, standard output, standard error."""
    done = subprocess.run([str(RUNNER), "cfg", *arguments], input=text, capture_output=True, text=True, cwd=cwd,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def test_formats():
    assert cfg("-", text=TWO) == (0, "\nb\n", "")
    assert cfg("-", "--format", "full-names", text=TWO) == (0, "a\nb\n", "")
    assert cfg("-", "--count", text=TWO) == (0, "2\n", "")
    lines = cfg("-", "--format", "jsonl", text=TWO)[1].splitlines()
    assert lines[1] == ('{"_name_map_file":{"<string>":"b"},"_short_name_map_file":{"<string>":"b"},"dep":["a"],"k":"1",'
                        '"name":"b","shortname":"b"}')
    text = cfg("-", "--only", "b", "--format", "text", text=TWO)[1]
    assert text.startswith("dict    1:  b\n    _name_map_file = {'<string>': 'b'}\n")
    assert "    dep = ['a']\n    k = 1\n    name = b\n" in text


def test_options_act_in_their_order(tmp_path):
    (tmp_path / "one.cfg").write_text(TWO, encoding="utf-8")
    (tmp_path / "two.cfg").write_text("k += ,two\n", encoding="utf-8")
    _, out, _ = cfg("--set", "x=0", "one.cfg", "--set", "k=${k}${x}", "--only", "b", "two.cfg", "--set", "x=${k}",
                    "--format", "jsonl", cwd=tmp_path)
    (only,) = [json.loads(line) for line in out.splitlines()]
    assert (only["k"], only["x"]) == ("10,two", "10,two")


def test_defaults():
    assert cfg("-", "--defaults", "--format", "full-names", text=TWO)[1] == "a\n"
    named = "variants v:\n  - @a:\n  - b:\n"
    assert cfg("-", "--defaults", "--expand", "v", "--count", text=named)[1] == "2\n"


def test_errors_and_statuses(tmp_path):
    status, out, err = cfg("-", text="k = 1\n  only a,,b\n")
    assert (status, out) == (1, "")
    assert err.startswith("<stdin>:2:10: ")
    assert cfg("nofile.cfg", cwd=tmp_path)[0] == 1
    assert cfg("-", "--only", "zz", text=TWO)[:2] == (0, "")
    for usage in (["-", "--set", "nonsense"], ["-", "--format", "xml"], [], ["-", "--nonsense"]):
        assert cfg(*usage, text="")[0] == 2, usage


def test_a_late_error_comes_after_what_was_right():
    status, out, err = cfg("-", "--format", "jsonl", text="variants:\n  - a:\n  - b:\n    x = y\nx_max = 3\n")
    assert status == 1 and out.count("\n") == 1 and "x_max" in err


def test_output_streams_and_a_closed_pipe_is_quiet():
    blocks = "".join("variants:\n" + "".join("  - n%d_%d:\n" % (block, i) for i in range(40)) for block in range(6))
    begin = time.monotonic()
    process = subprocess.Popen([str(RUNNER), "cfg", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdin.write(blocks.encode())
    process.stdin.close()
    assert process.stdout.readline() == b"n5_0.n4_0.n3_0.n2_0.n1_0.n0_0\n"
    assert time.monotonic() - begin < 5  # all of them are four thousand million
    process.stdout.close()
    assert process.wait(10) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_cache(tmp_path):
    (tmp_path / "one.cfg").write_text(TWO, encoding="utf-8")
    first = cfg("one.cfg", "--cache", "cache", "--format", "jsonl", cwd=tmp_path)
    assert first[0] == 0 and len(list((tmp_path / "cache").iterdir())) == 1
    assert cfg("one.cfg", "--cache", "cache", "--format", "jsonl", cwd=tmp_path)[1] == first[1]
    (tmp_path / "one.cfg").write_text(TWO + "k = 2\n", encoding="utf-8")
    assert '"k":"2"' in cfg("one.cfg", "--cache", "cache", "--format", "jsonl", cwd=tmp_path)[1]


def test_explain_and_lint(tmp_path):
    (tmp_path / "one.cfg").write_text(TWO + "b: k = 2\nno zz\n", encoding="utf-8")
    status, out, _ = cfg("explain", "one.cfg", "--test", "b", "k", cwd=tmp_path)
    assert status == 0
    assert "x one.cfg:4:1: k = 1  (overwritten)" in out and "one.cfg:5:1: b: k = 2" in out
    status, out, _ = cfg("explain", "one.cfg", "--test", "c", cwd=tmp_path)
    assert status == 1 and "no variant 'c'" in out
    status, out, _ = cfg("lint", "one.cfg", cwd=tmp_path)
    assert status == 1 and out.startswith("one.cfg:6:4: ") and "[filter-matches-nothing]" in out
    status, out, _ = cfg("lint", "one.cfg", "--format", "json", cwd=tmp_path)
    assert json.loads(out)[0]["rule"] == "filter-matches-nothing"
    (tmp_path / "two.cfg").write_text(TWO, encoding="utf-8")
    assert cfg("lint", "two.cfg", cwd=tmp_path) == (0, "", "")


def test_explain_takes_a_filter_that_one_test_matches(tmp_path):
    (tmp_path / "many.cfg").write_text("variants:\n  - x:\n  - y:\nvariants:\n  - p:\n    k = 1\n  - q:\n", encoding="utf-8")
    status, out, _ = cfg("explain", "many.cfg", "--test", "x..p", "k", cwd=tmp_path)
    assert status == 0 and out.startswith("p.x\n") and "many.cfg:6:5: k = 1" in out
    status, out, _ = cfg("explain", "many.cfg", "--test", "p", "k", cwd=tmp_path)
    assert status == 1 and "matches 2 tests" in out and "near: p.y" in out
    status, out, _ = cfg("explain", "many.cfg", "--test", "p..", "--no", "p", cwd=tmp_path)
    assert status == 1 and "no test 'p..' comes out" in out
