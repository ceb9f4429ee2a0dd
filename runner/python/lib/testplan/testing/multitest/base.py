# SPDX-License-Identifier: GPL-2.0-or-later
"""MultiTest: starts its drivers, runs the cases of its suites with them, stops the drivers, and reports."""

import traceback

from testplan.common.config import ConfigOption
from testplan.common.config.check import Or
from testplan.common.entity.runnable import Runnable, RunnableConfig, RunnableResult
from testplan.common.report import Status
from testplan.common.utils.logger import TESTPLAN_LOGGER
from testplan.common.utils.timing import timeout as time_limit
from testplan.report.testing.base import ReportCategories, TestCaseReport, TestGroupReport
from testplan.testing.environment import TestEnvironment, parse_dependency
from testplan.testing.filtering import Filter
from testplan.testing.multitest.result import Result, SkipTestcaseException
from testplan.testing.multitest.suite import cases_of, suite_name
from testplan.testing.ordering import NoopSorter


def _any(_):
    return True


class RuntimeEnvironment:
    """What a case sees of its environment: drivers and the initial context, as attributes and items."""

    def __init__(self, environment):
        self._environment = environment

    def __getattr__(self, name):
        if name == "_environment":
            raise AttributeError(name)
        return getattr(self._environment, name)

    def __getitem__(self, name):
        return self._environment[name]

    def __contains__(self, name):
        return name in self._environment

    def __iter__(self):
        return iter(self._environment)

    def __len__(self):
        return len(self._environment)

    def __repr__(self):
        return f"RuntimeEnvironment[{self._environment!r}]"


class MultiTestConfig(RunnableConfig):
    """Options of a MultiTest."""

    @classmethod
    def get_options(cls):
        plain = dict.fromkeys(
            (
                "description", "error_handler", "before_start", "after_start", "before_stop", "after_stop", "tags",
                "stdout_style", "part", "multi_part_uid", "thread_pool_size", "max_thread_pool_size", "stop_on_error",
                "uid", "skip_strategy", "testcase_timeout", "timeout", "driver_info", "fix_spec_path",
                "testcase_report_target", "xfail_tests",
            )
        )
        return {
            "name": str,
            "suites": Or(list, tuple, lambda suite: hasattr(type(suite), "__testcases__")),
            ConfigOption("environment", default=[]): Or(list, tuple, callable),
            ConfigOption("dependencies", default=None): Or(None, dict, callable),
            ConfigOption("initial_context", default={}): Or(dict, callable),
            ConfigOption("test_filter"): lambda value: hasattr(value, "filter"),
            ConfigOption("test_sorter"): lambda value: hasattr(value, "sorted_testcases"),
            ConfigOption("result", default=Result): lambda value: issubclass(value, Result),
            **{ConfigOption(name, default=value): _any for name, value in plain.items()},
        }


class MultiTestResult(RunnableResult):
    """`report` is a TestGroupReport."""

    def __init__(self):
        super().__init__()
        self.report = None


