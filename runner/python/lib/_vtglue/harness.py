# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the tests of a file that uses one of the harnesses (flumotion, testplan, framework) for the core."""

import importlib.machinery
import inspect
import logging
import os
import sys
import unittest
from collections import namedtuple

from _vtglue import logs, run as files, statuses

_PACKAGES = ("flumotion", "testplan")
#: The modules of packet tests have common names ("log", "util"), so they are importable only for those.
_PACKET_MODULES = "_packet"
_PLAN = "flumotion.twisted.integration"
#: How a plan fails; that a program is not there is an error.
_PLAN_FAILURES = (
    "UnexpectedExitCodeException",
    "UnexpectedExitException",
    "ProcessesStillRunningException",
    "TimeoutException",
)
#: From good to bad; INTERRUPTED is not for a file to say.
_WORSE = ("PASS", "SKIP", "CANCEL", "WARN", "FAIL", "ERROR")

#: What one test came to.
Outcome = namedtuple("Outcome", "name status reason fail_class traceback")

_log = logging.getLogger("avocado.test")


class _Installed:
    """Finds the harnesses' packages among those installed in the environment, before ours."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is not None or name not in _PACKAGES:
            return None
        elsewhere = [entry for entry in sys.path if os.path.abspath(entry or ".") != statuses._OURS]
        found = importlib.machinery.PathFinder.find_spec(name, elsewhere)
        if found is None or found.origin is None:
            _log.warning("vt.harness.prefer is \"installed\", but there is no %s: the runner's own is used", name)
            return None
        _log.info("%s is the installed one (vt.harness.prefer): %s", name, found.origin)
        return found


def _prefer(whose):
    if whose == "installed":
        sys.meta_path.insert(0, _Installed)
    elif whose != "own":
        raise statuses.LoadError('vt.harness.prefer should be "own" or "installed", but it is "%s"' % whose)


def outcome_of(name, error):
    """The outcome of a test that raised `error`."""
    verdict = statuses.verdict(error)
    if isinstance(error, unittest.SkipTest):
        verdict = verdict._replace(status="SKIP", reason=str(error))
    elif isinstance(error, AssertionError):
        verdict = verdict._replace(status="FAIL")
    elif type(error).__module__ == _PLAN and type(error).__name__ in _PLAN_FAILURES:
        verdict = verdict._replace(status="FAIL", reason=statuses._encodable(statuses._one_sentence(str(error))))
    return Outcome(name, *verdict)


class _Result(unittest.TestResult):
    """Keeps what each test came to."""

    def __init__(self):
        super().__init__()
        self.outcomes = []

    def _add(self, test, status, reason="", fail_class="", traceback=""):
        self.outcomes.append(Outcome(_name_of(test), status, reason, fail_class, traceback))

    def addSuccess(self, test):
        self._add(test, "PASS")

    def addError(self, test, err):
        self.outcomes.append(outcome_of(_name_of(test), err[1]))
        note = getattr(test, "note_failure", None)  # a packet test's
        if note is not None:
            note()

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.outcomes.append(outcome_of(str(subtest), err[1]))

    def addSkip(self, test, reason):
        self._add(test, "SKIP", reason, "TestSkipError")

    def addExpectedFailure(self, test, err):
        self._add(test, "PASS")

    def addUnexpectedSuccess(self, test):
        self._add(test, "FAIL", "it passed, but is marked as one that should fail", "TestFail")


def _name_of(test):
    method = getattr(test, "_testMethodName", None)
    return "%s.%s" % (type(test).__name__, method) if method else str(test)


def _is_case(thing):
    return inspect.isclass(thing) and issubclass(thing, unittest.TestCase)


def _one_case(module, path, selection):
    class_name, _, method = selection.partition(".")
    found = getattr(module, class_name, None)
    if not _is_case(found):
        raise statuses.LoadError("%s has no class %s that is a unittest.TestCase" % (path, class_name))
    if method and not callable(getattr(found, method, None)):
        raise statuses.LoadError("%s: %s has no method %s" % (path, class_name, method))
    if method:
        return unittest.TestSuite([found(method)])
    return unittest.defaultTestLoader.loadTestsFromTestCase(found)


def _run_cases(module, path, selection):
    cases = _one_case(module, path, selection) if selection else unittest.defaultTestLoader.loadTestsFromModule(module)
    result = _Result()
    cases.run(result)
    return result.outcomes


def _is_testplan(module, selection):
    """True if what is selected is Testplan's: a suite, or a file without unittests."""
    if selection:
        return not _is_case(getattr(module, selection.partition(".")[0], None))
    return not any(_is_case(thing) and thing.__module__ == module.__name__ for thing in vars(module).values())


def _run_testplan(module, selection, output_dir):
    from testplan import under_avocado

    suite, _, case = selection.partition(".")
    found = under_avocado.run(module, suite or None, case or None, output_dir)
    return [Outcome(one.name, one.status, one.reason, "" if one.status == "PASS" else "TestFail", one.traceback) for one in found]


def _sum_of(path, outcomes):
    """None if all passed, else the worst as the Verdict of them all."""
    if not outcomes:
        raise statuses.LoadError("%s has no test" % path)
    if len(outcomes) > 1:
        for one in outcomes:
            _log.info("%s: %s%s", one.name, one.status, ": " + one.reason if one.reason else "")
    worst = max(_WORSE.index(one.status) for one in outcomes)
    if not worst:
        return None
    bad = [one for one in outcomes if _WORSE.index(one.status) == worst]
    reason = bad[0].reason
    if len(outcomes) > 1:
        names = statuses._one_sentence("; ".join("%s: %s" % (one.name, one.reason) for one in bad))
        reason = "%d of %d tests: %s" % (len(bad), len(outcomes), names)
    traceback = "\n".join(one.traceback for one in bad if one.traceback)
    return statuses.Verdict(bad[0].status, statuses._encodable(reason), bad[0].fail_class, traceback)


def _draw(output_dir, title):
    """Leaves a picture of the drivers' lives among the results, where our drivers had some."""
    lives = sys.modules.get("testplan.common.entity.lives")
    try:
        if lives is not None:
            lives.draw(output_dir, title)
    except OSError as error:
        _log.warning("the drivers' timeline cannot be written: %s", error)


def run(kind, path, selection, output_dir, prefer):
    """Runs `selection` (Class.method, Class, or empty for all) of a file. None, or the Verdict of what went wrong."""
    logs.attach()
    os.environ["AVOCADO_TEST_OUTPUTDIR"] = os.environ["AVOCADO_TEST_LOGDIR"] = output_dir
    try:
        _prefer(prefer)
        # As where python3 runs the file, but for our own modules, which come first.
        sys.path.insert(1, os.path.dirname(path))
        if kind == "vt-packet":
            sys.path.insert(2 if prefer == "installed" else 1, os.path.join(statuses._OURS, _PACKET_MODULES))
        if not os.path.isfile(path):
            raise statuses.LoadError("the test file %s is not there" % path)
        module = files._import_file(path)
        if kind == "vt-driver" and _is_testplan(module, selection):
            return _sum_of(path, _run_testplan(module, selection, output_dir))
        return _sum_of(path, _run_cases(module, path, selection))
    except BaseException as error:
        return statuses.verdict(error)
    finally:
        if kind == "vt-driver":
            _draw(output_dir, selection or os.path.splitext(os.path.basename(path))[0])
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, ValueError, OSError):
                pass
