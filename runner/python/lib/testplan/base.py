# SPDX-License-Identifier: GPL-2.0-or-later
"""Testplan: MultiTests, run one after the other, with one report and one exit code."""

import functools
import os
import sys
import traceback

from testplan._lazy import not_here
from testplan.common.config import ConfigOption
from testplan.common.entity.base import Entity, EntityConfig
from testplan.common.report import Status
from testplan.common.utils.logger import TESTPLAN_LOGGER
from testplan.report.testing.base import ReportCategories, TestCaseReport, TestGroupReport, TestReport
from testplan.report.testing.styles import Style, StyleArg, StyleEnum

#: Options that ask for what this runner leaves to Avocado's results; they are taken, and said once.
_REPORTS = ("pdf_path", "pdf_style", "xml_dir", "http_url", "ui_port", "html_path", "exporters", "tracing_tests")


class TestplanConfig(EntityConfig):
    """Options of a plan. Those of Testplan that are about reports, pools and the like are taken and not used."""

    ignore_extra_keys = True

    @classmethod
    def get_options(cls):
        defaults = {
            "name": "Testplan", "description": None, "parse_cmdline": True, "test_filter": None, "test_sorter": None,
            "stdout_style": None, "json_path": None, "timeout": None, "path_cleanup": True,
        }
        return {ConfigOption(name, default=value): lambda _: True for name, value in defaults.items()}


class TestplanResult:
    """What a plan's run gives: `report`, `success`, `exit_code`, and what the decorated function returned."""

    __test__ = False

    def __init__(self, report=None):
        self.report = report
        self.test_results = {}
        self.decorated_value = None
        self.run = False

    @property
    def success(self):
        return bool(self.run and self.report.passed)

    @property
    def exit_code(self):
        return 0 if self.success else 1

    def __bool__(self):
        return self.success


class Testplan(Entity):
    """A plan.

    :param name: its name
    :param runpath: where it and its tests work
    :param parse_cmdline: whether sys.argv is read: --list, --patterns, --tags, --runpath, --stdout-style
    """

    __test__ = False
    CONFIG = TestplanConfig

    def __init__(self, name, **options):
        for option in _REPORTS:
            if options.pop(option, None) is not None:
                TESTPLAN_LOGGER.warning(
                    "%s is not used: Avocado's results (HTML, XUnit, JSON) are this runner's reports", option
                )
        for option, why in (("interactive_port", "the interactive mode"), ("remote_hosts", "remote drivers")):
            if options.get(option) is not None:
                raise not_here(why)
        arguments = _command_line() if options.get("parse_cmdline", True) else None
        if arguments is not None:
            options.update({key: value for key, value in vars(arguments).items() if value is not None and key != "listing"})
        super().__init__(name=name, **options)
        self._listing = bool(arguments and arguments.listing)
        self.quiet = False
        self._tests = {}
        self._resources = []
        self.result = TestplanResult(TestReport(name, self.cfg.description, category=ReportCategories.TESTPLAN))
        self.define_runpath()

    def uid(self):
        return self.cfg.name

    @property
    def name(self):
        return self.cfg.name

    @property
    def test_report(self):
        """The TestReport."""
        return self.result.report

    @property
    def tests(self):
        """The MultiTests by their names."""
        return dict(self._tests)

    def add(self, target, resource=None):
        """Adds a MultiTest, or what a function without arguments returns; returns its name."""
        from testplan.testing.multitest.base import MultiTest

        if resource is not None and resource != "local_runner":
            raise not_here(f"the pool '{resource}'", "Avocado runs test files in parallel")
        test = target if isinstance(target, MultiTest) else target()
        if not isinstance(test, MultiTest):
            raise TypeError(f"a plan consists of MultiTests, not of {type(test).__name__}")
        if test.name in self._tests:
            raise ValueError(f"the plan has a test '{test.name}' already; names of tests are their identities")
        test.parent = self
        test.cfg.parent = self.cfg
        self._tests[test.name] = test
        return test.name

    def add_resource(self, resource, uid=None):
        """Adds a driver that runs as long as the plan does."""
        if not hasattr(resource, "starting"):
            raise not_here(f"{type(resource).__name__} as a resource of a plan")
        resource.parent = self
        resource.cfg.parent = self.cfg
        self._resources.append(resource)
        return uid or resource.uid()

    def schedule(self, *_args, **_kwargs):
        raise not_here("Testplan.schedule", "pools and tasks; add() runs a MultiTest here")

    schedule_all = schedule
    add_remote_resource = schedule
    add_exporters = schedule

    def run(self):
        """Runs everything; returns the TestplanResult."""
        if self._listing:
            self._print_tests()
            self.result.run = True
            return self.result
        self.make_runpath_dirs()
        started = []
        try:
            for resource in self._resources:
                started.append(resource)
                resource.start()
                resource.wait(resource.STATUS.STARTED)
            for test in self._tests.values():
                self._run_test(test)
        except Exception:
            self._failed("Resources", traceback.format_exc())
        finally:
            for resource in reversed(started):
                resource.stop()
        self.result.run = True
        self._print_report()
        return self.result

    def _run_test(self, test):
        if not any(True for _ in test.selected()):
            return
        TESTPLAN_LOGGER.info("Running %s", test)
        try:
            self.result.test_results[test.name] = test.run()
            self.test_report.append(test.test_report)
        except Exception:
            self._failed(test.name, traceback.format_exc())

    def _failed(self, name, told):
        group = TestGroupReport(name)
        case = TestCaseReport("Running")
        case.log("ERROR", told)
        group.append(case)
        self.test_report.append(group)
        TESTPLAN_LOGGER.error("%s", told)

    def abort_dependencies(self):
        return iter(list(self._tests.values()) + self._resources)

    def _print_tests(self):
        for test in self._tests.values():
            print(test.name)
            for suite, cases in test.selected():
                print(f"  {test.name}:{suite.name}")
                for case in cases:
                    print(f"    {test.name}:{suite.name}:{case.name}")

    def _print_report(self):
        style = self.cfg.stdout_style or Style(StyleEnum.CASE, StyleEnum.ASSERTION_DETAIL)
        if not self.quiet:
            _print_group(self.test_report, style, 0)
        if self.cfg.json_path:
            import json

            with open(self.cfg.json_path, "w", encoding="utf-8") as file:
                json.dump(_as_data(self.test_report), file, indent=1)


