# SPDX-License-Identifier: GPL-2.0-or-later
"""Unittest cases of block tests, and how they are run so that the output of two runs is the same."""

import io
import json
import os
import re
import sys
import unittest

from iotests import level
from iotests.verify import case_notrun, lacks, note_notrun
from iotests.vm import Timeout

index_re = re.compile(r"([^\[]+)\[([^\]]+)\]")


class QMPTestCase(unittest.TestCase):
    """Parent of cases that look at QMP messages; their machine is `self.vm`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.vm = None

    def dictpath(self, d, path):
        """What lies at a path (return[0]/name) in nested dictionaries."""
        for component in path.split("/"):
            found = index_re.match(component)
            index = None
            if found:
                component, index = found.group(1), int(found.group(2))
            if not isinstance(d, dict) or component not in d:
                self.fail('failed path traversal for "%s" in "%s"' % (path, d))
            d = d[component]
            if index is None:
                continue
            if not isinstance(d, list):
                self.fail('path component "%s" in "%s" is not a list in "%s"' % (component, path, d))
            if not -len(d) <= index < len(d):
                self.fail('invalid index "%s" in path "%s" in "%s"' % (index, path, d))
            d = d[index]
        return d

    def assert_qmp_absent(self, d, path):
        try:
            result = self.dictpath(d, path)
        except AssertionError:
            return
        self.fail('path "%s" has value "%s"' % (path, result))

    def assert_qmp(self, d, path, value):
        """Asserts the value at a path; of a list that is not empty any one will do."""
        result = self.dictpath(d, path)
        if isinstance(value, list) and value:
            if result not in value:
                self.fail('no match for "%s" in %s' % (result, value))
        else:
            self.assertEqual(result, value, '"%s" is "%s", expected "%s"' % (path, result, value))

    def assert_no_active_block_jobs(self):
        self.assert_qmp(self.vm.qmp("query-block-jobs"), "return", [])

    def assert_has_block_node(self, node_name=None, file_name=None):
        """Asserts that there is a node of that name, of that file, or of both."""
        assert node_name or file_name
        result = self.vm.qmp("query-named-block-nodes")
        for node in result["return"]:
            name, file = node.get("node-name"), node.get("file")
            if (None in (node_name, name) or name == node_name) and (None in (file_name, file) or file == file_name):
                return
        self.fail("Cannot find %s %s in result:\n%s" % (node_name, file_name, result))

    def assert_json_filename_equal(self, json_filename, reference):
        self.assertEqual(json_filename[:5], "json:")
        self.assertEqual(
            self.vm.flatten_qmp_object(json.loads(json_filename[5:])), self.vm.flatten_qmp_object(reference)
        )

    def cancel_and_wait(self, drive="drive0", force=False, resume=False, wait=60.0):
        """Cancels a job and waits for its end; the event that told it."""
        self.assert_qmp(self.vm.qmp("block-job-cancel", device=drive, force=force), "return", {})
        if resume:
            self.vm.resume_drive(drive)
        result = None
        while result is None:
            for event in self.vm.get_qmp_events(wait=wait):
                if event["event"] in ("BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED"):
                    self.assert_qmp(event, "data/device", drive)
                    result = event
                elif event["event"] == "JOB_STATUS_CHANGE":
                    self.assert_qmp(event, "data/id", drive)
        self.assert_no_active_block_jobs()
        return result

    def wait_until_completed(self, drive="drive0", check_offset=True, wait=60.0, error=None):
        """Waits for a job's end; the event that told it."""
        while True:
            for event in self.vm.get_qmp_events(wait=wait):
                if event["event"] == "JOB_STATUS_CHANGE":
                    self.assert_qmp(event, "data/id", drive)
                if event["event"] != "BLOCK_JOB_COMPLETED":
                    continue
                self.assert_qmp(event, "data/device", drive)
                if error is not None:
                    self.assert_qmp(event, "data/error", error)
                else:
                    self.assert_qmp_absent(event, "data/error")
                    if check_offset:
                        self.assert_qmp(event, "data/offset", event["data"]["len"])
                self.assert_no_active_block_jobs()
                return event

    def wait_ready(self, drive="drive0"):
        """Waits until a mirror or a commit is ready; the event."""
        return self.vm.events_wait(
            [("BLOCK_JOB_READY", {"data": {"type": kind, "device": drive}}) for kind in ("mirror", "commit")]
        )

    def wait_ready_and_cancel(self, drive="drive0"):
        self.wait_ready(drive=drive)
        event = self.cancel_and_wait(drive=drive)
        self.assertEqual(event["event"], "BLOCK_JOB_COMPLETED")
        self.assert_qmp(event, "data/type", "mirror")
        self.assert_qmp(event, "data/offset", event["data"]["len"])

    def complete_and_wait(self, drive="drive0", wait_ready=True, completion_error=None):
        if wait_ready:
            self.wait_ready(drive=drive)
        self.assert_qmp(self.vm.qmp("block-job-complete", device=drive), "return", {})
        event = self.wait_until_completed(drive=drive, error=completion_error)
        self.assertTrue(event["data"]["type"] in ["mirror", "commit"])

    def pause_wait(self, job_id="job0"):
        """Waits until a job is paused; what is known of it. No event tells that."""
        with Timeout(3, "Timeout waiting for job to pause"):
            while True:
                jobs = [job for job in self.vm.qmp("query-block-jobs")["return"] if job["device"] == job_id]
                assert jobs
                if jobs[0]["paused"] and not jobs[0]["busy"]:
                    return jobs[0]

    def pause_job(self, job_id="job0", wait=True):
        result = self.vm.qmp("block-job-pause", device=job_id)
        self.assert_qmp(result, "return", {})
        return self.pause_wait(job_id) if wait else result

    def case_skip(self, reason):
        """Skips this case, and notes it."""
        case_notrun(reason)
        self.skipTest(reason)


