# SPDX-License-Identifier: GPL-2.0-or-later
"""Integration tests of several processes, as Flumotion has them: a test writes a plan, which is executed after it.

    class IntegrationTestExample(unittest.TestCase):
        @integration.test
        def testEchoFunctionality(self, plan):
            process = plan.spawn('echo', 'hello world')
            plan.wait(process, 0)

The names are Flumotion's; what they do is done by the core (runner/harness/plan), which notices an exit when it happens.
Under unittest a plan blocks until it is done. Where Twisted's reactor runs a test (trial), it is done beside the reactor
and a Deferred stands for it; Twisted is not needed otherwise.
"""

import functools
import inspect
import logging
import os
import signal
import sys
import tempfile

import _vt

__version__ = "$Rev$"

_logger = logging.getLogger("integration")

#: Seconds that trial gives a test that is decorated.
_TRIAL_TIMEOUT = 666


def log(format, *args):
    _logger.debug(format, *args)


def debug(format, *args):
    _logger.debug(format, *args)


def info(format, *args):
    _logger.info(format, *args)


def warning(format, *args):
    _logger.warning(format, *args)


def error(format, *args):
    _logger.error(format, *args)


def _reactor_runs():
    reactor = sys.modules.get("twisted.internet.reactor")
    return reactor is not None and reactor.running


def _is_trials(test_case):
    trial = sys.modules.get("twisted.trial.unittest")
    return trial is not None and isinstance(test_case, trial.TestCase)


class _PlanException(Exception):
    """The core adds what it knows of the process: how it ended, the last lines of its standard error."""

    _text = None

    def _sentence(self):
        return ""

    def __str__(self):
        return self._text or self._sentence()


class UnexpectedExitCodeException(_PlanException):

    def __init__(self, process, expectedCode, actualCode):
        super().__init__()
        self.process = process
        self.expected = expectedCode
        self.actual = actualCode

    def _sentence(self):
        return "Expected exit code %r from %r, but got %r" % (self.expected, self.process, self.actual)


class UnexpectedExitException(_PlanException):

    def __init__(self, process):
        super().__init__()
        self.process = process

    def _sentence(self):
        return "The process %r exited prematurely." % (self.process,)


class CommandNotFoundException(_PlanException):

    def __init__(self, command):
        super().__init__()
        self.command = command

    def _sentence(self):
        return "Command %r not found in the PATH." % (self.command,)


class ProcessesStillRunningException(_PlanException):

    def __init__(self, processes):
        super().__init__()
        self.processes = processes

    def _sentence(self):
        return "Processes still running at end of test: %r" % (self.processes,)


class TimeoutException(_PlanException):

    def __init__(self, process, status):
        super().__init__()
        self.process = process
        self.status = status

    def _sentence(self):
        return "Timed out waiting for %r to exit with status %r" % (self.process, self.status)


class ProcessProtocol:
    """How a process tells Twisted of its end. Without a running reactor nobody calls it."""

    def __init__(self):
        self.timedOut = False
        self._deferred = None

    @property
    def exitDeferred(self):
        if self._deferred is None:
            from twisted.internet import defer

            self._deferred = defer.Deferred()
        return self._deferred

    def getDeferred(self):
        return self.exitDeferred

    def timeout(self, process, status):
        info("forcing timeout for process protocol %r", self)
        self.timedOut = True
        self.exitDeferred.errback(TimeoutException(process, status))

    def processEnded(self, status):
        """`status` is a Failure with ProcessDone or ProcessTerminated."""
        info("process ended with status %r, exit code %r", status, status.value.exitCode)
        if self.timedOut:
            warning("already timed out")
        else:
            self.exitDeferred.callback(status.value.exitCode)


class ThreadProtocol(ProcessProtocol):
    """The same for a thread."""


