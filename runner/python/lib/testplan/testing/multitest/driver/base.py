# SPDX-License-Identifier: GPL-2.0-or-later
"""Driver: a resource with a name, files, logs that are read for values, and checks of its start and end."""

import os
import time

import _vt
from testplan.common.config import UNSET, UNSET_T, ConfigOption, validate_func
from testplan.common.config.check import Or
from testplan.common.entity.base import FailedAction, Resource, ResourceConfig, is_number
from testplan.common.utils.context import render
from testplan.common.utils.documentation_helper import emphasized, get_metaclass_for_documentation
from testplan.common.utils.path import instantiate
from testplan.common.utils.timing import (
    DEFAULT_INTERVAL,
    TimeoutException,
    TimeoutExceptionInfo,
    get_sleeper,
)


def _warn_of_old_option():
    import warnings

    warnings.warn(
        "report_errors_from_logs is not needed any more: a failure's report always has the last lines of the logs",
        DeprecationWarning,
        stacklevel=3,
    )


def is_tls(value):
    """Whether it says how to speak TLS."""
    return value is None or isinstance(value, bool) or hasattr(value, "get_context")


class DriverConfig(ResourceConfig):
    """Options of every driver."""

    @classmethod
    def get_options(cls):
        return {
            "name": str,
            ConfigOption("install_files", default=None): Or(None, list),
            ConfigOption("timeout", default=300): is_number,
            ConfigOption("log_regexps", default=None): Or(None, list),
            ConfigOption("stdout_regexps", default=None): Or(None, list),
            ConfigOption("stderr_regexps", default=None): Or(None, list),
            ConfigOption("file_logger", default=None): Or(None, str),
            ConfigOption("async_start", default=UNSET): Or(UNSET_T, bool),
            ConfigOption("error_logs_max_lines", default=10): int,
            ConfigOption("path_cleanup", default=True): bool,
            ConfigOption("pre_start", default=None): validate_func("driver"),
            ConfigOption("post_start", default=None): validate_func("driver"),
            ConfigOption("pre_stop", default=None): validate_func("driver"),
            ConfigOption("post_stop", default=None): validate_func("driver"),
        }


