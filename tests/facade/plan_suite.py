# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans under unittest; test_integration.py runs this file in an interpreter of its own."""

import importlib.util
import os
import pathlib
import re
import signal
import stat
import tempfile
import threading
import time
import unittest

from flumotion.common import testsuite
from flumotion.twisted import integration

IGNORES_SIGTERM = "trap '' TERM; echo ready > \"$0\"; while :; do sleep 600; done"


class Scratch(unittest.TestCase):
    """A directory that goes with the test; plans log into it."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)
        os.environ["AVOCADO_TEST_OUTPUTDIR"] = directory.name
        self.addCleanup(os.environ.pop, "AVOCADO_TEST_OUTPUTDIR")

    def plan(self, name="plan"):
        return integration.Plan(self, name)

    def fails(self, plan, exception):
        with self.assertRaises(exception) as caught:
            plan.execute()
        return caught.exception

    def folders(self):
        return [path for path in self.dir.iterdir() if path.is_dir()]

    def fifo(self, name):
        path = self.dir / name
        os.mkfifo(path)
        return str(path)


class Documented(Scratch):
    """The sentences of the module's documentation."""

    @integration.test
    def testEchoFunctionality(self, plan):
        process = plan.spawn("echo", "hello world")
        plan.wait(process, 0)

    def test_the_plan_is_executed_after_the_test_method(self):
        states = []

        class Case(unittest.TestCase):
            @integration.test
            def runTest(self, plan):
                self.process = plan.spawn("true")
                plan.wait(self.process, 0)
                states.append(self.process.state)

        case = Case()
        case.debug()
        self.assertEqual(states, ["NOT-STARTED"])
        self.assertEqual(case.process.state, "STOPPED")

    def test_the_decorated_method_keeps_its_name_and_takes_no_plan(self):
        method = Documented.testEchoFunctionality
        self.assertEqual((method.__name__, method.timeout), ("testEchoFunctionality", 666))
        import inspect

        self.assertEqual(list(inspect.signature(method).parameters), ["self"])

    def test_a_plan_knows_its_test(self):
        plan = self.plan("of this")
        self.assertEqual((plan.name, plan.testCaseName, plan.timeout), ("of this", "Documented", 20))
        plan.execute()

    def test_log_files_and_folder(self):
        plan = self.plan("testEchoFunctionality")
        output = pathlib.Path(plan.outputDir)
        self.assertEqual(output.name, "testEchoFunctionality")
        self.assertRegex(output.parent.name, r"^Documented-20\d{6}-\d{6}")
        self.assertEqual(str(output.parent), plan.testDir)
        self.assertEqual(stat.S_IMODE(output.stat().st_mode), 0o700)
        process = plan.spawn("sh", "-c", "echo out; echo err >&2; exit 1")
        plan.wait(process, 0)
        self.fails(plan, integration.UnexpectedExitCodeException)
        self.assertEqual((output / "sh.stdout").read_text(), "out\n")
        self.assertEqual((output / "sh.stderr").read_text(), "err\n")
        plan._cleanOutputDir()
        self.assertFalse(output.parent.exists())

    def test_the_folder_is_removed_upon_success_only(self):
        plan = self.plan()
        plan.wait(plan.spawn("true"), 0)
        self.assertEqual(len(self.folders()), 1)
        plan.execute()
        self.assertEqual(self.folders(), [])
        self.assertEqual((plan.testDir, plan.outputDir), (None, None))

    def test_no_standard_input_and_flu_debug(self):
        plan = self.plan()
        plan.wait(plan.spawn("sh", "-c", '[ "$FLU_DEBUG" = 5 ] && ! read -r line'), 0)
        plan.execute()

    def test_without_avocado_the_folder_lies_beside_the_test(self):
        os.environ["AVOCADO_TEST_OUTPUTDIR"] = ""
        plan = self.plan()
        try:
            self.assertEqual(pathlib.Path(plan.testDir).parent, pathlib.Path(__file__).resolve().parent)
        finally:
            plan._cleanOutputDir()


