# SPDX-License-Identifier: GPL-2.0-or-later
"""Packet tests of a daemon: the names of VPP's test framework on the core's test bed.

A test class says which daemon it tests: `adapter_name = "ovs"`, or "vpp", or `adapter_class`, an adapter of its own
(packet_adapters). Each class has a daemon of its own, started in setUpClass() and gone after tearDownClass().
Environment: CACHE_OUTPUT COREDUMP_SIZE DEBUG EXTENDED_TESTS EXTERN_PLUGINS FAILED_DIR OS_ID PACKET_DAEMON SKIP_AARCH64 STEP
TEST_DEBUG VPP_BIN VPP_PLUGIN_PATH.
"""

import copy
import gc
import os
import platform
import random
import subprocess
import time
import unittest
from collections import deque
from inspect import getdoc
from logging import DEBUG, FileHandler, Formatter
from threading import Event, Thread

import _vtpacket
import packet_adapters
from framework_result import (  # noqa: F401 (names of this module)
    ERROR, FAIL, PASS, SKIP, TEST_RUN, KeepAliveReporter, TestCaseInfo, VppTestResult, VppTestRunner, get_test_description,
    get_testcase_doc_name)
from hook import PollHook, StepHook, VppDiedError
from log import GREEN, RED, colorize, double_line_delim, get_logger, single_line_delim
from packet_checks import PacketChecks
from util import is_scapy, ppp  # noqa: F401
from vpp_config import VppTestCaseVppConfig
from vpp_interface import VppInterface  # noqa: F401
from vpp_lo_interface import VppLoInterface
from vpp_object import VppObjectRegistry
from vpp_pg_interface import VppPGInterface
from vpp_sub_interface import VppSubInterface

debug_framework = os.getenv("TEST_DEBUG", "0") == "1"


class _PacketInfo:
    """What a test knows of a packet; -1 for what it does not know."""

    index = -1
    src = -1
    dst = -1
    ip = -1
    proto = -1
    data = None

    def __eq__(self, other):
        return (self.index, self.src, self.dst, self.data) == (other.index, other.src, other.dst, other.data)

    __hash__ = None


def pump_output(testclass):
    """Takes the daemon's lines to the test class's queues, as they come, until it is told to stop."""
    while True:
        out, err = testclass.vpp.take_lines(3600)
        testclass.vpp_stdout_deque.extend(line + "\n" for line in out)
        testclass.vpp_stderr_deque.extend(line + "\n" for line in err)
        if not testclass.cache_vpp_output:
            for stream, lines in (("STDOUT", out), ("STDERR", err)):
                for line in lines:
                    testclass.logger.debug("VPP %s: %s", stream, line)
        if not out and not err and (testclass.pump_thread_stop_flag.is_set() or testclass.vpp.poll() is not None):
            return


def _said_yes(name):
    return os.getenv(name, "n").lower() in ("y", "yes", "1")


def _is_skip_aarch64_set():
    return _said_yes("SKIP_AARCH64")


def _is_platform_aarch64():
    return platform.machine() == "aarch64"


def _running_extended_tests():
    return _said_yes("EXTENDED_TESTS")


def _running_on_centos():
    return "centos" in os.getenv("OS_ID", "").lower()


is_skip_aarch64_set = _is_skip_aarch64_set()
is_platform_aarch64 = _is_platform_aarch64()
running_extended_tests = _running_extended_tests()
running_on_centos = _running_on_centos()


class _Bed:
    """The core's test bed, which tells the test class of the daemon's death."""

    def __init__(self, test_class, core):
        self._test_class = test_class
        self._core = core

    def __getattr__(self, name):
        found = getattr(self._core, name)
        if not callable(found):
            return found

        def call(*arguments):
            try:
                return found(*arguments)
            except VppDiedError:
                self._test_class.vpp_dead = True
                raise

        return call