class _Started:
    """What a process and a thread have in common on top of the core's."""

    NOT_STARTED, STARTED, STOPPED = "NOT-STARTED", "STARTED", "STOPPED"

    def start(self):
        assert self.state == self.NOT_STARTED, "%r has been started before" % self
        info("starting %r, argv=%r", self, self.argv)
        self.protocol = self._protocol_class()
        self._start()
        if _reactor_runs():
            from flumotion.twisted import _deferring

            _deferring.tell_end(self)

    def kill(self, sig=signal.SIGTERM):
        assert self.state == self.STARTED, "%r does not run" % self
        info("killing %r, signal %d", self, sig)
        self._kill(int(sig))

    def wait(self, status, timeout=20):
        """Waits until it has ended with `status` (None: by a signal); a Deferred where the reactor runs."""
        assert self.state != self.NOT_STARTED, "%r has not been started" % self
        info("waiting for %r to exit", self)
        if _reactor_runs():
            from flumotion.twisted import _deferring

            return _deferring.await_end(self, status, timeout)
        return self._wait(status, timeout)

    def __repr__(self):
        return self._text()


class Process(_Started, _vt.PlanProcess):
    """A process; its output goes to NAME.stdout and NAME.stderr in `testDir`. Raises CommandNotFoundException."""

    _protocol_class = ProcessProtocol

    def __init__(self, name, argv, testDir):
        super().__init__(name, argv, testDir)
        self.testDir = testDir
        self.protocol = None
        log("created process object %r", self)


class ThreadedMethod(_Started, _vt.PlanThread):
    """A function that runs in a thread, with one argument: the tuple of all that spawnThread() got for it."""

    _protocol_class = ThreadProtocol

    def __init__(self, name, method, argv, testDir):
        super().__init__(name, functools.partial(method, argv))
        self.method = method
        self.argv = argv
        self.testDir = testDir
        self.pid = None
        self.protocol = None
        log("created threaded method object %r", self)


class PlanExecutor:
    """The machine that has a plan's operators as its instructions."""

    def __init__(self):
        self.timeout = 20
        self._core = _vt.PlanExecutor()
        self._deferring = False

    @property
    def processes(self):
        """Those that were spawned and not waited for."""
        return self._core.running

    def spawn(self, process):
        assert process not in self.processes, "%r has been spawned before" % process
        return self._done(self._core.spawn, process)

    def checkExits(self, expectedExits):
        """Raises UnexpectedExitException if another one than those has ended."""
        self._core.check_exits(list(expectedExits))

    def kill(self, process):
        assert process in self.processes, "%r was not spawned, or has been waited for" % process
        return self._done(self._core.kill, process)

    def wait(self, process, exitCode):
        assert process in self.processes, "%r was not spawned, or has been waited for" % process
        return self._done(self._core.wait, process, exitCode, self.timeout)

    def run(self, ops, timeout=20):
        """Does operations (tuples of a method of this object and its arguments), then ends what is left."""
        self.timeout = timeout
        return self._done(self._core.run, self._steps(ops), timeout)

    def _done(self, function, *args):
        if not (self._deferring or _reactor_runs()):
            return function(*args)
        from flumotion.twisted import _deferring

        return _deferring.in_thread(function, *args)

    def _steps(self, ops):
        """Operations as the core takes them; what is none of ours is called on the way."""
        known = {
            PlanExecutor.checkExits: lambda expected: ("check", list(expected)),
            PlanExecutor.spawn: lambda process: ("spawn", process),
            PlanExecutor.kill: lambda process: ("kill", process),
            PlanExecutor.wait: lambda process, code: ("wait", process, code),
        }
        steps = []
        for operation, *args in ops:
            make = known.get(getattr(operation, "__func__", None))
            if make is not None and operation.__self__ is self:
                steps.append(make(*args))
            else:
                name = getattr(operation, "__name__", repr(operation))
                steps.append(("call", name, functools.partial(operation, *args)))
        return steps


def _log_base(test_case):
    """Where log folders are made: in the results of Avocado's test, else where the test is, else among temporary files."""
    results = os.environ.get("AVOCADO_TEST_OUTPUTDIR")
    if results and os.path.isdir(results):
        return results
    try:
        beside = os.path.dirname(os.path.abspath(inspect.getfile(type(test_case))))
    except (TypeError, OSError):
        beside = ""
    return beside if beside and os.access(beside, os.W_OK) else tempfile.gettempdir()