class Operators(Scratch):
    def test_ops_and_vm_as_tests_look_at_them(self):
        plan = self.plan()
        first, second = plan.spawnPar(("true",), ("sleep", "600"))
        plan.waitPar((first, 0))
        plan.kill(second)
        self.assertIsInstance(plan.vm, integration.PlanExecutor)
        self.assertEqual(plan.ops, [
            (plan.vm.checkExits, ()), (plan.vm.spawn, first), (plan.vm.spawn, second),
            (plan.vm.checkExits, (first,)), (plan.vm.wait, first, 0),
            (plan.vm.checkExits, ()), (plan.vm.kill, second), (plan.vm.wait, second, None),
        ])
        self.assertEqual(plan.processes, {"true": first, "sleep": second})
        plan.execute()

    def test_spawnPar_takes_tuples_of_strings(self):
        with self.assertRaisesRegex(AssertionError, "all arguments to spawnPar must be tuples"):
            self.plan().spawnPar(["true"])
        with self.assertRaisesRegex(AssertionError, "all subarguments to spawnPar must be strings"):
            self.plan().spawnPar(("sleep", 5))

    def test_an_operation_of_the_tests_own(self):
        plan = self.plan()
        seen = []
        plan.wait(plan.spawn("true"), 0)
        plan.ops.append((seen.append, "called"))
        plan.execute()
        self.assertEqual(seen, ["called"])

    def test_the_executors_operations_one_by_one(self):
        executor = integration.PlanExecutor()
        process = integration.Process("sleep", ("sleep", "600"), str(self.dir))
        executor.spawn(process)
        self.assertEqual(executor.processes, [process])
        executor.checkExits(())
        executor.kill(process)
        executor.wait(process, None)
        self.assertEqual(executor.processes, [])
        with self.assertRaisesRegex(AssertionError, "was not spawned, or has been waited for"):
            executor.wait(process, None)
        other = integration.Process("true", ("true",), str(self.dir))
        executor.run([(executor.checkExits, ()), (executor.spawn, other), (executor.wait, other, 0)], timeout=30)
        self.assertEqual((other.state, executor.timeout), (other.STOPPED, 30))

    def test_a_process_by_itself(self):
        process = integration.Process("sh", ("sh", "-c", "exit 3"), str(self.dir))
        self.assertEqual((process.state, process.pid, process.name), (process.NOT_STARTED, None, "sh"))
        self.assertTrue(os.path.isabs(process.argv[0]))
        self.assertEqual(process.argv[1:], ("-c", "exit 3"))
        self.assertEqual(repr(process), "<Process sh in state NOT-STARTED>")
        for method in (process.kill, lambda: process.wait(0)):
            self.assertRaises(AssertionError, method)
        process.start()
        self.assertGreater(process.pid, 0)
        process.wait(3)
        self.assertEqual(process.state, process.STOPPED)
        self.assertRaises(AssertionError, process.start)
        self.assertRaises(AssertionError, process.kill)
        with self.assertRaises(integration.UnexpectedExitCodeException):
            process.wait(0)

    def test_another_signal(self):
        process = integration.Process("sleep", ("sleep", "600"), str(self.dir))
        process.start()
        process.kill(signal.SIGINT)
        process.wait(None)

    def test_a_plan_as_a_table(self):
        plan = self.plan()
        plan.wait(plan.spawn("echo", "hello world"), 0)
        self.assertIn("   2  spawn        echo  ", str(plan))
        self.assertNotIn("took", str(plan))
        plan.execute()
        self.assertRegex(str(plan), r"   4   *\d+\.\d{3} s  +\d+\.\d{3} s  wait +echo  exit code 0")

    def test_the_timeline_is_left_among_the_results(self):
        plan = self.plan("timed")
        plan.wait(plan.spawn("true"), 0)
        plan.execute()
        picture = (self.dir / "Operators.timed.timeline.svg").read_text()
        self.assertIn(">exit code 0, ", picture)
        import xml.dom.minidom

        xml.dom.minidom.parseString(picture)


