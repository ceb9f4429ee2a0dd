# SPDX-License-Identifier: GPL-2.0-or-later
"""The `test` that a test's run(test, params, env) is given."""

import logging
import os
import traceback

from _vtglue import statuses

BG_ERR_FILE = "background-error.log"


class VirtTest:
    """One running test: how it ends early, where it may write, what it is called.

    The attributes are those of Avocado-VT's test object that tests use; assertEqual() and its like are unittest's.
    """

    BG_ERR_FILE = BG_ERR_FILE
    env_version = 1
    datadir = None
    filename = None

    def __init__(self, context, params):
        from virttest import error_event

        self._context = context
        self._assertions = None
        self._sent_whiteboard = ""
        self.params = params
        self.name = context.name
        self.log = logging.getLogger("avocado.test")
        self.bindir = context.bindir
        self.virtdir = context.virtdir
        self.logdir = context.logdir
        self.debugdir = context.logdir
        self.resultsdir = context.logdir
        self.logfile = os.path.join(context.logdir, "debug.log")
        self.outputdir = context.outputdir
        self.workdir = context.workdir
        self.tmpdir = os.path.dirname(context.workdir)
        self.teststmpdir = self.tmpdir
        self.builddir = os.path.join(context.workdir, "backends", params.get("vm_type", ""))
        self.iteration = 0
        self.timeout = params.get("test_timeout", 14400)
        self.whiteboard = ""
        self.background_errors = error_event.error_events_bus
        self.background_errors.clear()

    def __str__(self):
        return self.name

    def __repr__(self):
        return "<VirtTest %s>" % self.name

    def __getattr__(self, name):
        # Only reached for what is not set: unittest's assertions, imported when one is used.
        if name.startswith(("assert", "fail")) and not name.startswith("_"):
            if self.__dict__.get("_assertions") is None:
                import unittest

                self._assertions = unittest.TestCase()
            return getattr(self._assertions, name)
        raise AttributeError("'%s' object has no attribute %r" % (type(self).__name__, name))

    @staticmethod
    def fail(msg=None):
        """Ends the test as FAIL."""
        raise statuses.exceptions().TestFail(msg)

    @staticmethod
    def error(msg=None):
        """Ends the test as ERROR."""
        raise statuses.exceptions().TestError(msg)

    @staticmethod
    def cancel(msg=None):
        """Ends the test as CANCEL."""
        raise statuses.exceptions().TestCancel(msg)

    @staticmethod
    def skip(msg=None):
        """Ends the test as SKIP."""
        raise statuses.exceptions().TestSkipError(msg)

    def _send_whiteboard(self):
        text = str(self.whiteboard or "")
        if text != self._sent_whiteboard:
            self._context.write_whiteboard(text)
            self._sent_whiteboard = text

    def write_test_keyval(self, d):
        """Makes the dictionary `d` the test's whiteboard."""
        self.whiteboard = str(d)

    def verify_background_errors(self):
        """Ends the test as ERROR if a background thread reported an exception."""
        errors = self.background_errors.get_all()
        if not errors:
            return
        lines = ["BACKGROUND ERROR LIST:"]
        for number, error in enumerate(errors):
            lines.append("- ERROR #%d -\n%s" % (number, "".join(traceback.format_exception(*error))))
        with open(os.path.join(self.logdir, BG_ERR_FILE), "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        first = "".join(traceback.format_exception_only(*errors[0][:2])).strip()
        self.error(
            "%d background error%s, the first: %s (all in %s)"
            % (len(errors), "" if len(errors) == 1 else "s", first, BG_ERR_FILE)
        )
