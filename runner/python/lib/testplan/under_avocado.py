# SPDX-License-Identifier: GPL-2.0-or-later
"""A file of Testplan's as a test of Avocado: its cases become results."""

import os

from testplan.base import TestplanMock
from testplan.common.report import Status
from testplan.testing.filtering import Filter

_STATUS = {
    Status.PASSED: "PASS",
    Status.XFAIL: "PASS",
    Status.XPASS: "PASS",
    Status.UNSTABLE: "PASS",
    Status.SKIPPED: "SKIP",
    Status.FAILED: "FAIL",
    Status.XPASS_STRICT: "FAIL",
}


class CaseResult:
    """How one case ended: `name`, `status` (PASS, FAIL, ERROR or SKIP), `reason` and `traceback`."""

    def __init__(self, name, report):
        self.name = name
        self.status = _STATUS.get(report.status, "ERROR")
        self.reason = report.reason if self.status != "PASS" else ""
        self.traceback = report.traceback

    def __repr__(self):
        return f"{self.status} {self.name}{': ' + self.reason if self.reason else ''}"


class _Chosen(Filter):
    """One suite's class, perhaps one of its cases."""

    def __init__(self, suite, case):
        self._suite, self._case = suite, case

    def filter(self, test, suite, case):
        if self._suite is not None and type(suite).__name__ != self._suite:
            return False
        return self._case is None or case.method_name == self._case


def _tests_of(module):
    """The MultiTests of a file without @test_plan: those that it holds, else those that functions make
    (`get_multitest(name)` and the like), else one over its suites alone."""
    from testplan.testing.multitest.base import MultiTest

    tests = [value for value in vars(module).values() if isinstance(value, MultiTest)]
    if tests:
        return tests
    for name, function in vars(module).items():
        code = getattr(function, "__code__", None)
        if code is None or function.__module__ != module.__name__ or "multitest" not in name.replace("_", "").lower():
            continue
        required = code.co_argcount - len(function.__defaults__ or ())
        if required <= 1:
            tests.append(function(*[_plan_name(module)] * required))
    if tests:
        return tests
    suites = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and "__testcases__" in vars(value) and value.__module__ == module.__name__
    ]
    if not suites:
        raise ValueError(f"{module.__file__} has neither a @test_plan function nor a MultiTest nor a @testsuite class")
    return [MultiTest(name=_plan_name(module), suites=[suite() for suite in suites])]


def _plan_name(module):
    return os.path.splitext(os.path.basename(module.__file__))[0]


def run(module, suite=None, case=None, output_dir=None):
    """Runs the plan of a module: all of it, one suite's class, or one method of it. Returns a CaseResult for each case
    (and for what keeps cases from running: a driver that does not start)."""
    options = {"parse_cmdline": False, "test_filter": _Chosen(suite, case)}
    if output_dir:
        options["runpath"] = os.path.join(output_dir, "testplan")
    makers = [value for value in vars(module).values() if hasattr(value, "build_plan")]
    plans = [maker.build_plan(**options) for maker in makers]
    if not plans:
        options.pop("parse_cmdline")
        plans = [TestplanMock(_plan_name(module), **options)]
        for test in _tests_of(module):
            plans[0].add(test)
    results = []
    for plan in plans:
        plan.quiet = True  # Avocado shows the results
        plan.run()
        for test in plan.test_report.entries:
            results += _results_of(test, test.name)
    if not results:
        wanted = ".".join(name for name in (suite, case) if name)
        raise ValueError(f"{module.__file__} has no case {wanted}; `avocado list` shows those that it has")
    return results


def _results_of(group, place):
    for entry in group.entries:
        name = f"{place}.{entry.name}"
        if hasattr(entry, "cases"):
            yield from _results_of(entry, name)
        elif entry.category == "testcase" or not entry.passed:
            yield CaseResult(name, entry)