class Failures(Scratch):
    def test_an_unexpected_exit_code(self):
        plan = self.plan()
        process = plan.spawn("sh", "-c", "echo why >&2; exit 3")
        plan.wait(process, 0)
        error = self.fails(plan, integration.UnexpectedExitCodeException)
        self.assertEqual((error.process, error.expected, error.actual), (process, 0, 3))
        self.assertEqual(
            str(error),
            "Expected exit code 0 from <Process sh in state STOPPED>, but got 3; it ended with exit status 3, the last of its "
            "standard error: why",
        )

    def test_a_signal_is_no_exit_code(self):
        plan = self.plan()
        plan.wait(plan.spawn("sh", "-c", "kill -9 $$"), 9)
        error = self.fails(plan, integration.UnexpectedExitCodeException)
        self.assertIsNone(error.actual)
        self.assertIn("it was killed by SIGKILL", str(error))

    def test_an_unexpected_exit_is_noticed_when_it_happens(self):
        plan = self.plan()
        plan.setTimeout(600)
        # It ends while the other one is waited for, not before.
        brief, lasting = plan.spawnPar(("sleep", "0.3"), ("sleep", "600"))
        plan.wait(lasting, 0)
        error = self.fails(plan, integration.UnexpectedExitException)
        self.assertIs(error.process, brief)
        self.assertTrue(str(error).startswith("The process <Process sleep in state STOPPED> exited prematurely."))
        self.assertEqual(lasting.state, lasting.STOPPED)

    def between(self):
        """A plan whose `writer` ends when it is told to; then `reader` ends, too, and the others never do."""
        pipe, go = self.fifo("pipe"), self.fifo("go")
        plan = self.plan()
        plan.setTimeout(120)
        plan.writer, plan.reader, plan.lasting, plan.other = plan.spawnPar(
            ("sh", "-c", 'exec 3> "$0"; read -r line < "$1"; exit 4', pipe, go), ("cat", pipe), ("sleep", "600"), ("sleep", "600")
        )
        return plan, (pathlib.Path(go).write_text, "go\n")

    def test_an_exit_that_the_next_operation_awaits(self):
        plan, go = self.between()
        plan.wait(plan.reader, 0)
        plan.ops.insert(-1, go)
        plan.wait(plan.writer, 4)
        plan.kill(plan.lasting)
        plan.kill(plan.other)
        plan.execute()

    def test_an_exit_that_an_operation_after_the_next_awaits(self):
        plan, go = self.between()
        plan.waitPar((plan.lasting, 0), (plan.reader, 0))
        plan.ops.insert(-2, go)
        plan.wait(plan.other, 0)
        plan.wait(plan.writer, 4)
        self.assertIs(self.fails(plan, integration.UnexpectedExitException).process, plan.writer)

    def test_command_not_found(self):
        plan = self.plan()
        with self.assertRaises(integration.CommandNotFoundException) as caught:
            plan.spawn("no-such-command")
        self.assertEqual(caught.exception.command, "no-such-command")
        self.assertEqual(str(caught.exception), "Command 'no-such-command' not found in the PATH.")
        with self.assertRaises(integration.CommandNotFoundException):
            plan.spawn("/no/such/program")

    def test_a_test_that_cannot_be_written_leaves_no_folder(self):
        class Case(unittest.TestCase):
            @integration.test
            def runTest(self, plan):
                plan.spawn("no-such-command")

        self.assertRaises(integration.CommandNotFoundException, Case().debug)
        self.assertEqual(self.folders(), [])

    def test_processes_still_running(self):
        plan = self.plan()
        process = plan.spawn("sleep", "600")
        error = self.fails(plan, integration.ProcessesStillRunningException)
        self.assertEqual(error.processes, [process])
        self.assertEqual(
            str(error), "Processes still running at end of test: [<Process sleep in state STARTED>]"
        )
        self.assertEqual(process.state, process.STOPPED)

    def test_an_earlier_failure_wins(self):
        plan = self.plan()
        plan.spawn("sleep", "600")
        plan.wait(plan.spawn("false"), 0)
        self.fails(plan, integration.UnexpectedExitCodeException)

    def test_kill_of_a_process_that_ignores_sigterm(self):
        ready = self.fifo("ready")
        plan = self.plan()
        process = plan.spawn("sh", "-c", IGNORES_SIGTERM, ready)
        plan.ops.append((pathlib.Path(ready).read_text,))
        plan.kill(process)
        plan.setTimeout(0.3)
        error = self.fails(plan, integration.TimeoutException)
        self.assertEqual((error.process, error.status), (process, None))
        self.assertEqual(
            str(error),
            "Timed out waiting for <Process sh in state STARTED> to exit with status None after 0.3 s; it is still running, it "
            "printed nothing",
        )
        self.assertEqual(process.state, process.STOPPED)

    def test_the_timeout_of_a_process_by_itself(self):
        process = integration.Process("sleep", ("sleep", "600"), str(self.dir))
        process.start()
        with self.assertRaises(integration.TimeoutException) as caught:
            process.wait(0, timeout=0.05)
        self.assertEqual((caught.exception.process, caught.exception.status), (process, 0))
        self.assertEqual(process.state, process.STARTED)
        process.kill()
        process.wait(None)

    def test_the_exceptions_sentences_without_the_core(self):
        process = integration.Process("true", ("true",), str(self.dir))
        for error, sentence in (
            (integration.UnexpectedExitCodeException(process, 0, None),
             "Expected exit code 0 from <Process true in state NOT-STARTED>, but got None"),
            (integration.UnexpectedExitException(process),
             "The process <Process true in state NOT-STARTED> exited prematurely."),
            (integration.CommandNotFoundException("x"), "Command 'x' not found in the PATH."),
            (integration.ProcessesStillRunningException([process]),
             "Processes still running at end of test: [<Process true in state NOT-STARTED>]"),
            (integration.TimeoutException(process, 1),
             "Timed out waiting for <Process true in state NOT-STARTED> to exit with status 1"),
        ):
            self.assertEqual(str(error), sentence)


