# SPDX-License-Identifier: GPL-2.0-or-later
"""Avocado's status exceptions by name, for an environment without Avocado.

Tests that run under Avocado get Avocado's own classes; these stand in where a test is run by hand.
"""


class JobError(Exception):
    """The job cannot go on."""


class TestBaseException(Exception):
    """Parent of what ends a test with a status."""

    status = "FAIL"


class TestSetupFail(TestBaseException):
    status = "ERROR"


class TestError(TestBaseException):
    status = "ERROR"


class TestAbortError(TestBaseException):
    status = "ERROR"


class TestSkipError(TestBaseException):
    status = "SKIP"


class TestFail(TestBaseException, AssertionError):
    status = "FAIL"


class TestWarn(TestBaseException):
    status = "WARN"


class TestCancel(TestBaseException):
    status = "CANCEL"


class TestInterrupt(TestBaseException):
    status = "INTERRUPTED"
