# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes and plans while Twisted's reactor runs; test_plans.py runs this file under trial."""

import os

from twisted.internet import defer, error, reactor, task
from twisted.trial import unittest

from flumotion.twisted import integration


def in_reactor(method):
    """Calls a test method from the reactor."""

    def test(self):
        return task.deferLater(reactor, 0, defer.ensureDeferred, method(self))

    return test


def defer_until(seen, count):
    """Comes back when the reactor has come round so often."""
    while len(seen) < count:
        os.sched_yield()


class Protocols(unittest.TestCase):
    def process(self, *argv):
        return integration.Process(argv[0], argv, os.getcwd())

    @in_reactor
    async def test_an_exit(self):
        process = self.process("true")
        process.start()
        self.assertFalse(process.protocol.timedOut)
        self.assertIs(process.protocol.getDeferred(), process.protocol.exitDeferred)
        self.assertEqual(await process.wait(0), 0)
        self.assertEqual(process.state, process.STOPPED)

    @in_reactor
    async def test_another_exit_than_expected(self):
        process = self.process("false")
        process.start()
        raised = await self.assertFailure(process.wait(0), integration.UnexpectedExitCodeException)
        self.assertEqual((raised.process, raised.expected, raised.actual), (process, 0, 1))

    @in_reactor
    async def test_a_timeout_and_an_end_after_it(self):
        process = self.process("sleep", "600")
        process.start()
        raised = await self.assertFailure(process.wait(0, timeout=0.05), integration.TimeoutException)
        self.assertEqual((raised.process, raised.status, process.protocol.timedOut), (process, 0, True))
        ended = defer.Deferred()
        process.protocol.processEnded = ended.callback
        process.kill()
        why = await self.assertFailure(ended, error.ProcessTerminated)
        self.assertEqual((why.exitCode, why.signal), (None, 15))

    @in_reactor
    async def test_an_end_that_comes_too_late_is_ignored(self):
        process = self.process("sleep", "600")
        process.start()
        await self.assertFailure(process.wait(0, timeout=0.05), integration.TimeoutException)
        process.kill()
        process._wait(None, 20)

    @in_reactor
    async def test_a_thread(self):
        seen = []
        thread = integration.ThreadedMethod("f", seen.append, (1, 2), os.getcwd())
        thread.start()
        self.assertIsInstance(thread.protocol, integration.ThreadProtocol)
        await thread.wait(0)
        self.assertEqual(seen, [(1, 2)])

    @in_reactor
    async def test_an_executors_operations(self):
        executor = integration.PlanExecutor()
        process = self.process("sleep", "600")
        await executor.spawn(process)
        executor.checkExits(())
        await executor.kill(process)
        await executor.wait(process, None)
        self.assertEqual(executor.processes, [])

    @in_reactor
    async def test_the_reactor_goes_on_while_a_plan_runs(self):
        plan = integration.Plan(self, "plan")
        seen = []
        turns = task.LoopingCall(seen.append, True)
        turns.start(0.001)
        plan.ops.append((defer_until, seen, 3))
        await plan.execute()
        turns.stop()
        self.assertIsNone(plan.outputDir)