class Driver(Resource, metaclass=get_metaclass_for_documentation()):
    """What all drivers have in common.

    {emphasized_members_docs}

    :param name: its name, by which the environment knows it
    :param install_files: files to be filled in and put where it looks for them: a path, or (source, target)
    :param timeout: seconds for its start, and for its end
    :param log_regexps: expressions that its log has to match before it counts as started; named groups are `extracts`
    :param stdout_regexps: the same for its standard output
    :param stderr_regexps: the same for its standard error
    :param file_logger: a file in its run path for its own log lines
    :param async_start: whether its environment goes on while it starts
    :param error_logs_max_lines: how many lines of each log a report of a failure has
    :param path_cleanup: whether its run path is emptied before
    :param pre_start: called with the driver before it starts; so are post_start, pre_stop and post_stop
    """

    CONFIG = DriverConfig
    EXTRACTORS = []

    def __init__(
        self,
        name,
        install_files=None,
        timeout=300,
        log_regexps=None,
        stdout_regexps=None,
        stderr_regexps=None,
        file_logger=None,
        async_start=UNSET,
        error_logs_max_lines=10,
        pre_start=None,
        post_start=None,
        pre_stop=None,
        post_stop=None,
        **options,
    ):
        if options.pop("report_errors_from_logs", None) is not None:
            _warn_of_old_option()
        options.update(self.filter_locals(locals()))
        super().__init__(**options)
        self.extracts = {}
        self._file_log_handler = None
        self._async_start_override = None
        self._matchers = {}

    def __str__(self):
        return f"{type(self).__name__}[{self.name}]"

    @emphasized
    @property
    def name(self):
        """Driver name."""
        return self.cfg.name

    @emphasized
    def uid(self):
        """Driver uid."""
        return self.cfg.name

    @property
    def async_start(self):
        """Whether its environment goes on while it starts."""
        if self._async_start_override is not None:
            return self._async_start_override
        return self.cfg.async_start

    @async_start.setter
    def async_start(self, async_start_override):
        self._async_start_override = async_start_override

    @property
    def started_check_interval(self):
        """Seconds between two looks whether it has started, or (the first, the longest) of intervals that double."""
        return DEFAULT_INTERVAL

    @property
    def stopped_check_interval(self):
        """The same for its end."""
        return DEFAULT_INTERVAL

    @property
    def start_timeout(self):
        """Seconds that its start may take."""
        return self.cfg.timeout

    @property
    def stop_timeout(self):
        """Seconds that its end may take."""
        return self.cfg.timeout

    def pre_start(self):
        """Makes its directories and installs its files."""
        self._matchers = {}
        self.extracts = {}
        self.make_runpath_dirs()
        if self.cfg.install_files:
            self.install_files()

    def starting(self):
        """Triggers driver start."""
        self._setup_file_logger()

    def stopping(self):
        """Triggers driver stop."""
        self._close_file_logger()

    def aborting(self):
        """Triggers driver abort."""
        self._close_file_logger()

    def started_check(self):
        """Whether it has started: all expressions for its logs have matched. False, or an object that is false and has
        the reason, if it has not yet."""
        return self.extract_values()

    def stopped_check(self):
        """Whether it has ended."""
        return True

    def stopped_check_with_watch(self, watch):
        """stopped_check(), or a TimeoutException when the watch's time is over."""
        if time.time() >= watch.start_time + watch.total_wait:
            raise TimeoutException(
                f"Timeout when stopping {self}. {TimeoutExceptionInfo(watch.start_time).msg()}"
            )
        return self.stopped_check() if watch.should_check() else False

    def wait(self, target_status, timeout=None):
        """Waits until it has this status. Raises TimeoutException."""
        handler = self._wait_handlers.get(target_status)
        if handler is None:
            super().wait(target_status, timeout)
        else:
            handler(timeout=timeout)

    def _wait_started(self, timeout=None):
        info = TimeoutExceptionInfo()
        answer = None
        sleeper = get_sleeper(self.started_check_interval, self.start_timeout if timeout is None else timeout)
        while next(sleeper):
            answer = self.started_check()
            if answer:
                break
        else:
            raise TimeoutException(
                f"Timeout when starting {self}. {info.msg()}\n\n{getattr(answer, 'error_msg', '')}"
            )
        super()._wait_started(timeout=timeout)

    def _wait_stopped(self, timeout=None):
        sleeper = get_sleeper(
            self.stopped_check_interval,
            self.stop_timeout if timeout is None else timeout,
            raise_timeout_with_msg=lambda: f"Timeout when stopping {self}",
            timeout_info=True,
        )
        while next(sleeper):
            if self.stopped_check():
                break
        super()._wait_stopped(timeout=timeout)

    @property
    def logpath(self):
        """The log that log_regexps are for: its standard output, unless a class says otherwise."""
        return self.outpath

    @property
    def outpath(self):
        """The file with its standard output."""
        return None

    @property
    def errpath(self):
        """The file with its standard error."""
        return None

    def extract_values(self):
        """Reads what is new in its logs: True once all expressions have matched. `extracts` has the named groups."""
        from testplan.common.utils.match import FileMatcher

        told = ""
        for option, path in (
            ("log_regexps", self.logpath),
            ("stdout_regexps", self.outpath),
            ("stderr_regexps", self.errpath),
        ):
            regexps = getattr(self.cfg, option)
            if not path or not regexps:
                continue
            matcher = self._matchers.get(option)
            if matcher is None or matcher.path != str(path) or matcher.regexps != regexps:
                matcher = self._matchers[option] = FileMatcher(path, regexps)
            done, values, left = matcher.look()
            for key, value in values.items():
                self.extracts[key] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            if not done:
                told += f"\tFile: {path}\n\tUnmatched {option}: {left!r}\n\n"
        if not told:
            return True
        if self.extracts:
            told += "Extracted Values:\n" + "\n".join(f"\t{key}: {value}" for key, value in self.extracts.items())
        return FailedAction(error_msg=f"{self} started_check failed, unmatched regexps:\n{told}")

    def _install_target(self):
        raise NotImplementedError(
            f"{type(self).__name__} does not say where files are installed; give (source, target) with a whole path"
        )

    def install_files(self):
        """Fills in the files of `install_files` and puts them where they belong."""
        context = self.context_input()
        for item in self.cfg.install_files:
            if isinstance(item, str):
                source, target = render(item, context), self._install_target()
                if not os.path.isfile(source):
                    raise ValueError(f"{source} is not a file")
            elif isinstance(item, tuple) and len(item) == 2:
                source, target = (render(path, context) for path in item)
                if not os.path.isabs(target):
                    target = os.path.join(self._install_target(), target)
            else:
                raise ValueError(f"a file to be installed is a path or (source, target), not {item!r}")
            instantiate(source, context, target)
            self.logger.debug("%s: installed file %s to %s", self, source, target)

    def _setup_file_logger(self):
        if self._file_log_handler is not None:
            raise RuntimeError(f"{self}: File logger already exists")
        if self.cfg.file_logger and self._runpath is not None:
            import logging

            self._file_log_handler = logging.FileHandler(os.path.join(self.runpath, self.cfg.file_logger))
            self._file_log_handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            self.logger.addHandler(self._file_log_handler)
            self.logger.setLevel(logging.DEBUG)
            self.logger.propagate = False

    def _close_file_logger(self):
        if self._file_log_handler is not None:
            self._file_log_handler.close()
            self.logger.removeHandler(self._file_log_handler)
            self._file_log_handler = None
            self.logger.setLevel(0)
            self.logger.propagate = True

    def fetch_error_log(self):
        """The last lines of its logs, each with the name of its file."""
        paths = [self.errpath, self.outpath, self.logpath]
        if self.cfg.file_logger and self._runpath is not None:
            paths.append(os.path.join(self.runpath, self.cfg.file_logger))
        content = []
        for path in dict.fromkeys(path for path in paths if path):
            lines = _vt.driver.last_lines(path, max(self.cfg.error_logs_max_lines, 0))
            if lines:
                content += ([""] if content else []) + [f"Information from log file: {path}"]
                content += [f"  {line}" for line in lines]
        return content

    def get_connections(self):
        """What it is connected with, as its EXTRACTORS see it."""
        return [info for extractor in self.EXTRACTORS for info in extractor.extract_connection(self)]
