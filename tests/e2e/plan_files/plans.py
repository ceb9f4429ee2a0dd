# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans that pass, fail and err; test_plans.py runs them under Avocado."""

import unittest

from flumotion.twisted import integration


class Plans(unittest.TestCase):
    @integration.test
    def testPasses(self, plan):
        both = plan.spawnPar(("echo", "hello world"), ("/bin/echo", "hello"))
        plan.waitPar((both[0], 0), (both[1], 0))

    @integration.test
    def testExitCode(self, plan):
        process = plan.spawn("sh", "-c", "echo it went wrong >&2; exit 3")
        plan.wait(process, 0)

    @integration.test
    def testExitTooEarly(self, plan):
        plan.spawn("sh", "-c", "echo I am leaving >&2")
        plan.wait(plan.spawn("sleep", "600"), 0)

    @integration.test
    def testStillRunning(self, plan):
        plan.spawn("sleep", "600")

    @integration.test
    def testTimeout(self, plan):
        plan.setTimeout(0.2)
        plan.wait(plan.spawn("sleep", "600"), 0)

    @integration.test
    def testThreadRaises(self, plan):
        def check(args):
            assert args == (), "there are %d of them" % len(args)

        plan.wait(plan.spawn("sleep", "600"), 0)
        plan.wait(plan.spawnThread(check, 1, 2), 0)
        plan.ops.sort(key=lambda op: op[0] == plan.vm.wait)  # spawn both, then wait

    @integration.test
    def testNotFound(self, plan):
        plan.spawn("no-such-command")

    @unittest.skip("not today")
    @integration.test
    def testSkipped(self, plan):
        plan.spawn("false")

    @unittest.expectedFailure
    @integration.test
    def testExpectedFailure(self, plan):
        plan.wait(plan.spawn("false"), 0)

    def testAssertion(self):
        self.assertEqual(1, 2)


class Inherited(Plans):
    """Has the tests of its parent, too."""

    @integration.test
    def testOwn(self, plan):
        plan.kill(plan.spawn("sleep", "600"))


class NoTests:
    def test_is_none(self):
        """Of a class that is no TestCase."""