def _tell(text):
    """A line for the runner's log, beside the output."""
    path = os.environ.get("VT_IOTESTS_PROGRESS")
    if not path:
        return
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        os.write(pipe, text.encode(errors="replace")[:4000] + b"\n")
    except OSError:
        pass
    finally:
        os.close(pipe)


class ReproducibleTestResult(unittest.TextTestResult):
    """A skipped case is shown as one that passed; each case's end is told to the runner."""

    def addSuccess(self, test):
        super().addSuccess(test)
        _tell("%s: ok" % test)

    def addError(self, test, err):
        super().addError(test, err)
        _tell("%s: ERROR (%s)" % (test, err[1]))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        _tell("%s: FAIL (%s)" % (test, err[1]))

    def addSkip(self, test, reason):
        again = any(case is test for case, _ in self.skipped)  # in its tearDown, too
        unittest.TestResult.addSkip(self, test, reason)
        if again:
            return
        _tell("%s: skipped (%s)" % (test, reason))
        if self.showAll:
            self.stream.writeln("skipped %r" % reason)
        elif self.dots:
            self.stream.write(".")
            self.stream.flush()


class ReproducibleStreamWrapper:
    """Leaves out times and the number of skipped cases."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, attr):
        if attr in ("stream", "__getstate__"):
            raise AttributeError(attr)
        return getattr(self.stream, attr)

    def write(self, arg=None):
        arg = re.sub(r"Ran (\d+) tests? in [\d.]+s", r"Ran \1 tests", arg)
        self.stream.write(re.sub(r" \(skipped=\d+\)", "", arg))


class ReproducibleTestRunner(unittest.TextTestRunner):
    running = False

    def run(self, test):
        ReproducibleTestRunner.running = True
        try:
            result = super().run(test)
        finally:
            ReproducibleTestRunner.running = False
            if self._collected is not None:
                sys.stdout.write(self._collected.getvalue())
        skipped = {str(case) for case, _ in result.skipped}
        if lacks and len(skipped) == result.testsRun:
            note_notrun(lacks[0])
        return result

    def __init__(self, stream=None, resultclass=ReproducibleTestResult, **kwargs):
        collects = stream is None and level.collects_output(sys.argv[0] or "")
        self._collected = io.StringIO() if collects else None
        wrapped = ReproducibleStreamWrapper(stream or self._collected or sys.stdout)
        super().__init__(stream=wrapped, descriptions=True, resultclass=resultclass, **kwargs)


def execute_unittest(argv, debug=False):
    """Runs the cases of the script."""
    unittest.main(
        argv=argv,
        testRunner=ReproducibleTestRunner,
        verbosity=2 if debug else 1,
        warnings=None if sys.warnoptions else "ignore",
    )