class VppTestCase(PacketChecks, unittest.TestCase):
    """A test of a daemon by packets."""

    CLI_LISTEN_DEFAULT = "localhost:5002"
    config = VppTestCaseVppConfig()
    #: The daemon that is tested, and how its interfaces are made (Open vSwitch: dummy, veth, tap).
    adapter_name = None
    adapter_class = None
    adapter_options = {}
    pg_interfaces = ()

    @property
    def packet_infos(self):
        return self._packet_infos

    @classmethod
    def get_packet_count_for_if_idx(cls, dst_if_index):
        """How many infos are for the interface of that index."""
        return cls._packet_count_for_dst_if_idx.get(dst_if_index, 0)

    @classmethod
    def instance(cls):
        """The test that runs."""
        return cls.test_instance

    @classmethod
    def set_debug_flags(cls, d):
        word = (d or "").lower()
        if word not in ("", "core", "gdb", "gdbserver"):
            raise Exception("Unrecognized DEBUG option: '%s'" % d)
        cls.debug_core, cls.debug_gdb, cls.debug_gdbserver = (word == one for one in ("core", "gdb", "gdbserver"))

    @staticmethod
    def get_least_used_cpu():
        """The CPU on which the fewest daemons run."""
        return _vtpacket.least_used_cpu("vpp_main")

    @classmethod
    def print_header(cls):
        """The class's first words, once."""
        if "_header_printed" not in cls.__dict__:
            print(double_line_delim)
            print(colorize((getdoc(cls) or cls.__name__).splitlines()[0], GREEN))
            print(double_line_delim)
            cls._header_printed = True

    @classmethod
    def setUpConstants(cls):
        """What the environment says, and the daemon's configuration and command line."""
        settings = _vtpacket.Settings()
        cls.step = settings.step
        cls.set_debug_flags(os.getenv("DEBUG"))
        cls.cache_vpp_output = settings.cache_output
        cls.vpp_bin = settings.program
        cls.plugin_path = os.getenv("VPP_PLUGIN_PATH")
        cls.extern_plugin_path = os.getenv("EXTERN_PLUGINS")
        cls.config = copy.deepcopy(cls.config)
        if cls.step or cls.debug_gdb or cls.debug_gdbserver:
            cls.config.add("unix", "cli-listen", cls.CLI_LISTEN_DEFAULT)
        cls.config.add("unix", "coredump-size", os.getenv("COREDUMP_SIZE") or "unlimited")
        cls.config.add("unix", "runtime-dir", cls.tempdir)
        cls.config.add("api-segment", "prefix", cls.shm_prefix)
        cls.config.add("cpu", "main-core", str(cls.get_least_used_cpu()))
        cls.config.add("statseg", "socket-name", cls.stats_sock)
        if settings.plugin_path:
            cls.config.add("plugins", "path", settings.plugin_path)
        cls.config.add_plugin("dpdk_plugin.so", "disable")
        cls.config.add_plugin("unittest_plugin.so", "enable")
        cls.vpp_cmdline = [cls.vpp_bin] + cls.config.shlex()

    @classmethod
    def wait_for_enter(cls):
        """Where a person debugs the daemon: says how, and waits for Enter."""
        if not (cls.debug_gdb or cls.debug_gdbserver):
            cls.logger.debug("Spawned %s with PID: %d", cls.vpp.name, cls.vpp.pid)
            return
        print(double_line_delim)
        what = "GDB server" if cls.debug_gdbserver else cls.vpp.name
        print("Spawned %s with PID: %d" % (what, cls.vpp.pid))
        print(single_line_delim)
        print("You can debug it using e.g.:")
        print("\n".join(cls.vpp.debug_help))
        print(single_line_delim)
        input("Press ENTER to continue running the testcase...")

    @classmethod
    def _launched(cls, daemon):
        cls.vpp = daemon
        cls.wait_for_enter()

    @classmethod
    def run_vpp(cls):
        """Runs the daemon, whichever it is."""
        cls.adapter = packet_adapters.make(cls)
        cls.bed = _Bed(cls, _vtpacket.TestBed(cls.adapter, cls.tempdir))
        cls.bed.start()
        cls.vpp = cls.adapter.vpp
        cls.vpp_bin = cls.vpp.program
        cls.vpp_cmdline = list(cls.vpp.args)
        cls.logger.info("vpp_cmdline: %s", " ".join(cls.vpp_cmdline))

    @classmethod
    def wait_for_stats_socket(cls):
        """True once the daemon's socket of statistics is there, where it has one; for ever where it is debugged."""
        return cls.adapter.wait_for_stats(None if cls.debug_gdb or cls.debug_gdbserver else 3)

    @classmethod
    def setUpClass(cls):
        """A directory, a log, a daemon, and what talks to it."""
        gc.collect()
        random.seed()
        cls.print_header()
        cls.logger = get_logger(cls.__name__)
        if hasattr(cls, "parallel_handler"):
            cls.logger.addHandler(cls.parallel_handler)
            cls.logger.propagate = False
        cls.tempdir = packet_adapters.make_tempdir(cls.__name__)
        cls.stats_sock = "%s/stats.sock" % cls.tempdir
        cls.shm_prefix = os.path.basename(cls.tempdir)
        cls.file_handler = FileHandler("%s/log.txt" % cls.tempdir)
        cls.file_handler.setFormatter(Formatter(fmt="%(asctime)s,%(msecs)03d %(message)s", datefmt="%H:%M:%S"))
        cls.file_handler.setLevel(DEBUG)
        cls.logger.addHandler(cls.file_handler)
        cls._directory_before = os.getcwd()
        os.chdir(cls.tempdir)
        cls.logger.info("Temporary dir is %s, shm prefix is %s", cls.tempdir, cls.shm_prefix)
        cls._captures, cls._zombie_captures = [], []
        cls.verbose = 0
        cls.vpp_dead = False
        cls.registry = VppObjectRegistry()
        cls.vpp_startup_failed = False
        cls.reporter = KeepAliveReporter()
        cls.known_interfaces = {}
        cls.reset_packet_infos()
        try:
            cls.setUpConstants()
            cls._start()
        except BaseException:
            try:
                cls.quit()
            finally:
                cls._leave_directory()
            raise

    @classmethod
    def _start(cls):
        try:
            cls.run_vpp()
        except VppDiedError:
            cls.vpp_startup_failed = True
            cls.logger.critical("The daemon died shortly after startup, check its output to standard error")
            raise
        cls.reporter.send_keep_alive(cls, "setUpClass")
        VppTestResult.current_test_case_info = TestCaseInfo(cls.logger, cls.tempdir, cls.vpp.pid, cls.vpp_bin)
        cls.vpp_stdout_deque, cls.vpp_stderr_deque = deque(), deque()
        cls.pump_thread_stop_flag = Event()
        cls.pump_thread = Thread(target=pump_output, args=(cls,), daemon=True)
        cls.pump_thread.start()
        cls.vapi = cls.adapter.provider(cls, 0 if cls.debug_gdb or cls.debug_gdbserver else 5)
        hook = StepHook(cls) if cls.step else PollHook(cls)
        cls.vapi.register_hook(hook)
        if not cls.wait_for_stats_socket():
            cls.logger.critical("There is no socket of statistics: %s", cls.stats_sock)
        cls.statistics = cls.adapter.statistics(cls)
        hook.poll_vpp()
        try:
            cls.vapi.connect()
        except Exception:
            if cls.debug_gdbserver:
                print(colorize("The daemon runs inside gdbserver but does not answer: was it continued from within gdb?", RED))
            raise

    @classmethod
    def quit(cls):
        """Ends the daemon; what it has printed goes to the log."""
        daemon = cls.__dict__.get("vpp")
        if (getattr(cls, "debug_gdb", False) or getattr(cls, "debug_gdbserver", False)) and daemon is not None:
            if daemon.poll() is None:
                print(double_line_delim)
                print("The daemon or its GDB server is still running")
                print(single_line_delim)
                input("When done debugging, press ENTER to kill the process and finish running the testcase...")
        if "vapi" in cls.__dict__:
            cls.vapi.disconnect()
            del cls.vapi
        if "bed" in cls.__dict__:
            cls.bed.stop()
        if "pump_thread" in cls.__dict__:
            cls.pump_thread_stop_flag.set()
            cls.vpp.release_readers()
            cls.pump_thread.join()
            del cls.pump_thread
        level = cls.logger.critical if cls.vpp_startup_failed else cls.logger.info
        for name, log in (("stdout", cls.logger.info), ("stderr", level)):
            cls._write_output(name, log)
        for name in ("bed", "adapter", "vpp"):
            if name in cls.__dict__:
                delattr(cls, name)

    @classmethod
    def _write_output(cls, name, log):
        lines = cls.__dict__.get("vpp_%s_deque" % name)
        if lines is None:
            return
        text = "".join(lines)
        with open("%s/vpp_%s.txt" % (cls.tempdir, name), "w", encoding="utf-8") as file:
            file.write(text)
        log("The daemon's output to %s while running %s:\n%s\n%s", name, cls.__name__, single_line_delim, text)

    @classmethod
    def _leave_directory(cls):
        os.chdir(cls._directory_before)
        cls.logger.removeHandler(cls.file_handler)
        cls.file_handler.close()

    @classmethod
    def tearDownClass(cls):
        cls.reporter.send_keep_alive(cls, "tearDownClass")
        try:
            cls.quit()
        finally:
            cls._leave_directory()
            cls.reset_packet_infos()
        if debug_framework:
            import debug_internal  # a suite's own

            debug_internal.on_tear_down_class(cls)

    def note_failure(self):
        """Called by whoever runs the test where that is no VppTestResult."""
        VppTestResult.note_failure(self)

    def _headline(self, what):
        return "--- %s for %s.%s(%s)" % (what, type(self).__name__, self._testMethodName, self._testMethodDoc)

    def tearDown(self):
        """The daemon's state goes to the log; what the test has configured, out of the daemon."""
        self.logger.debug("%s called ---", self._headline("tearDown()"))
        if self.vpp_dead:
            self.registry.unregister_all(self.logger)
            return
        try:
            self.vapi.hook.poll_vpp()
        except VppDiedError:
            self.registry.unregister_all(self.logger)
            raise
        for text in self.vapi.state():
            self.logger.info(text)
        if self.statistics is not None:
            self.logger.info(self.statistics.set_errors_str())
        self.registry.remove_vpp_config(self.logger)
        self.adapter.save_api_trace(self)

    def setUp(self):
        self.reporter.send_keep_alive(self)
        self.logger.debug("%s called ---", self._headline("setUp()"))
        if self.vpp_dead:
            raise VppDiedError("VPP is dead when setting up the test")
        for lines in (self.vpp_stdout_deque, self.vpp_stderr_deque):
            lines.append("%s starts here ---\n" % self._headline("test setUp()"))
        self.vapi.clear_trace()
        type(self).test_instance = self

    # Interfaces, streams, captures

    @classmethod
    def pg_enable_capture(cls, interfaces=None):
        """On all packet generator interfaces, or on some."""
        for interface in cls.pg_interfaces if interfaces is None else interfaces:
            interface.enable_capture()

    @classmethod
    def register_capture(cls, cap_name):
        """A stream of that name is in use again."""
        cls._captures.append((time.time(), cap_name))
        cls._zombie_captures = [one for one in cls._zombie_captures if one[1] != cap_name]

    @classmethod
    def pg_start(cls):
        """Sends the streams into their interfaces."""
        cls.adapter.forget_streams([name for _, name in cls._zombie_captures])
        cls.vapi.hook.before_cli("packet-generator enable")
        cls.bed.pg_start(60)
        cls._zombie_captures, cls._captures = cls._captures, []

    @classmethod
    def create_pg_interfaces(cls, interfaces):
        """Interfaces of those numbers; each is an attribute of the class by its name: cls.pg0."""
        result = []
        for number in interfaces:
            interface = VppPGInterface(cls, number)
            setattr(cls, interface.name, interface)
            result.append(interface)
        cls.pg_interfaces = result
        return result

    @classmethod
    def create_loopback_interfaces(cls, count):
        result = [VppLoInterface(cls) for _ in range(count)]
        for interface in result:
            setattr(cls, interface.name, interface)
        cls.lo_interfaces = result
        return result

    @classmethod
    def sleep(cls, timeout, remark=None):
        logger = getattr(cls, "logger", None) or get_logger(cls.__name__)
        logger.debug("Starting sleep for %es (%s)", timeout, remark)
        before = time.monotonic()
        time.sleep(timeout)
        took = time.monotonic() - before
        if took > 2 * timeout:
            logger.error("unexpected time.sleep() result - slept for %es instead of ~%es!", took, timeout)
        logger.debug("Finished sleep (%s) - slept %es (wanted %es)", remark, took, timeout)

    # Packet infos

    @staticmethod
    def extend_packet(packet, size, padding=" "):
        """The packet, padded to `size` bytes with its check sequence: one of scapy's in place, in its Raw layer."""
        if not is_scapy(packet):
            return _vtpacket.extended(packet, size, padding.encode() if isinstance(padding, str) else padding)
        from scapy.packet import Raw

        more = size - (len(packet) + 4)
        if more > 0:
            fill = padding.encode() if isinstance(padding, str) else padding
            packet[Raw].load += (fill * (more // len(fill) + 1))[:more]
        return packet

    @classmethod
    def reset_packet_infos(cls):
        cls._packet_infos = {}
        cls._packet_count_for_dst_if_idx = {}

    @classmethod
    def create_packet_info(cls, src_if, dst_if):
        """A new info; counted for the interface where the packet is to come out (a sub-interface's parent)."""
        info = _PacketInfo()
        info.index = len(cls._packet_infos)
        info.src, info.dst = src_if.sw_if_index, dst_if.sw_if_index
        index = dst_if.parent.sw_if_index if isinstance(dst_if, VppSubInterface) else dst_if.sw_if_index
        cls._packet_count_for_dst_if_idx[index] = cls.get_packet_count_for_if_idx(index) + 1
        cls._packet_infos[info.index] = info
        return info

    @staticmethod
    def info_to_payload(info):
        """The info as a packet's payload, a str."""
        return _vtpacket.info_to_payload(info.index, info.src, info.dst, info.ip, info.proto)

    @staticmethod
    def payload_to_info(payload):
        """The info in a payload: str, bytes, or a Raw layer of scapy's."""
        info = _PacketInfo()
        text = payload if isinstance(payload, (str, bytes)) else bytes(payload)
        info.index, info.src, info.dst, info.ip, info.proto = _vtpacket.payload_to_info(text)
        return info

    def get_next_packet_info(self, info):
        """The info after that one, the first after None; None at the end."""
        return self._packet_infos.get(0 if info is None else info.index + 1)

    def get_next_packet_info_for_interface(self, src_index, info):
        """The same among those from an interface."""
        info = self.get_next_packet_info(info)
        while info is not None and info.src != src_index:
            info = self.get_next_packet_info(info)
        return info

    def get_next_packet_info_for_interface2(self, src_index, dst_index, info):
        """The same among those from one interface to another."""
        info = self.get_next_packet_info_for_interface(src_index, info)
        while info is not None and info.dst != dst_index:
            info = self.get_next_packet_info_for_interface(src_index, info)
        return info

    # Sending

    def _send(self, interface, pkts):
        self.vapi.clear_trace()
        interface.add_stream(pkts)
        self.pg_enable_capture(self.pg_interfaces)
        self.pg_start()

    def _assert_silence(self, but, timeout, remark=None):
        for interface in self.pg_interfaces:
            if interface not in but:
                interface.assert_nothing_captured(remark=remark, timeout=timeout)
                timeout = min(timeout, 0.1)

    def _captured(self, output, count):
        if isinstance(output, (list, tuple)):
            return [one.get_capture(count) for one in output]
        return output.get_capture(count)

    def send_and_assert_no_replies(self, intf, pkts, remark="", timeout=None):
        """Sends packets; nothing may come out anywhere."""
        self._send(intf, pkts)
        self._assert_silence((), timeout or 1, remark)

    def send_and_expect(self, input, pkts, output):
        """Sends packets; as many have to come out at `output` (at each, of a list). The captures."""
        pkts = list(pkts)
        self._send(input, pkts)
        return self._captured(output, len(pkts))

    def send_and_expect_only(self, input, pkts, output, timeout=None):
        """The same, and nothing anywhere else."""
        pkts = list(pkts)
        self._send(input, pkts)
        rx = self._captured(output, len(pkts))
        self._assert_silence(output if isinstance(output, (list, tuple)) else (output,), timeout or 1)
        return rx


class Worker(Thread):
    """Runs a program with its output in the log; `result` is its exit code."""

    def __init__(self, args, logger, env=None):
        self.logger = logger
        self.args = args
        self.result = None
        self.env = copy.deepcopy(env or {})
        super().__init__()

    def run(self):
        executable = self.args[0]
        self.logger.debug("Running executable w/args `%s'", self.args)
        self.process = subprocess.Popen(
            self.args, env={**os.environ, **self.env, "CK_LOG_FILE_NAME": "-"}, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = self.process.communicate()
        self.logger.info("Return code of `%s' is `%s'", executable, self.process.returncode)
        for name, text in (("stdout", out), ("stderr", err)):
            self.logger.info("Executable `%s' wrote to %s:\n%s\n%s", executable, name, single_line_delim,
                             text.decode(errors="replace"))
        self.result = self.process.returncode


__all__ = [name for name in dir() if not name.startswith("__")]
