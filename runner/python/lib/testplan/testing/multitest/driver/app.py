# SPDX-License-Identifier: GPL-2.0-or-later
"""App: a program as a driver. The core starts it, reads its output and ends it with all that it has started."""

import datetime
import os
import shutil
import signal
import socket
import time

import _vt
from testplan._lazy import not_here
from testplan.common.config import ConfigOption
from testplan.common.config.check import Or, Use
from testplan.common.utils.context import expand, is_context, render
from testplan.common.utils.documentation_helper import emphasized
from testplan.common.utils.path import StdFiles, archive, makedirs
from testplan.common.utils.timing import TimeoutException
from testplan.testing.multitest.driver.base import Driver, DriverConfig
from testplan.testing.multitest.driver.connection import (
    SubprocessFileConnectionExtractor,
    SubprocessPortConnectionExtractor,
)

_STRATEGIES = ("copy", "link", "noop")


class Process:
    """The running program, with the words of subprocess.Popen."""

    def __init__(self, *args):
        self._core = _vt.driver.Program(*args)
        self.pid = self._core.pid
        self.args = args[1]

    @property
    def returncode(self):
        return self._core.returncode

    def poll(self):
        return self._core.poll()

    def wait(self, timeout=None):
        return self._core.wait(timeout)

    def send_signal(self, number):
        self._core.send_signal(int(number))

    def terminate(self):
        self._core.send_signal(int(signal.SIGTERM))

    def kill(self):
        """SIGKILL for it and for what it has started."""
        self._core.end()

    def communicate(self, input=None, timeout=None):
        """Writes to its standard input, closes that, and waits for the end. Its output is in its files."""
        if input:
            self._core.write(input)
        self._core.close_input()
        self._core.wait(timeout)
        return None, None

    def report(self):
        """How it ended and what it said last, for people."""
        return self._core.report()


class AppConfig(DriverConfig):
    """Options of an App."""

    @classmethod
    def get_options(cls):
        return {
            "binary": str,
            ConfigOption("pre_args", default=None): Or(None, list),
            ConfigOption("args", default=None): Or(None, list),
            ConfigOption("shell", default=False): bool,
            ConfigOption("env", default=None): Or(None, dict),
            ConfigOption("binary_strategy", default="link"): lambda value: value in _STRATEGIES,
            ConfigOption("logname", default=None): Or(None, str),
            ConfigOption("app_dir_name", default=None): Or(None, str),
            ConfigOption("working_dir", default=None): Or(None, str),
            ConfigOption("expected_retcode", default=None): Or(None, int),
            ConfigOption("stop_signal", default=None): Or(None, signal.Signals),
            ConfigOption("stop_timeout", default=5): Use(float),
            ConfigOption("binary_log", default=False): bool,
        }