class ManyAndMuch(Scratch):
    def test_twenty_processes_in_parallel(self):
        plan = self.plan()
        processes = plan.spawnPar(*(("sh", "-c", f"exit {code}") for code in range(20)))
        plan.waitPar(*reversed(list(zip(processes, range(20)))))
        self.assertEqual([process.name for process in processes[:3]], ["sh", "sh-1", "sh-2"])
        plan.execute()

    def test_ten_mebibytes_of_output_block_nobody(self):
        plan = self.plan()
        plan.wait(plan.spawn("sh", "-c", "head -c 10485760 /dev/zero; head -c 10485760 /dev/zero >&2; exit 7"), 0)
        output = pathlib.Path(plan.outputDir)
        self.fails(plan, integration.UnexpectedExitCodeException)
        self.assertEqual((output / "sh.stdout").stat().st_size, 10485760)
        self.assertEqual((output / "sh.stderr").stat().st_size, 10485760)

    def test_names_that_clash(self):
        plan = self.plan()
        names = [process.name for process in plan.spawnPar(("true",), ("true",), ("/bin/true",))]
        self.assertEqual(names, ["true", "true-1", "true-2"])

    def test_a_program_given_by_its_path_logs_beside_the_others(self):
        plan = self.plan()
        plan.wait(plan.spawn("/bin/echo", "hello"), 1)
        output = pathlib.Path(plan.outputDir)
        self.fails(plan, integration.UnexpectedExitCodeException)
        self.assertEqual((output / "echo.stdout").read_text(), "hello\n")

    def test_grandchildren_end_with_the_plan(self):
        path = self.dir / "pid"
        plan = self.plan()
        script = 'setsid sh -c \'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 600\' "$0" & until [ -e "$0" ]; do sleep 0.01; done'
        plan.wait(plan.spawn("sh", "-c", script, str(path)), 0)
        plan.execute()
        pid = int(path.read_text())
        with self.assertRaises(OSError):
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                self.fail(f"{pid} is still there")
            raise ProcessLookupError


