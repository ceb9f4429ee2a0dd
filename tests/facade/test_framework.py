# SPDX-License-Identifier: GPL-2.0-or-later
"""VPP's framework: every name of it, without a daemon; with scapy's packets; the names that VPP's own tests use.

Environment: VT_BUILD (build directory, default build/release), VPP_TESTS (a copy of VPP's `test` directory of December 2018),
SCAPY_PYTHON (a python3 that has scapy, default Debian's).
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
OURS = BUILD / "lib/avocado-runner-vt/python"
HERE = pathlib.Path(__file__).resolve().parent
VPP_TESTS = pathlib.Path(os.environ.get("VPP_TESTS", ROOT / "build/vpp/test"))
SCAPY = os.environ.get("SCAPY_PYTHON", "/usr/bin/python3")
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{OURS}:{OURS}/_packet"}

#: Every name that the framework defines, by where; a leading _ is part of some.
FRAMEWORK = """pump_output is_skip_aarch64_set is_platform_aarch64 running_extended_tests running_on_centos KeepAliveReporter
    VppTestCase get_testcase_doc_name get_test_description TestCaseInfo VppTestResult VppTestRunner Worker PASS FAIL ERROR SKIP
    TEST_RUN debug_framework _PacketInfo""".split()
CASE = """CLI_LISTEN_DEFAULT config packet_infos get_packet_count_for_if_idx instance set_debug_flags get_least_used_cpu print_header
    setUpConstants wait_for_enter run_vpp wait_for_stats_socket setUpClass quit tearDownClass tearDown setUp pg_enable_capture
    register_capture pg_start create_pg_interfaces create_loopback_interfaces extend_packet reset_packet_infos create_packet_info
    info_to_payload payload_to_info get_next_packet_info get_next_packet_info_for_interface get_next_packet_info_for_interface2
    assert_equal assert_in_range assert_packet_checksums_valid assert_checksum_valid assert_ip_checksum_valid
    assert_tcp_checksum_valid assert_udp_checksum_valid assert_embedded_icmp_checksum_valid assert_icmp_checksum_valid
    assert_icmpv6_checksum_valid assert_packet_counter_equal sleep send_and_assert_no_replies send_and_expect
    send_and_expect_only""".split()
RESULT = """failed_test_cases_info core_crash_test_cases_info current_test_case_info addSuccess addSkip symlink_failed
    send_result_through_pipe log_error add_error addFailure addError getDescription startTest stopTest printErrors
    printErrorList""".split()

pytestmark = pytest.mark.skipif(not OURS.exists(), reason="the Python modules are missing")


def names_of(file):
    return re.findall(r"^    def (test_\w+)\(", (HERE / file).read_text(encoding="utf-8"), re.MULTILINE)


def outcomes_of(python, file, place):
    """Runs a suite once; the outcome of each test by its name, and the output."""
    done = subprocess.run(
        [python, "-X", "faulthandler", str(HERE / file), "-v"], env={**ENVIRONMENT, "TMPDIR": str(place)},
        cwd=place, capture_output=True, text=True, timeout=300, check=False)
    found = dict(re.findall(r"^(test_\w+) \(.*\)(?:\n.*)? \.\.\. (?:.*\n)*?(ok|FAIL|ERROR)$", done.stderr, re.MULTILINE))
    return found, done.stdout + done.stderr


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return outcomes_of("/usr/bin/python3", "packet_suite.py", tmp_path_factory.mktemp("packets"))


@pytest.fixture(scope="module")
def with_scapy(tmp_path_factory):
    if subprocess.run([SCAPY, "-c", "import scapy.layers.inet6"], capture_output=True, check=False).returncode:
        pytest.skip(f"no scapy at hand for {SCAPY}")
    return outcomes_of(SCAPY, "packet_scapy_suite.py", tmp_path_factory.mktemp("scapy"))


@pytest.mark.parametrize("name", names_of("packet_suite.py"))
def test_framework(plain, name):
    found, output = plain
    assert found.get(name) == "ok", output


@pytest.mark.parametrize("name", names_of("packet_scapy_suite.py"))
def test_framework_with_scapy(with_scapy, name):
    found, output = with_scapy
    assert found.get(name) == "ok", output


def test_every_name_of_the_framework_is_there():
    script = (
        "import framework as f\n"
        f"print([n for n in {FRAMEWORK!r} if not hasattr(f, n)] + [n for n in {CASE!r} if not hasattr(f.VppTestCase, n)]\n"
        f"      + [n for n in {RESULT!r} if not hasattr(f.VppTestResult, n)])\n")
    done = subprocess.run(["/usr/bin/python3", "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_scapy_is_not_imported_unasked():
    script = "import sys, framework; print([name for name in sys.modules if name.startswith(('scapy', 'psutil', 'vpp_papi.'))])"
    done = subprocess.run(["/usr/bin/python3", "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_other_tests_do_not_see_the_common_names():
    done = subprocess.run(
        ["/usr/bin/python3", "-c", "import util"], env={**os.environ, "PYTHONPATH": str(OURS)}, capture_output=True, text=True, check=False)
    assert "No module named 'util'" in done.stderr


def test_the_names_that_vpps_own_tests_use():
    if not VPP_TESTS.is_dir():
        pytest.skip("no copy of VPP's tests at hand: VPP_TESTS names none")
    done = subprocess.run(
        ["/usr/bin/python3", ROOT / "tools/framework_names.py", "--modules", OURS, VPP_TESTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith("; 0 missing\n"), done.stdout + done.stderr


def test_a_name_that_is_not_there_is_told(tmp_path):
    (tmp_path / "suite.py").write_text(
        "from framework import VppTestCase, Nothing\nclass Case(VppTestCase):\n    def test(self):\n"
        "        self.no_such_verb(self.own)\n        self.pg_start()\n    own = 1\n")
    done = subprocess.run(
        [sys.executable, ROOT / "tools/framework_names.py", "--modules", OURS, "--all", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(r"^framework\.Nothing +1 +MISSING$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^VppTestCase\.no_such_verb +1 +MISSING$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^VppTestCase\.pg_start +1 *$", done.stdout, re.MULTILINE), done.stdout
    assert "own" not in done.stdout