def _as_data(report):
    data = {"name": report.name, "status": report.status.value, "logs": report.logs}
    if isinstance(report, TestGroupReport):
        data["entries"] = [_as_data(entry) for entry in report.entries]
    else:
        data["entries"] = [{"type": each.kind, "passed": bool(each), "text": each.sentence()} for each in report.entries]
    return data


def _print_group(report, style, depth):
    passed = report.passed
    if depth == 1 and not style.display_test(passed) or depth == 2 and not style.display_testsuite(passed):
        return
    for entry in report.entries:
        if isinstance(entry, TestGroupReport):
            _print_group(entry, style, depth + 1)
        elif style.display_testcase(entry.passed):
            _print_case(entry, style, depth + 1)
    print(f"{'  ' * depth}[{report.name}] -> {report.status.value}")


def _print_case(case, style, depth):
    for line in case.logs:
        print("\n".join("  " * (depth + 1) + part for part in line["message"].splitlines()))
    if style.display_assertion(case.passed):
        for entry in case.entries:
            mark = "" if entry.kind == "Log" else ("Pass - " if entry else "Fail - ")
            print(f"{'  ' * (depth + 1)}{mark}{entry.sentence()}")
    print(f"{'  ' * depth}[{case.name}] -> {case.status.value}")


class TestplanMock(Testplan):
    """A plan that does not look at sys.argv."""

    def __init__(self, name="plan", **options):
        options["parse_cmdline"] = False
        options.setdefault("stdout_style", StyleArg.RESULT_ONLY.value)
        super().__init__(name, **options)


def _command_line():
    """What sys.argv says, in the words of Testplan that are known here."""
    import argparse

    from testplan.testing.filtering import Pattern, Tags

    parser = argparse.ArgumentParser(prog=os.path.basename(sys.argv[0] or "test_plan"))
    parser.add_argument("--list", action="store_true", dest="listing", help="list the cases and run nothing")
    parser.add_argument("--patterns", type=Pattern, dest="test_filter", metavar="TEST:SUITE:CASE", help="run these only")
    parser.add_argument("--tags", type=Tags, dest="test_filter", help="run cases with this tag only")
    parser.add_argument("--runpath", help="where the plan works")
    parser.add_argument("--json", dest="json_path", metavar="FILE", help="write the report to this file")
    parser.add_argument("--stdout-style", type=StyleArg.parse, help="result-only, summary, extended-summary or detailed")
    return parser.parse_args()


def test_plan(name="Testplan", **options):
    """Decorator: `main(plan)` (or `main(plan, parser)`) adds tests; called without arguments, it runs the plan.

    What it returns then is the TestplanResult; a value that the function returns is its `decorated_value`."""
    if callable(name):
        raise TypeError("@test_plan needs arguments: @test_plan(name='MyPlan')")

    def decorate(function):
        def build(**overrides):
            plan = Testplan(name, **{**options, **overrides})
            if function.__code__.co_argcount > 1:
                raise not_here("a plan with a parser of its own", "take options from the environment")
            plan.result.decorated_value = function(plan)
            return plan

        @functools.wraps(function)
        def main():
            plan = build()
            result = plan.run()
            value = result.decorated_value
            if isinstance(value, bool) and not value:
                result.report.status_override = Status.FAILED
            return result

        main.build_plan = build
        return main

    return decorate


test_plan.__test__ = False
