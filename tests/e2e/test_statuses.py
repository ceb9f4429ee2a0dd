# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way in which a test can end, under real Avocado: status, reason, and that the log so far is kept.

One job runs all of the provider `statuses` that needs no machine; the tests here look at its results.
"""

import json
import re

import pytest

# Name of the variant, status, what the reason says (whole, as a regular expression).
PYTHON = [
    ("passes", "PASS", None),
    ("fails", "FAIL", "the guest's clock stands still"),
    ("errors", "ERROR", "the lamp is broken"),
    ("cancels", "CANCEL", "this host is too small"),
    ("skips", "SKIP", "not on a Saturday"),
    ("skip_error", "SKIP", "only for guests with two heads"),
    ("warns", "WARN", "it works, but it smokes"),
    ("not_applicable", "ERROR", r"AttributeError: .*TestNAError' \(raises.py:\d+\)"),
    ("base_exception_of_avocado", "FAIL", "the root of them all"),
    ("setup_fail", "ERROR", "the table is not laid"),
    ("missing_parameter", "SKIP", ".*'length_of_the_rope' is missing.*"),
    ("asserts", "ERROR", r"AssertionError: the answer is 41 \(raises.py:\d+\)"),
    ("asserts_silently", "ERROR", r"AssertionError \(raises.py:\d+\)"),
    ("test_assertion", "ERROR", r"AssertionError: 1 != 2 : sums do not match \(raises.py:\d+\)"),
    ("value_error", "ERROR", r"ValueError: invalid literal for int\(\) with base 10: 'seven' \(raises.py:\d+\)"),
    ("two_lines", "ERROR", r"ValueError: first line second line third line \(raises.py:\d+\)"),
    ("unprintable", "ERROR", r"Unprintable, whose text cannot be had: .*"),
    ("unittest_skip", "ERROR", r"SkipTest: says unittest \(raises.py:\d+\)"),
    ("system_exit", "ERROR", r"the test ended itself by sys.exit\(0\) \(raises.py:\d+\)"),
    ("system_exit_words", "ERROR", r"the test ended itself by sys.exit\(I am leaving\) \(raises.py:\d+\)"),
    ("keyboard_interrupt", "INTERRUPTED", r"KeyboardInterrupt \(raises.py:\d+\)"),
    ("os_exit_0", "ERROR", r"The test's process ended before the test did: exit status 0\b.* before: os_exit_0.*"),
    ("os_exit_3", "ERROR", r"The test's process ended before the test did: exit status 3\b.* before: os_exit_3.*"),
    ("segfault", "ERROR", r"The test's process ended before the test did: killed by SIGSEGV\b.*before: segfault.*"),
    ("abort", "ERROR", r"The test's process ended before the test did: killed by SIGABRT\b.*before: abort.*"),
    ("kills_itself", "ERROR", r"The test's process ended before the test did: killed by SIGKILL\b.*"),
    ("recursion", "ERROR", r"RecursionError: maximum recursion depth exceeded.* \(raises.py:\d+\)"),
    ("out_of_memory", "ERROR", r"MemoryError \(raises.py:\d+\)"),
    ("loops", "INTERRUPTED", "Test interrupted: it took longer than its test_timeout of 3 s"),
    ("loops_deaf", "INTERRUPTED", "Test interrupted: it took longer than its test_timeout of 3 s"),
    ("leaves_thread", "PASS", None),
    ("leaves_busy_thread", "PASS", None),
    ("leaves_child", "PASS", None),
    ("leaves_daemon", "PASS", None),
    ("forks", "PASS", None),
    ("forked_child_returns", "PASS", None),
    ("huge_output", "PASS", None),
    ("one_long_line", "PASS", None),
    ("not_utf8", "FAIL", r"naïve \\udcff reason"),
    ("bytes_on_stdout", "PASS", None),
    ("closes_descriptors", "ERROR", "The test's process ended before the test did: .*"),
    ("changes_directory", "PASS", None),
    ("reports_background_error", "ERROR", "1 background error, the first: OSError: the cable was pulled .*"),
    ("whiteboard", "PASS", None),
]
NATIVE = [
    ("passes", "PASS", None),
    ("fails", "FAIL", "the guest's clock stands still"),
    ("errors", "ERROR", "the lamp is broken"),
    ("cancels", "CANCEL", "this host is too small"),
    ("skips", "SKIP", "not on a Saturday"),
    ("warns", "WARN", "it works, but it smokes"),
    ("missing_parameter", "SKIP", ".*'length_of_the_rope' is missing.*"),
    ("throws", "ERROR", "the index is beyond the end"),
    ("throws_number", "ERROR", "something was thrown that is no exception"),
    ("terminates", "ERROR", r"The test's process ended before the test did: killed by SIGABRT\b.*in a thread"),
    ("aborts", "ERROR", r"The test's process ended before the test did: killed by SIGABRT\b.*before: aborts"),
    ("segfaults", "ERROR", r"The test's process ended before the test did: killed by SIGSEGV\b.*before: segfaults"),
    ("exits", "ERROR", r"The test's process ended before the test did: exit status 4\b.*before: exits"),
    ("loops", "INTERRUPTED", "Test interrupted: it took longer than its test_timeout of 3 s"),
    ("no_such_vm", "ERROR", "there is no VM 'vm9' in the environment; there are none"),
]
FILES = [
    ("no_run", "ERROR", r".*file_no_run\.py has no function run\(test, params, env\)"),
    ("run_no_function", "ERROR", r".*file_run_no_function\.py: its run is no function but str"),
    ("run_wrong_arguments", "ERROR", r"TypeError: run\(\) takes 1 positional argument but 3 were given.*"),
    ("syntax_error", "ERROR", r"file_syntax_error\.py does not compile: expected ':' \(line 2\)"),
    ("import_raises", "ERROR", r"RuntimeError: not today \(file_import_raises\.py:2\)"),
    ("import_missing", "ERROR", r"ModuleNotFoundError: .*'no_such_module_anywhere' \(file_import_missing\.py:2\)"),
    ("import_exits", "ERROR", r"The test's process ended before the test did: exit status 5\b.*"),
    ("nowhere", "ERROR", r"There is no test file fil_no_run\.py or fil_no_run\.so in .*; near it are .*file_no_run.*"),
    ("path", "ERROR", r"'\.\./\.\./\.\./etc/passwd' in the parameter 'type' is no test's name"),
    ("empty_type", "ERROR", r"The parameter 'type' is empty.*"),
    ("two_types", "PASS", None),
    ("one_of_two_missing", "ERROR", r"There is no test file file_third\.py or file_third\.so in .*"),
    ("so_no_library", "ERROR", r"the test .*file_so_no_library\.so cannot be loaded: .*"),
    ("so_no_entry", "ERROR", r".*file_so_no_entry\.so is a shared object but no test: .*VT_TEST.*"),
    ("so_missing_symbol", "ERROR", r"the test .* cannot be loaded: .*undefined symbol: function_that_nobody_has"),
    ("so_other_version", "ERROR", r"the test .* was built for version 4711 of the test API, .* has version 1.*"),
]
EXPECTED = [
    (f"{group}.{name}", status, reason)
    for group, rows in (("raises", PYTHON), ("native_raises", NATIVE), ("files", FILES))
    for name, status, reason in rows
]


@pytest.fixture(scope="module")
def job(site):
    """All of them, as one job."""
    done = site.run("raises", "native_raises", "files", parallel=2, timeout=300)
    assert done.tests, done.output
    return done


@pytest.mark.parametrize("name, status, reason", EXPECTED, ids=[row[0] for row in EXPECTED])
def test_status_and_reason(job, name, status, reason):
    test = job.test("statuses." + name)
    assert test.status == status, test.reason
    if reason is None:
        assert test.reason in ("", "<unknown>")
    else:
        assert "\n" not in test.reason
        assert re.fullmatch(reason, test.reason), test.reason


def test_none_is_missing_or_extra(job):
    expected = {"statuses." + name for name, _, _ in EXPECTED}
    assert {test.name for test in job.tests} == expected
    assert job.returncode == 9  # tests failed, and some were interrupted


@pytest.mark.parametrize("name", ["os_exit_0", "os_exit_3", "segfault", "abort", "kills_itself", "loops_deaf"])
def test_the_log_so_far_is_kept(job, name):
    log = job.test(f"statuses.raises.{name}").log
    assert f"before: {name}" in log
    assert f"a warning of {name}" in log
    assert f"printed before: {name}" in log
    assert f"how = {name}" in log  # the parameters
    assert f"after: {name}" not in log


@pytest.mark.parametrize("name", ["fails", "errors", "asserts", "value_error"])
def test_the_traceback_is_in_the_log(job, name):
    log = job.test(f"statuses.raises.{name}").log
    assert "Traceback (most recent call last):" in log
    assert re.search(rf'File ".*raises\.py", line \d+, in {name}', log)
    assert "_vtglue" not in log.partition("Traceback")[2], "our own frames are of no interest"


def test_a_failed_test_took_no_longer_than_its_limit(job):
    for name in ("raises.loops", "raises.loops_deaf", "native_raises.loops"):
        assert job.test(f"statuses.{name}").time < 20


def test_what_stays_behind_does_not_hold_the_job(job, site):
    for name in ("leaves_thread", "leaves_busy_thread", "leaves_child", "leaves_daemon"):
        assert job.test(f"statuses.raises.{name}").time < 20
    assert site.no_process_within(2) < 2
    site.runner("reap")
    assert site.leftovers() == []


def test_huge_output_is_whole(job):
    stdout = job.test("statuses.raises.huge_output").file("stdout")
    assert stdout.count(b"0123456789" * 10 + b"\n") == 200_000
    # A line without an end goes in parts, since Avocado wants whole lines.
    assert job.test("statuses.raises.one_long_line").file("stdout").count(b"x") == 3 << 20


def test_output_that_is_not_utf8(job):
    """It is in the files as it came; Avocado's xunit plugin would not survive it in the log of a test that failed."""
    test = job.test("statuses.raises.bytes_on_stdout")
    assert b"caf\xe9 \xff\x00\xfe\n" in test.file("stdout")
    assert test.file("stderr") == b"\xc3\x28 on stderr\n"
    assert "a lone surrogate: " in job.test("statuses.raises.not_utf8").log


def test_background_errors_have_a_file(job):
    assert b"the cable was pulled" in job.test("statuses.raises.reports_background_error").file("background-error.log")


def test_the_whiteboard(job):
    assert "chalk & <b>cheese</b>" in job.test("statuses.raises.whiteboard").whiteboard


def test_all_words_of_type_run_in_one_environment(job):
    log = job.test("statuses.files.two_types").log
    assert log.index("the first ran") < log.index("the second ran")


def test_reports_are_whole(job):
    """The job's own reports were written, however strange the tests' output was."""
    assert "Error running method" not in job.output
    summary = json.loads((job.dir / "results.json").read_text())
    assert summary["total"] == len(EXPECTED)
    assert (job.dir / "results.xml").read_text().count("<testcase ") == len(EXPECTED)
    html = (job.dir / "results.html").read_text()
    for name, _, _ in EXPECTED:
        assert f"statuses.{name}" in html
    assert "<b>cheese</b>" not in html.replace("&lt;b&gt;cheese", "")
