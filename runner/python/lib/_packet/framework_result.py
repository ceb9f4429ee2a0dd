# SPDX-License-Identifier: GPL-2.0-or-later
"""Results of packet tests: who hears of a test's start, where a failed test's files are, how a run is printed."""

import faulthandler
import os
import sys
import unittest
from inspect import getdoc, isclass
from traceback import format_exception

from log import GREEN, RED, YELLOW, colorize, double_line_delim, single_line_delim
from util import is_core_present

PASS, FAIL, ERROR, SKIP, TEST_RUN = range(5)


class KeepAliveReporter:
    """Tells a parent process through a pipe what runs. All instances share the pipe."""

    _shared_state = {"_pipe": None}

    def __init__(self):
        self.__dict__ = self._shared_state

    @property
    def pipe(self):
        return self._pipe

    @pipe.setter
    def pipe(self, pipe):
        if self._pipe is not None:
            raise Exception("Internal error - pipe should only be set once.")
        self._pipe = pipe

    def send_keep_alive(self, test, desc=None):
        """A test, or a class with a word for what it is doing."""
        if self.pipe is None:
            return
        desc = "%s (%s)" % (desc, unittest.util.strclass(test)) if isclass(test) else test.id()
        self.pipe.send((desc, test.vpp_bin, test.tempdir, test.vpp.pid))


def get_testcase_doc_name(test):
    """The first line of the test's class's documentation."""
    return (getdoc(type(test)) or type(test).__name__).splitlines()[0]


def get_test_description(descriptions, test):
    return (descriptions and test.shortDescription()) or str(test)


class TestCaseInfo:
    """Where a test's files lie, and what it tests."""

    __test__ = False  # no test itself

    def __init__(self, logger, tempdir, vpp_pid, vpp_bin_path):
        self.logger = logger
        self.tempdir = tempdir
        self.vpp_pid = vpp_pid
        self.vpp_bin_path = vpp_bin_path
        self.core_crash_test = None


def _is_error_holder(test):
    """True for what unittest puts in a test's place where a class could not be set up."""
    return isinstance(test, unittest.suite._ErrorHolder)