class Threads(Scratch):
    def test_a_thread_gets_its_arguments_as_one_tuple(self):
        seen = []
        plan = self.plan()
        thread = plan.spawnThread(seen.append, "one", 2)
        plan.wait(thread, 0)
        self.assertEqual((thread.name, thread.argv, thread.state), ("append", ("one", 2), thread.NOT_STARTED))
        self.assertIsInstance(thread, integration.ThreadedMethod)
        plan.execute()
        self.assertEqual(seen, [("one", 2)])
        self.assertEqual(repr(thread), "<Thread append in state STOPPED>")

    def test_threads_names_do_not_grow(self):
        def f(args):
            pass

        plan = self.plan()
        self.assertEqual([plan.spawnThread(f).name for _ in range(4)], ["f", "f-1", "f-2", "f-3"])

    def test_a_thread_runs_beside_processes(self):
        pipe = self.fifo("pipe")

        def write(args):
            with open(args[0], "w") as file:
                file.write("hello\n")

        plan = self.plan()
        reader = plan.spawn("grep", "hello", pipe)
        thread = plan.spawnThread(write, pipe)
        plan.waitPar((reader, 0), (thread, 0))
        plan.execute()

    def test_a_thread_that_raises_ends_the_test_at_once(self):
        def f(args):
            raise AssertionError("it is wrong")

        plan = self.plan()
        plan.setTimeout(600)
        process = plan.spawn("sleep", "600")
        thread = plan.spawnThread(f)
        plan.wait(process, 0)
        plan.wait(thread, 0)
        with self.assertRaisesRegex(AssertionError, "it is wrong"):
            plan.execute()
        self.assertEqual(process.state, process.STOPPED)

    def test_a_thread_that_is_killed_gets_a_systemexit(self):
        ended = []
        begun = threading.Event()

        def f(args):
            try:
                begun.set()
                while True:
                    time.sleep(0.001)
            except SystemExit:
                ended.append(True)
                raise

        plan = self.plan()
        thread = plan.spawnThread(f)
        plan.ops.append((begun.wait,))
        plan.kill(thread)
        plan.execute()
        self.assertEqual(ended, [True])

    def test_a_thread_that_is_left(self):
        begun = threading.Event()

        def f(args):
            begun.set()
            while True:
                time.sleep(0.001)

        plan = self.plan()
        thread = plan.spawnThread(f)
        plan.ops.append((begun.wait,))
        error = self.fails(plan, integration.ProcessesStillRunningException)
        self.assertEqual(error.processes, [thread])
        self.assertEqual(thread.state, thread.STOPPED)


class Names(Scratch):
    """The rest of the module's public names."""

    def test_the_log_functions(self):
        for function, level in (
            (integration.log, "DEBUG"), (integration.debug, "DEBUG"), (integration.info, "INFO"),
            (integration.warning, "WARNING"), (integration.error, "ERROR"),
        ):
            with self.assertLogs("integration", "DEBUG") as logs:
                function("%s and %s", "one", 2)
            self.assertEqual(logs.output, [f"{level}:integration:one and 2"])

    def test_protocols(self):
        process = integration.Process("true", ("true",), str(self.dir))
        process.start()
        self.assertIsInstance(process.protocol, integration.ProcessProtocol)
        self.assertFalse(process.protocol.timedOut)
        process.wait(0)
        self.assertTrue(issubclass(integration.ThreadProtocol, integration.ProcessProtocol))

    @unittest.skipUnless(importlib.util.find_spec("twisted"), "no Twisted at hand")
    def test_protocols_tell_twisted_of_the_end(self):
        from twisted.internet import error
        from twisted.python import failure

        codes, failures = [], []
        ended = integration.ProcessProtocol()
        self.assertIs(ended.getDeferred(), ended.exitDeferred)
        ended.getDeferred().addCallback(codes.append)
        ended.processEnded(failure.Failure(error.ProcessDone(0)))
        late = integration.ThreadProtocol()
        late.getDeferred().addErrback(lambda reason: failures.append(reason.value))
        late.timeout("process", 3)
        with self.assertLogs("integration", "WARNING"):
            late.processEnded(failure.Failure(error.ProcessTerminated(1)))
        self.assertEqual(codes, [0])
        self.assertTrue(late.timedOut)
        self.assertEqual((failures[0].process, failures[0].status), ("process", 3))

    def test_the_suites_testcase_and_attr(self):
        @testsuite.attr("slow", speed=1)
        def method():
            pass

        self.assertTrue(method.slow and method.speed == 1)
        self.assertTrue(issubclass(testsuite.TestCase, unittest.TestCase))

    def test_the_version(self):
        self.assertTrue(re.match(r"\$Rev", integration.__version__))


if __name__ == "__main__":
    unittest.main()