class Plan:
    """What a test of several processes is to do."""

    def __init__(self, testCase, testName):
        self.name = testName
        self.testCaseName = testCase.__class__.__name__
        self.processes = {}
        self.vm = PlanExecutor()
        self.vm._deferring = _is_trials(testCase)
        self.ops = []
        self.timeout = 20
        self._names = _vt.PlanNames()
        self._logs = _vt.PlanLogs(_log_base(testCase), self.testCaseName, self.name)

    @property
    def testDir(self):
        """The folder of this run, with the date in its name; None once it was removed."""
        return self._logs.test_dir or None

    @property
    def outputDir(self):
        """The folder in it where the processes' output goes; None once it was removed."""
        return self._logs.output_dir or None

    def _cleanOutputDir(self):
        self._logs.remove()

    def _allocProcess(self, args):
        name = self._names.next(args[0])
        process = self.processes[name] = Process(name, args, self.outputDir)
        return process

    def _allocThread(self, args):
        name = self._names.next(getattr(args[0], "__name__", "thread"))
        thread = self.processes[name] = ThreadedMethod(name, args[0], args[1:], self.outputDir)
        return thread

    def _appendOp(self, *args):
        self.ops.append(args)

    def setTimeout(self, timeout):
        """Seconds that each wait may take."""
        self.timeout = timeout

    def spawn(self, command, *args):
        process, = self.spawnPar((command,) + args)
        return process

    def spawnThread(self, method, *args):
        """Calls `method` in a thread, with the tuple of `args`. What it raises ends the test."""
        self._appendOp(self.vm.checkExits, ())
        thread = self._allocThread((method,) + args)
        self._appendOp(self.vm.spawn, thread)
        return thread

    def spawnPar(self, *argvs):
        for argv in argvs:
            assert isinstance(argv, tuple), "all arguments to spawnPar must be tuples"
            for arg in argv:
                assert isinstance(arg, str), "all subarguments to spawnPar must be strings"
        self._appendOp(self.vm.checkExits, ())
        processes = tuple(self._allocProcess(argv) for argv in argvs)
        for process in processes:
            self._appendOp(self.vm.spawn, process)
        return processes

    def wait(self, process, status):
        self.waitPar((process, status))

    def waitPar(self, *processStatusPairs):
        self._appendOp(self.vm.checkExits, tuple(process for process, _ in processStatusPairs))
        for process, status in processStatusPairs:
            self._appendOp(self.vm.wait, process, status)

    def kill(self, process, status=None):
        """SIGTERM, then waits for the exit."""
        self._appendOp(self.vm.checkExits, ())
        self._appendOp(self.vm.kill, process)
        self._appendOp(self.vm.wait, process, status)

    def __str__(self):
        """The plan as a table; once it was executed, with times."""
        return self.vm._core.table(self.vm._steps(self.ops))

    def _picture(self):
        """Leaves a timeline among the results, where there are some."""
        info("plan %s:\n%s", self.name, self)
        results = os.environ.get("AVOCADO_TEST_OUTPUTDIR")
        if results and os.path.isdir(results):
            title = "%s.%s" % (self.testCaseName, self.name)
            path = os.path.join(results, "%s.timeline.svg" % title.replace("/", "_"))
            with open(path, "w", encoding="utf-8") as picture:
                picture.write(_vt.plan_timeline(title, self.vm._steps(self.ops)))

    def execute(self):
        """Does what was written; the log folder goes if that succeeds. A Deferred under trial."""
        if self.vm._deferring:
            deferred = self.vm.run(self.ops, timeout=self.timeout)
            deferred.addBoth(self._after)
            return deferred
        try:
            self.vm.run(self.ops, timeout=self.timeout)
        except BaseException:
            self._after(False)
            raise
        self._after(None)
        return None

    def _after(self, result):
        self._picture()
        if result is None:
            self._cleanOutputDir()
        else:
            info("the output of the plan's processes is in %s", self.outputDir)
        return result


def test(proc):
    """Makes a test method out of one that writes a plan."""

    @functools.wraps(proc)
    def wrappedtest(self):
        plan = Plan(self, proc.__name__)
        try:
            proc(self, plan)
        except BaseException:
            plan._cleanOutputDir()  # nothing has run, so there is nothing to read
            raise
        return plan.execute()

    del wrappedtest.__wrapped__  # what looks at signatures would ask for a plan
    wrappedtest.timeout = _TRIAL_TIMEOUT
    return wrappedtest