class App(Driver):
    """A program.

    {emphasized_members_docs}

    :param name: its name
    :param binary: the program: a path, or a name on PATH
    :param pre_args: words before it; each may be a context value
    :param args: words behind it; each may be a context value
    :param shell: whether the words are one command of the shell
    :param env: variables added to the environment: context values, or texts with {{names}} of its own
    :param binary_strategy: what stands in bin/ of its run path: a "link" to the program, a "copy", or nothing ("noop")
    :param logname: its log below app_path, which log_regexps are for; its standard output if there is none
    :param app_dir_name: the directory in its run path for its output and logs; the run path itself if there is none
    :param working_dir: where it works; its run path if there is none
    :param expected_retcode: what its end has to be; None: anything
    :param stop_signal: what it is stopped with; SIGTERM if there is none
    :param stop_timeout: seconds until it gets SIGKILL
    :param binary_log: whether its log is bytes
    """

    CONFIG = AppConfig
    EXTRACTORS = [SubprocessFileConnectionExtractor(), SubprocessPortConnectionExtractor()]

    def __init__(
        self,
        name,
        binary,
        pre_args=None,
        args=None,
        shell=False,
        env=None,
        binary_strategy="link",
        logname=None,
        app_dir_name=None,
        working_dir=None,
        expected_retcode=None,
        stop_signal=None,
        stop_timeout=5,
        binary_log=False,
        **options,
    ):
        options.update(self.filter_locals(locals()))
        if "sigint_timeout" in options:
            import warnings

            options["stop_timeout"] = options.pop("sigint_timeout")
            warnings.warn("sigint_timeout is called stop_timeout now", DeprecationWarning, stacklevel=2)
        super().__init__(**options)
        self.proc = None
        self.std = None
        self._retcode = None
        self._binary = None
        self._resolved_bin = None
        self._env = None

    @emphasized
    @property
    def pid(self):
        """Its process id; None while it does not run."""
        return self.proc.pid if self.proc else None

    @property
    def retcode(self):
        """How it ended: a negative number is a signal; None if it has not."""
        if self._retcode is None and self.proc:
            self._retcode = self.proc.poll()
        return self._retcode

    @emphasized
    @property
    def cmd(self):
        """The words that start it."""
        words = [*(self.cfg.pre_args or []), self.binary, *(self.cfg.args or [])]
        return [expand(word, self.context, str) if is_context(word) else word for word in words]

    @emphasized
    @property
    def env(self):
        """What is added to the environment; None if nothing is."""
        if self._env is None and self.cfg.env is not None:
            values = None
            self._env = {}
            for key, value in self.cfg.env.items():
                if is_context(value):
                    value = expand(value, self.context, str)
                elif isinstance(value, str) and "{" in value:
                    values = values or self.context_input(exclude=["env"])
                    value = render(value, values)
                self._env[key] = value
        return self._env

    @emphasized
    @property
    def logname(self):
        """The name of its log."""
        return self.cfg.logname

    @emphasized
    @property
    def logpath(self):
        """The log that log_regexps are for."""
        return os.path.join(self.app_path, self.logname) if self.logname else self.outpath

    @emphasized
    @property
    def outpath(self):
        """The file with its standard output."""
        return self.std.out_path if self.std else None

    @emphasized
    @property
    def errpath(self):
        """The file with its standard error."""
        return self.std.err_path if self.std else None

    @emphasized
    @property
    def app_path(self):
        """The directory for its output and logs."""
        return os.path.join(self.runpath, self.cfg.app_dir_name) if self.cfg.app_dir_name else self.runpath

    @emphasized
    @property
    def binpath(self):
        """bin/ in its run path."""
        return self.runpath and os.path.join(self.runpath, "bin")

    @emphasized
    @property
    def etcpath(self):
        """etc/ in its run path, where files are installed."""
        return self.runpath and os.path.join(self.runpath, "etc")

    @emphasized
    @property
    def binary(self):
        """The program that is run: what binary_strategy makes of it."""
        if self._binary is None:
            self._binary = self.resolved_bin
            if os.path.isfile(self._binary) and self.binpath and self.cfg.binary_strategy != "noop":
                self._binary = self._bring_here(self._binary)
        return self._binary

    def _bring_here(self, program):
        makedirs(self.binpath)
        target = os.path.join(self.binpath, os.path.basename(program))
        if os.path.lexists(target):
            os.remove(target)
        if self.cfg.binary_strategy == "copy":
            shutil.copy(program, target)
        else:
            os.symlink(os.path.abspath(program), target)
        return target

    @property
    def resolved_bin(self):
        """The program before binary_strategy."""
        if self._resolved_bin is None:
            self._resolved_bin = self._prepare_binary()
        return self._resolved_bin

    def _prepare_binary(self):
        """For classes that look for their program."""
        return self.cfg.binary

    @property
    def hostname(self):
        """The name of this host."""
        return socket.gethostname()

    @property
    def stop_timeout(self):
        """Seconds until it gets SIGKILL."""
        return self.cfg.stop_timeout

    def __getattr__(self, name):
        if name == "log_matcher":  # no attribute: templates would ask for it
            raise not_here("App.log_matcher", "log_regexps and extracts read the log, logpath is its file")
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def make_runpath_dirs(self):
        """Makes its directories: its run path, bin/, etc/ and app_path."""
        super().make_runpath_dirs()
        for directory in (self.binpath, self.etcpath, self.app_path):
            makedirs(directory)
        self.std = StdFiles(self.app_path)
        self.std.close()  # the core writes them

    def _install_target(self):
        return self.etcpath

    def starting(self):
        """Starts the program."""
        super().starting()
        words = self.cmd
        argv = ["/bin/sh", "-c", " ".join(words)] if self.cfg.shell else words
        place = self.cfg.working_dir or self.runpath
        self.logger.info("%s runs %s in %s", self, " ".join(words), place)
        self._retcode = None
        environment = {key: value for key, value in (self.env or {}).items() if value is not None}
        self.proc = Process(self.cfg.name, argv, place, environment, self.outpath, self.errpath)

    def started_check(self):
        """Whether its logs say so. RuntimeError once it has ended without."""
        # The end first: what it has said by then is in the logs.
        ended = self.proc.poll()
        answer = self.extract_values()
        if ended is not None and not answer:
            raise RuntimeError(f"{self} has unexpectedly stopped with: {ended}; {self.proc.report()}")
        return answer

    def stopping(self):
        """Asks the program to end."""
        if self.proc is not None and self.retcode is None:
            self.proc.send_signal(self.cfg.stop_signal or signal.SIGTERM)
        super().stopping()

    def stopped_check(self):
        """Whether it has ended; what it has left behind ends now."""
        if self.proc is None:
            return True
        if self.retcode is None:
            return False
        self.proc.kill()
        return True

    def stopped_check_with_watch(self, watch):
        """The same; SIGKILL when the watch's time is over."""
        if time.time() >= watch.start_time + watch.total_wait:
            self._kill_late()
        return self.stopped_check() if watch.should_check() else False

    def _kill_late(self):
        if self.proc is not None and self.retcode is None:
            self.logger.warning("%s still alive after %s seconds, killing", self, self.stop_timeout)
            self.proc.kill()

    def _wait_stopped(self, timeout=None):
        try:
            super()._wait_stopped(timeout)
        except TimeoutException:
            self._kill_late()
            self.stopped_check()
            self._mark_stopped()

    def post_stop(self):
        """Compares how it ended with expected_retcode."""
        ended, self.proc = self.retcode, None
        self._env = self._binary = None
        wanted = self.cfg.expected_retcode
        if wanted is not None and wanted != ended:
            raise RuntimeError(
                f"App driver error: {self}, expected return code is {wanted}, but actual return code is {ended}"
            )

    def aborting(self):
        """Kills the program."""
        super().aborting()
        if self.proc is not None:
            self.logger.info("Killing process id %s of %s", self.proc.pid, self)
            self.proc.kill()
            self._retcode, self.proc = self.proc.poll(), None

    def restart(self, clean=True):
        """Stops it and starts it again. What it wrote gets another name: all of app_path, or, unless `clean`, its output
        and its log."""
        self.stop()
        if self.async_start:
            self.wait(self.status.STOPPED)
        stamp = datetime.datetime.now().strftime("_%Y%m%d_%H%M%S")
        if clean:
            shutil.move(self.app_path, self.app_path + stamp)
            os.makedirs(self.app_path)
        else:
            for path in dict.fromkeys((self.outpath, self.errpath, self.logpath)):
                if path and os.path.isfile(path):
                    archive(path, stamp)
        cleanup = self.cfg.path_cleanup
        self.cfg.set_local("path_cleanup", False)
        try:
            self.start()
            if self.async_start:
                self.wait(self.status.STARTED)
        finally:
            self.cfg.set_local("path_cleanup", cleanup)
