# SPDX-License-Identifier: GPL-2.0-or-later
"""framework and its siblings under plain unittest, without a daemon; each public name is tried by one of these."""

import io
import logging
import os
import pathlib
import signal
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from unittest import mock

import _vtpacket
import framework
import hook
import log
import util
import vpp_config
import vpp_object
import vpp_pg_interface
from vpp_papi_provider import L2_VTR_OP, Provider


class Interface:
    def __init__(self, index):
        self.sw_if_index = index


class Case(framework.VppTestCase):
    """A case of our own
    with a second line"""

    def runTest(self):
        """What it does"""

    setUpClass = tearDownClass = classmethod(lambda cls: None)
    setUp = tearDown = lambda self: None


def case():
    one = Case()
    one.reset_packet_infos()
    one.logger = logging.getLogger("case")
    one.statistics = None
    return one


HERE, THERE = ("02:00:00:00:00:01", "10.0.0.1", 1), ("02:00:00:00:00:02", "10.0.0.2", 2)


def frame(data=b"data"):
    return _vtpacket.udp_frame(HERE, THERE, data)


class Infos(unittest.TestCase):
    def test_infos(self):
        one = case()
        first, second = one.create_packet_info(Interface(1), Interface(2)), one.create_packet_info(Interface(2), Interface(1))
        third = one.create_packet_info(Interface(1), Interface(2))
        self.assertEqual([first.index, second.index, third.index], [0, 1, 2])
        self.assertEqual(one.packet_infos, {0: first, 1: second, 2: third})
        self.assertEqual([one.get_packet_count_for_if_idx(index) for index in (1, 2, 3)], [1, 2, 0])
        self.assertIs(one.get_next_packet_info(None), first)
        self.assertIs(one.get_next_packet_info(first), second)
        self.assertIsNone(one.get_next_packet_info(third))
        self.assertIs(one.get_next_packet_info_for_interface(1, first), third)
        self.assertIsNone(one.get_next_packet_info_for_interface(2, second))
        self.assertIs(one.get_next_packet_info_for_interface2(1, 2, first), third)
        self.assertIsNone(one.get_next_packet_info_for_interface2(1, 3, None))
        payload = one.info_to_payload(third)
        self.assertEqual(payload, "2 1 2 -1 -1")
        for form in (payload, payload.encode(), payload + "   "):
            self.assertEqual(one.payload_to_info(form), third)
        with self.assertRaises(Exception):
            one.payload_to_info("1 2 x")
        one.reset_packet_infos()
        self.assertEqual(one.packet_infos, {})

    def test_extend_packet(self):
        self.assertEqual(len(Case.extend_packet(frame(), 512)), 508)
        self.assertTrue(Case.extend_packet(frame(b""), 100, "xyz").endswith(b"xyz"))
        self.assertEqual(Case.extend_packet(frame(), 10), frame())