class MultiTest(Runnable):
    """Suites over an environment.

    :param name: its name
    :param suites: instances of classes with @testsuite
    :param environment: drivers, or a function that returns them
    :param dependencies: {first: then} of drivers; those that do not wait for each other start at once
    :param initial_context: values that cases find in `env` beside the drivers
    :param before_start: called with the environment before it is started; so are after_start, before_stop, after_stop
    """

    CONFIG = MultiTestConfig
    RESULT = MultiTestResult
    ENVIRONMENT = TestEnvironment

    def __init__(self, name, suites, **options):
        super().__init__(name=name, suites=suites, **options)
        if self.cfg.part is not None:
            from testplan._lazy import not_here

            raise not_here("a MultiTest in parts", "Avocado runs test files in parallel")
        suites = self.cfg.suites
        self.suites = list(suites) if isinstance(suites, (list, tuple)) else [suites]
        for suite in self.suites:
            list(cases_of(suite))  # what is wrong with a suite is said before anything is started
        self.result.report = TestGroupReport(name, self.cfg.description, category=ReportCategories.MULTITEST)
        if not callable(self.cfg.environment):
            self._fill_environment()

    def __str__(self):
        return f"{type(self).__name__}[{self.name}]"

    @property
    def name(self):
        return self.cfg.name

    def uid(self):
        return self.cfg.name

    @property
    def test_report(self):
        """The TestGroupReport."""
        return self.result.report

    def _fill_environment(self):
        drivers = self.cfg.environment
        for driver in drivers() if callable(drivers) else drivers:
            driver.parent = self
            driver.cfg.parent = self.cfg
            self.resources.add(driver)
        if not callable(self.cfg.dependencies):
            self._set_dependencies(self.cfg.dependencies)
        if not callable(self.cfg.initial_context):
            self.resources._initial_context.update(self.cfg.initial_context)

    def _set_dependencies(self, dependencies):
        if dependencies is not None:
            self.resources.set_dependency(parse_dependency(dependencies))

    def setup(self):
        """Makes its directories, and what its functions make."""
        self.make_runpath_dirs()
        if callable(self.cfg.environment):
            self._fill_environment()
        if callable(self.cfg.dependencies):
            self._set_dependencies(self.cfg.dependencies())
        if callable(self.cfg.initial_context):
            self.resources._initial_context.update(self.cfg.initial_context())

    def _option(self, name, fallback):
        """The plan's, if it has not got one itself."""
        try:
            return getattr(self.cfg, name)
        except AttributeError:
            return fallback

    def add_start_resource_steps(self):
        self._add_step(self._hook, "before_start")
        self._add_step(self._start_environment)

    def add_main_batch_steps(self):
        self._add_step(self.run_tests)

    def add_stop_resource_steps(self):
        self._add_step(self._stop_environment)
        self._add_step(self._hook, "after_stop")

    def _synthesized(self, group, case):
        """A case of ours in the report: the start and the end of the environment, setups, hooks."""
        try:
            found = self.test_report.get_by_uid(group)
        except KeyError:
            found = TestGroupReport(group, category=ReportCategories.SYNTHESIZED)
            self.test_report.append(found)
        report = TestCaseReport(case, category=ReportCategories.SYNTHESIZED)
        found.append(report)
        return report

    def _step_failed(self, name, error):
        self._synthesized("Environment Error", name).log("ERROR", traceback.format_exc())

    def _hook(self, name):
        hook = getattr(self.cfg, name)
        if hook is None:
            return
        group = "Environment Start" if name.endswith("_start") else "Environment Stop"
        report = self._synthesized(group, name)
        result = self.cfg.result()
        self._call(report, result, hook, self._runtime_environment())

    def _start_environment(self):
        self.resources.start()
        if self.resources.start_exceptions:
            report = self._synthesized("Environment Start", "Starting")
            for told in self.resources.start_exceptions.values():
                report.log("ERROR", told)
            return
        self._hook("after_start")

    def _stop_environment(self):
        self._hook("before_stop")
        self.resources.stop(is_reversed=True)
        if self.resources.stop_exceptions:
            report = self._synthesized("Environment Stop", "Stopping")
            for told in self.resources.stop_exceptions.values():
                report.log("ERROR", told)

    def _runtime_environment(self):
        return RuntimeEnvironment(self.resources)

    def selected(self):
        """Suites with the cases of them that are to run, in order."""
        test_filter = self._option("test_filter", None) or Filter()
        sorter = self._option("test_sorter", None) or NoopSorter()
        for suite in sorter.sorted_testsuites(self.suites):
            cases = [case for case in cases_of(suite) if test_filter.filter(self, suite, case)]
            if cases:
                yield suite, sorter.sorted_testcases(suite, cases)

    def run_tests(self):
        """Runs the cases, unless the environment is not up."""
        if self.test_report.failed:
            return
        environment = self._runtime_environment()
        for suite, cases in self.selected():
            if not self.active:
                return
            self._run_suite(suite, cases, environment)

    def _run_suite(self, suite, cases, environment):
        group = TestGroupReport(suite_name(suite), type(suite).__doc__, category=ReportCategories.TESTSUITE)
        self.test_report.append(group)
        TESTPLAN_LOGGER.info("[%s] %s", self.name, group.name)
        if any(predicate(suite) for predicate in getattr(type(suite), "__skip__", ())):
            group.status_override = Status.SKIPPED
            return
        with group.timer.record("run"):
            if self._run_fixture(suite, "setup", environment, group):
                for case in cases:
                    if not self.active:
                        break
                    self._run_case(suite, case, environment, group)
            self._run_fixture(suite, "teardown", environment, group)

    def _run_fixture(self, suite, name, environment, group):
        """setup() or teardown() of a suite; True if nothing went wrong."""
        fixture = getattr(suite, name, None)
        if fixture is None:
            return True
        report = TestCaseReport(name, category=ReportCategories.SYNTHESIZED)
        group.append(report)
        limit = getattr(fixture, "__timeout__", None)
        self._call(report, self.cfg.result(), fixture, environment, limit=limit)
        return report.passed

    def _run_case(self, suite, case, environment, group):
        report = TestCaseReport(case.name, case.function.__doc__, category=ReportCategories.TESTCASE)
        report.suite, report.method_name = type(suite).__name__, case.method_name
        group.append(report)
        TESTPLAN_LOGGER.info("[%s] %s -> %s", self.name, group.name, case.name)
        if case.skipped:
            report.status_override = Status.SKIPPED
            report.status_reason = "a predicate of @skip_if said so"
            return
        result = self.cfg.result()
        limit = case.options.get("timeout") or self.cfg.testcase_timeout
        with report.timer.record("run"):
            self._around(suite, "pre_testcase", case, environment, report, result)
            if not report.logs:
                self._call(report, result, case, environment, limit=limit, with_result=True)
            self._around(suite, "post_testcase", case, environment, report, result)
        self._judge_expected(case.xfail, report)
        TESTPLAN_LOGGER.info("[%s] -> %s", case.name, report.status.value)

    def _around(self, suite, name, case, environment, report, result):
        hook = getattr(suite, name, None)
        if hook is not None:
            try:
                hook(case.name, environment, result)
            except Exception:
                self._caught(report)

    @staticmethod
    def _judge_expected(expected, report):
        if expected is None or report.status == Status.SKIPPED:
            return
        if not report.passed:
            report.status_override, report.status_reason = Status.XFAIL, expected["reason"]
        elif expected["strict"]:
            report.status_override = Status.XPASS_STRICT
            report.status_reason = f"it passed, but was expected to fail: {expected['reason']}"
        else:
            report.status_override = Status.XPASS

    @staticmethod
    def _caught(report):
        report.traceback = traceback.format_exc()
        report.log("ERROR", report.traceback)
        TESTPLAN_LOGGER.error("%s", report.traceback)

    def _call(self, report, result, function, environment, limit=None, with_result=None):
        """A function of the script, with what it takes of (env, result); its entries and exceptions go to the report."""
        if with_result is None:
            from testplan.common.utils.interface import method_arguments

            with_result = len(method_arguments(function)) > 1
        arguments = (environment, result) if with_result else (environment,)
        try:
            if limit:
                self._call_limited(function, arguments, limit)
            else:
                function(*arguments)
        except SkipTestcaseException as skipped:
            report.status_override, report.status_reason = Status.SKIPPED, str(skipped)
        except Exception:
            self._caught(report)
        report.entries = list(result.entries)

    @staticmethod
    def _call_limited(function, arguments, limit):
        raised = []

        def guarded():
            try:
                function(*arguments)
            except Exception as error:
                raised.append(error)

        time_limit(limit, "the case was given up after {} seconds")(guarded)()
        if raised:
            raise raised[0]
