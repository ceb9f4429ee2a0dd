# SPDX-License-Identifier: GPL-2.0-or-later
"""Ends in the way that the parameter `how` names."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from avocado.core import exceptions


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def fails(test, params):
    test.fail("the guest's clock stands still")


def errors(test, params):
    test.error("the lamp is broken")


def cancels(test, params):
    test.cancel("this host is too small")


def skips(test, params):
    test.skip("not on a Saturday")


def skip_error(test, params):
    raise exceptions.TestSkipError("only for guests with two heads")


def warns(test, params):
    raise exceptions.TestWarn("it works, but it smokes")


def not_applicable(test, params):
    raise exceptions.TestNAError("not for this guest")


def base_exception_of_avocado(test, params):
    raise exceptions.TestBaseException("the root of them all")


def setup_fail(test, params):
    raise exceptions.TestSetupFail("the table is not laid")


def missing_parameter(test, params):
    return params["length_of_the_rope"]


def asserts(test, params):
    answer = 41
    assert answer == 42, "the answer is %d" % answer


def asserts_silently(test, params):
    assert 1 > 2


def test_assertion(test, params):
    test.assertEqual(1, 2, "sums do not match")


def value_error(test, params):
    int("seven")


def two_lines(test, params):
    raise ValueError("first line\nsecond line\n\tthird line")


def unprintable(test, params):
    raise Unprintable()


def unittest_skip(test, params):
    raise unittest.SkipTest("says unittest")


def system_exit(test, params):
    sys.exit(0)


def system_exit_words(test, params):
    sys.exit("I am leaving")


def keyboard_interrupt(test, params):
    raise KeyboardInterrupt


def os_exit_0(test, params):
    os._exit(0)


def os_exit_3(test, params):
    os._exit(3)


def segfault(test, params):
    ctypes.string_at(0)


def abort(test, params):
    os.abort()


def kills_itself(test, params):
    os.kill(os.getpid(), signal.SIGKILL)


def recursion(test, params):
    recursion(test, params)


def out_of_memory(test, params):
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
    return b"x" * (1 << 33)


def loops(test, params):
    while True:
        time.sleep(0.1)


def loops_deaf(test, params):
    # Catches everything, and spends its time in C with the interpreter's lock held.
    while True:
        try:
            ctypes.PyDLL(None).sleep(1)
        except BaseException:
            pass


def leaves_thread(test, params):
    threading.Thread(target=time.sleep, args=(1000,)).start()


def leaves_busy_thread(test, params):
    def spin():
        while True:
            pass

    threading.Thread(target=spin, daemon=True).start()


def leaves_child(test, params):
    child = subprocess.Popen(["sleep", "1234"], start_new_session=True, stdin=subprocess.DEVNULL)
    logging.info("left: %d", child.pid)


def leaves_daemon(test, params):
    # As a daemon does: twice forked, own session, all descriptors closed but its output.
    subprocess.Popen(["setsid", "-f", "sleep", "1235"])


def forks(test, params):
    child = os.fork()
    if child == 0:
        os._exit(7)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 7:
        test.fail("the child ended otherwise")


def forked_child_returns(test, params):
    # The mistake of many a test: the child falls through into the test's end.
    child = os.fork()
    if child == 0:
        raise ValueError("in the child")
    os.waitpid(child, 0)


def huge_output(test, params):
    line = "0123456789" * 10 + "\n"
    for _ in range(200):
        sys.stdout.write(line * 1000)


def one_long_line(test, params):
    os.write(1, b"x" * (3 << 20))
    os.write(1, b"end\n")


def not_utf8(test, params):
    logging.info("a lone surrogate: %s", "\udc80")
    test.fail("na\xefve \udcff reason")


def bytes_on_stdout(test, params):
    sys.stdout.flush()
    os.write(1, b"caf\xe9 \xff\x00\xfe\n")
    os.write(2, b"\xc3\x28 on stderr\n")


def closes_descriptors(test, params):
    os.closerange(3, 4096)


def changes_directory(test, params):
    os.chdir("/")
    os.environ.clear()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def reports_background_error(test, params):
    try:
        raise OSError("the cable was pulled")
    except OSError:
        test.background_errors.put(sys.exc_info())


def whiteboard(test, params):
    test.whiteboard = "chalk & <b>cheese</b>"


def passes(test, params):
    pass


def run(test, params, env):
    logging.info("before: %s", params["how"])
    test.log.warning("a warning of %s", params["how"])
    print("printed before: %s" % params["how"])
    globals()[params["how"]](test, params)
    logging.info("after: %s", params["how"])