class Assertions(unittest.TestCase):
    def test_assert_equal(self):
        class Word(util.NumericConstant):
            """colour"""

            desc_dict = {1: "red", 2: "blue"}

            def __init__(self, value):
                super().__init__(value)

        one = case()
        one.assert_equal(1, 1)
        one.assert_equal(1, 1, "number")
        with self.assertRaisesRegex(AssertionError, r"Invalid colour: 1\('red'\) does not match expected value 2\('blue'\)"):
            one.assert_equal(1, 2, Word)
        with self.assertRaisesRegex(AssertionError, "Invalid number: 1 does not match expected value 2"):
            one.assert_equal(1, 2, "number")
        self.assertEqual((int(Word(2)), str(Word(3))), (2, ""))

    def test_assert_in_range(self):
        one = case()
        one.assert_in_range(3, 3, 4, "number")
        with self.assertRaisesRegex(AssertionError, "Invalid number: 5 out of range <3,4>"):
            one.assert_in_range(5, 3, 4, "number")

    def test_checksums(self):
        one, good = case(), frame()
        for check in (one.assert_packet_checksums_valid, one.assert_ip_checksum_valid, one.assert_udp_checksum_valid,
                      one.assert_embedded_icmp_checksum_valid):
            check(good)
        wrong = bytearray(good)
        wrong[40] ^= 1
        for check in (one.assert_packet_checksums_valid, one.assert_udp_checksum_valid):
            with self.assertRaises(AssertionError):
                check(bytes(wrong))
        zero = good[:40] + b"\0\0" + good[42:]
        one.assert_packet_checksums_valid(zero)
        one.assert_udp_checksum_valid(zero)
        with self.assertRaises(AssertionError):
            one.assert_packet_checksums_valid(zero, ignore_zero_udp_checksums=False)
        with self.assertRaises(AssertionError):
            one.assert_checksum_valid(zero, "UDP")

    def test_assert_packet_counter_equal(self):
        one = case()
        one.adapter = mock.Mock(counter={"known": 3, "/if/x": 4}.get)
        one.assert_packet_counter_equal("known", 3)
        one.assert_packet_counter_equal("/if/x", 4)
        for name, value in (("known", 4), ("unknown", -1)):
            with self.assertRaises(AssertionError):
                one.assert_packet_counter_equal(name, value)
        one.statistics = mock.Mock(get_counter=lambda name: 7)
        one.assert_packet_counter_equal("/if/x", 7)


class Environment(unittest.TestCase):
    def test_debug_flags(self):
        flags = lambda: (Case.debug_core, Case.debug_gdb, Case.debug_gdbserver)
        for word, expected in ((None, (0, 0, 0)), ("CORE", (1, 0, 0)), ("gdb", (0, 1, 0)), ("gdbserver", (0, 0, 1))):
            Case.set_debug_flags(word)
            self.assertEqual(flags(), tuple(map(bool, expected)))
        with self.assertRaisesRegex(Exception, "Unrecognized DEBUG option: 'printf'"):
            Case.set_debug_flags("printf")
        Case.set_debug_flags(None)

    def test_constants(self):
        words = {"STEP": "yes", "CACHE_OUTPUT": "n", "VPP_BIN": "/opt/vpp", "VPP_PLUGIN_PATH": "/a", "EXTERN_PLUGINS": "/b",
                 "COREDUMP_SIZE": "1m", "DEBUG": "core"}
        class Own(Case):
            tempdir, shm_prefix, stats_sock = "/t/x", "x", "/t/x/stats.sock"
        with mock.patch.dict(os.environ, words):
            Own.setUpConstants()
        self.assertEqual((Own.step, Own.cache_vpp_output, Own.debug_core, Own.vpp_bin), (True, False, True, "/opt/vpp"))
        self.assertEqual(Own.vpp_cmdline[0], "/opt/vpp")
        text = " ".join(Own.vpp_cmdline)
        for part in ("unix { nodaemon full-coredump coredump-size 1m cli-listen localhost:5002 runtime-dir /t/x }",
                     "api-segment { prefix x }", "statseg { socket-name /t/x/stats.sock }",
                     "plugins { path /a:/b plugin dpdk_plugin.so { disable } plugin unittest_plugin.so { enable } }"):
            self.assertIn(part, text)
        # The class's configuration is its own.
        self.assertNotIn("cli-listen", str(framework.VppTestCase.config))

    def test_platform_words(self):
        with mock.patch.dict(os.environ, {"SKIP_AARCH64": "y", "EXTENDED_TESTS": "1", "OS_ID": "CentOS"}):
            self.assertTrue(framework._is_skip_aarch64_set() and framework._running_extended_tests())
            self.assertTrue(framework._running_on_centos())
        self.assertEqual(framework.is_platform_aarch64, framework._is_platform_aarch64())
        for word in (framework.is_skip_aarch64_set, framework.running_extended_tests, framework.running_on_centos,
                     framework.debug_framework):
            self.assertIsInstance(word, bool)

    def test_least_used_cpu(self):
        self.assertIn(Case.get_least_used_cpu(), os.sched_getaffinity(0))

    def test_wait_for_enter(self):
        class Own(Case):
            vpp = mock.Mock(pid=7, debug_help=["gdb mined -ex 'attach 7'"])
            logger = logging.getLogger("own")
        Own.vpp.name = "mined"
        Own.set_debug_flags("gdb")
        out = io.StringIO()
        with redirect_stdout(out), mock.patch("builtins.input") as asked:
            Own.wait_for_enter()
        asked.assert_called_once()
        self.assertIn("Spawned mined with PID: 7", out.getvalue())
        self.assertIn("attach 7", out.getvalue())
        Own.set_debug_flags(None)
        with mock.patch("builtins.input") as asked:
            Own.wait_for_enter()
        asked.assert_not_called()