class VppTestResult(unittest.TestResult):
    """`result_string` is how the last test ended, for people."""

    failed_test_cases_info = set()
    core_crash_test_cases_info = set()
    current_test_case_info = None

    def __init__(self, stream=None, descriptions=True, verbosity=1, runner=None):
        super().__init__(stream, descriptions, verbosity)
        self.stream = stream
        self.descriptions = descriptions
        self.verbosity = verbosity
        self.runner = runner
        self.result_string = None

    def _log(self, function, test, words=""):
        if self.current_test_case_info:
            name = test.description if _is_error_holder(test) else "%s.%s(%s)" % (
                type(test).__name__, test._testMethodName, test._testMethodDoc)
            self.current_test_case_info.logger.debug("--- %s() %s called%s", function, name, words)

    def addSuccess(self, test):
        self._log("addSuccess", test)
        super().addSuccess(test)
        self.result_string = colorize("OK", GREEN)
        self.send_result_through_pipe(test, PASS)

    def addSkip(self, test, reason):
        self._log("addSkip", test, ", reason is %s" % reason)
        super().addSkip(test, reason)
        self.result_string = colorize("SKIP", YELLOW)
        self.send_result_through_pipe(test, SKIP)

    @classmethod
    def symlink_failed(cls):
        """A link to the failed test's directory in FAILED_DIR, where that is set."""
        info, failed_dir = cls.current_test_case_info, os.getenv("FAILED_DIR")
        if not info or not failed_dir:
            return
        link = os.path.join(failed_dir, "%s-FAILED" % os.path.basename(info.tempdir))
        try:
            if not os.path.lexists(link):
                os.symlink(info.tempdir, link)
                info.logger.debug("%s leads to the failed test's files", link)
        except OSError as error:
            info.logger.error(error)

    def send_result_through_pipe(self, test, result):
        pipe = getattr(self, "test_framework_result_pipe", None)
        if pipe:
            pipe.send((test.id(), result))

    def log_error(self, test, err, fn_name):
        self._log(fn_name, test, ", err is %s\n%s" % (err[1], "".join(format_exception(*err))))

    @classmethod
    def note_failure(cls, test):
        """What is kept of a failed test: the link to its files, and whether a core is among them."""
        info = cls.current_test_case_info
        if info is None:
            return
        cls.symlink_failed()
        cls.failed_test_cases_info.add(info)
        if is_core_present(info.tempdir):
            if not info.core_crash_test:
                info.core_crash_test = str(test) if _is_error_holder(test) else "'%s' (%s)" % (
                    get_testcase_doc_name(test), test.id())
            cls.core_crash_test_cases_info.add(info)

    def add_error(self, test, err, unittest_fn, error_type):
        words = {FAIL: ("addFailure", "FAIL"), ERROR: ("addError", "ERROR")}
        if error_type not in words:
            raise Exception("Error type %s cannot be used to record an error or a failure" % error_type)
        function, word = words[error_type]
        self.log_error(test, err, function)
        unittest_fn(self, test, err)
        info = self.current_test_case_info
        where = "[ temp dir used by test case: %s ]" % info.tempdir if info else "[no temp dir]"
        self.result_string = "%s %s" % (colorize(word, RED), where)
        self.note_failure(test)
        self.send_result_through_pipe(test, error_type)

    def addFailure(self, test, err):
        self.add_error(test, err, unittest.TestResult.addFailure, FAIL)

    def addError(self, test, err):
        self.add_error(test, err, unittest.TestResult.addError, ERROR)

    def getDescription(self, test):
        return get_test_description(self.descriptions, test)

    def startTest(self, test):
        if hasattr(test, "print_header"):
            test.print_header()
        super().startTest(test)
        if self.verbosity > 0:
            self.stream.writeln("Starting %s ..." % self.getDescription(test))
            self.stream.writeln(single_line_delim)

    def stopTest(self, test):
        super().stopTest(test)
        line = "%-73s%s" % (self.getDescription(test), self.result_string)
        for text in [single_line_delim, line, single_line_delim] if self.verbosity > 0 else [line]:
            self.stream.writeln(text)
        self.send_result_through_pipe(test, TEST_RUN)

    def printErrors(self):
        if self.errors or self.failures:
            self.stream.writeln()
            self.printErrorList("ERROR", self.errors)
            self.printErrorList("FAIL", self.failures)
        if self.runner is not None and not self.runner.print_summary:
            # What unittest prints from here on is the summary.
            self.stream = self.runner.stream = unittest.runner._WritelnDecorator(open(os.devnull, "w", encoding="utf-8"))

    def printErrorList(self, flavour, errors):
        for test, err in errors:
            self.stream.writeln(double_line_delim)
            self.stream.writeln("%s: %s" % (flavour, self.getDescription(test)))
            self.stream.writeln(single_line_delim)
            self.stream.writeln("%s" % err)


class VppTestRunner(unittest.TextTestRunner):
    """Prints to standard output, as the tests themselves do."""

    def __init__(self, keep_alive_pipe=None, descriptions=True, verbosity=1, result_pipe=None, failfast=False,
                 buffer=False, resultclass=None, print_summary=True, **keywords):
        keywords.pop("stream", None)
        super().__init__(sys.stdout, descriptions, verbosity, failfast, buffer, resultclass, **keywords)
        if keep_alive_pipe is not None:
            KeepAliveReporter().pipe = keep_alive_pipe
        self.orig_stream = self.stream
        self.print_summary = print_summary
        VppTestResult.test_framework_result_pipe = result_pipe

    @property
    def resultclass(self):
        """The class of the results."""
        return VppTestResult

    @resultclass.setter
    def resultclass(self, value):
        """unittest sets one, but ours is the one that is used."""

    def _makeResult(self):
        return self.resultclass(self.stream, self.descriptions, self.verbosity, self)

    def run(self, test):
        faulthandler.enable()
        result = super().run(test)
        if not self.print_summary:
            self.stream = result.stream = self.orig_stream
        return result