class Results(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        self.addCleanup(setattr, framework.VppTestResult, "current_test_case_info", None)
        self.info = framework.TestCaseInfo(logging.getLogger("info"), self.place.name, 7, "mined")
        framework.VppTestResult.current_test_case_info = self.info

    def run_one(self, method, pipe=None, environment=None, **options):
        class One(Case):
            """One of a kind"""

        One.runTest = method
        One.setUpClass = One.tearDownClass = classmethod(lambda cls: None)
        One.setUp = One.tearDown = lambda self: None
        out = io.StringIO()
        with redirect_stdout(out), mock.patch.dict(os.environ, environment or {}):
            result = framework.VppTestRunner(result_pipe=pipe, **options).run(One())
        return result, out.getvalue()

    def test_verdicts_are_printed_and_sent(self):
        pipe = mock.Mock()
        for method, code, word in (
                (lambda self: None, framework.PASS, "OK"), (lambda self: self.fail("no"), framework.FAIL, "FAIL"),
                (lambda self: 1 / 0, framework.ERROR, "ERROR"), (lambda self: self.skipTest("not today"), framework.SKIP, "SKIP")):
            pipe.reset_mock()
            result, output = self.run_one(method, pipe)
            self.assertEqual([call.args[0][1] for call in pipe.send.call_args_list], [code, framework.TEST_RUN])
            self.assertTrue(result.result_string.startswith(word))
            self.assertIn(word, output)
            self.assertIn("One of a kind", output)

    def test_a_failed_tests_files_are_linked(self):
        failed = os.path.join(self.place.name, "failed")
        os.mkdir(failed)
        pathlib.Path(self.place.name, _vtpacket.core_pattern().split("%")[0] or "core").touch()
        self.run_one(lambda self: self.fail("no"), environment={"FAILED_DIR": failed})
        link = os.path.join(failed, os.path.basename(self.place.name) + "-FAILED")
        self.assertEqual(os.readlink(link), self.place.name)
        self.assertIn(self.info, framework.VppTestResult.failed_test_cases_info)

    def test_summary_may_be_left_out(self):
        self.assertRegex(self.run_one(lambda self: self.fail("no"))[1], r"\nRan 1 test in")
        self.assertNotRegex(self.run_one(lambda self: self.fail("no"), print_summary=False)[1], r"\nRan 1 test in")

    def test_descriptions(self):
        self.assertEqual(framework.get_testcase_doc_name(case()), "A case of our own")
        self.assertEqual(framework.get_test_description(True, case()), "What it does")
        self.assertIn("runTest", framework.get_test_description(False, case()))
        out = io.StringIO()
        with redirect_stdout(out):
            class Own(Case):
                """Printed once"""
            Own.print_header()
            Own.print_header()
        self.assertEqual(out.getvalue().count("Printed once"), 1)

    def test_keep_alive(self):
        reporter = framework.KeepAliveReporter()
        self.addCleanup(reporter._shared_state.update, _pipe=None)
        reporter.send_keep_alive(case())  # nobody listens
        reporter.pipe = pipe = mock.Mock()
        one = case()
        one.vpp_bin, one.tempdir, one.vpp = "mined", "/t", mock.Mock(pid=7)
        framework.KeepAliveReporter().send_keep_alive(one)
        self.assertEqual(pipe.send.call_args.args[0], (one.id(), "mined", "/t", 7))
        Own = type("Own", (Case,), {"vpp_bin": "mined", "tempdir": "/t", "vpp": mock.Mock(pid=7)})
        reporter.send_keep_alive(Own, "setUpClass")
        self.assertTrue(pipe.send.call_args.args[0][0].startswith("setUpClass ("))
        with self.assertRaises(Exception):
            reporter.pipe = pipe


class Processes(unittest.TestCase):
    def test_worker(self):
        worker = framework.Worker(["sh", "-c", 'test "$CK_LOG_FILE_NAME$A" = -1 && exit 3'], logging.getLogger("worker"), {"A": "1"})
        worker.start()
        worker.join()
        self.assertEqual(worker.result, 3)

    def test_sleep(self):
        with self.assertLogs("Case", logging.DEBUG) as logged:
            Case.sleep(0.001, "for a reason")
        self.assertIn("for a reason", "\n".join(logged.output))

    def test_daemon_and_pump_and_hooks(self):
        from collections import deque
        from threading import Event

        with tempfile.TemporaryDirectory() as place:
            class Own(Case):
                cache_vpp_output = True
                vpp_dead = False
                vpp_bin = "sh"
                logger = logging.getLogger("own")
                tempdir = place
                vpp_stdout_deque, vpp_stderr_deque = deque(), deque()
                pump_thread_stop_flag = Event()
                vpp = _vtpacket.Daemon(
                    ["sh", "-c", "echo out; echo err >&2; echo ready; exec sleep 600"], place, ready=("line", "ready"), name="mined")
            Own.vpp.wait_ready()
            self.assertIsNone(Own.vpp.poll())
            poll = hook.PollHook(Own)
            poll.before_cli("a command")
            poll.before_api("an_api", {"mac": b"\2\0\0\0\0\1", "ip": "10.0.0.1", "other": 3})
            poll.after_cli("a command")
            poll.after_api("an_api", {})
            self.assertEqual(Own.vpp.wait_for_line("^err$"), "err")
            Own.vpp.send_signal(signal.SIGKILL)
            self.assertEqual(Own.vpp.wait(30), -signal.SIGKILL)
            framework.pump_output(Own)
            self.assertEqual((list(Own.vpp_stdout_deque), list(Own.vpp_stderr_deque)), (["out\n", "ready\n"], ["err\n"]))
            with self.assertRaisesRegex(hook.VppDiedError, "mined .* was killed by SIGKILL"):
                poll.before_cli("another")
            self.assertTrue(Own.vpp_dead)
            poll.poll_vpp()  # it is known
            with self.assertRaises(hook.VppDiedError):
                poll.testcase.vpp_dead = False
                poll.before_api("an_api", {})

    def test_step_hook(self):
        class Own(Case):
            vpp_dead = True
            logger = logging.getLogger("own")
        step = hook.StepHook(Own)
        out = io.StringIO()
        with redirect_stdout(out), mock.patch.object(sys, "stdin", io.StringIO("99\nx\n\n0\n")):
            step.before_cli("first")  # two wrong answers, then Enter
            step.before_api("second", {})  # frame 0: everything below it goes on
            step.before_cli("third")
        self.assertEqual(out.getvalue().count("That is no number of a frame"), 2)
        self.assertIn("Not paused before CLI: third", out.getvalue())


class Siblings(unittest.TestCase):
    def test_log(self):
        self.assertEqual(log.colorize("x", ""), "x")
        self.assertEqual((len(log.double_line_delim), log.single_line_delim[0]), (78, "-"))
        stream = io.StringIO()
        log.get_parallel_logger(stream).error("a line")
        self.assertIn("a line", stream.getvalue())
        record = logging.LogRecord("x", logging.INFO, "", 0, "words", (), None)
        record.color = "<"
        self.assertTrue(log.color_formatter.format(record).startswith("<"))

    def test_addresses(self):
        self.assertEqual(list(util.ip4_range("10.0.0.0", 1, 3)), ["10.0.0.1", "10.0.0.2"])
        self.assertEqual(list(util.ip4n_range(b"\x0a\0\0\0", 1, 2)), [b"\x0a\0\0\1"])
        self.assertEqual(util.mk_ll_addr("02:01:00:00:ff:02"), "fe80::1:ff:fe00:ff02")
        self.assertEqual(util.ip6_normalize("fd01:0::0001"), "fd01::1")
        host = util.Host("02:00:00:00:00:01", "10.0.0.1", "fd00::1", "fe80::1")
        self.assertEqual(host, util.Host("02:00:00:00:00:01", "10.0.0.1", "fd00::1", "fe80::1"))
        self.assertEqual((host.bin_mac, host.ip4n, len(host.ip6n), len(host.ip6n_ll)), (b"\2\0\0\0\0\1", b"\x0a\0\0\1", 16, 16))
        self.assertEqual(util.ForeignAddressFactory().get_ip4(), "10.10.10.1")
        self.assertEqual(util.L4_CONN_SIDE.L4_CONN_SIDE_ONE, 1)

    def test_printing(self):
        self.assertIn("02:00:00:00:00:01 > 02:00:00:00:00:02", util.ppp("A packet:", frame()))
        self.assertIn("Print limit reached, 1 out of 2", util.ppc("Two:", [frame()] * 2, limit=1))
        self.assertEqual(util.ppc("None:", []), "None:")

    def test_cores(self):
        with tempfile.TemporaryDirectory() as place:
            self.assertFalse(util.is_core_present(place))
        with mock.patch.object(util, "get_core_pattern", lambda: "|/bin/taker"), self.assertLogs("x", logging.ERROR):
            util.check_core_path(logging.getLogger("x"), "core")

    def test_registry(self):
        class Thing(vpp_object.VppObject):
            there = True
            add_vpp_config = None
            def query_vpp_config(self):
                return self.there
            def remove_vpp_config(self):
                self.there = self.stubborn
            def object_id(self):
                return "thing-%d" % id(self)
        logger, registry = logging.getLogger("registry"), vpp_object.VppObjectRegistry()
        one, two = Thing(), Thing()
        one.stubborn, two.stubborn = False, True
        registry.register(one, logger)
        registry.register(one, logger)
        self.assertEqual(len(vpp_object.VppObjectRegistry()._object_registry), 1)
        registry.remove_vpp_config(logger)
        self.assertFalse(one.there)
        registry.register(two, logger)
        with self.assertRaisesRegex(Exception, "Couldn't remove configuration"):
            registry.remove_vpp_config(logger)
        registry.register(two, logger)
        registry.unregister_all(logger)
        registry.remove_vpp_config(logger)

    def test_config(self):
        config = vpp_config.VppTestCaseVppConfig()
        config.add("unix", "runtime-dir", "/tmp")
        self.assertIn("unix {\n    nodaemon\n    full-coredump\n    runtime-dir /tmp\n}\n", str(config))
        with self.assertRaisesRegex(ValueError, "key 'colour' must be in"):
            config.add("unix", "colour", "red")
        self.assertIn("cli-listen", vpp_config.MinimalVppConfig().shlex())

    def test_provider(self):
        own = mock.Mock(logger=logging.getLogger("provider"))
        own.adapter.cli = lambda command, timeout: command.upper()
        provider = Provider(own)
        self.assertEqual((provider.cli("show"), provider.ppcli("show")), ("SHOW", "show\nSHOW"))
        provider("an event", 3)
        self.assertEqual(provider.wait_for_event(1), 3)
        with self.assertRaisesRegex(Exception, "did not occur"):
            provider.wait_for_event(0.01, "sw_interface_event")
        provider("an event", 4)
        self.assertEqual(list(provider.collect_events()), [4])
        with self.assertRaises(AttributeError):
            provider.no_such_call
        self.assertEqual(L2_VTR_OP.L2_TRANSLATE_2_2, 8)

    def test_captures(self):
        capture = vpp_pg_interface.Capture([frame(), frame()])
        self.assertEqual((len(capture), capture.frames[0]), (2, frame()))
        self.assertEqual(vpp_pg_interface.frames_of(frame()), [frame()])
        self.assertFalse(vpp_pg_interface.is_ipv6_misc(frame()))


if __name__ == "__main__":
    unittest.main()
