# SPDX-License-Identifier: GPL-2.0-or-later
"""Logging. Levels between the usual ones, as scripts use them; where lines go is decided by who runs the script."""

import logging

from testplan.common.utils.loggable import Loggable

__all__ = ("Loggable", "TESTPLAN_LOGGER", "TestplanLogger", "USER_INFO", "TEST_INFO", "logger_named")
USER_INFO = 25
TEST_INFO = 22


class TestplanLogger(logging.Logger):
    """A logger with two more levels."""

    __test__ = False
    CRITICAL = logging.CRITICAL
    ERROR = logging.ERROR
    WARNING = logging.WARNING
    USER_INFO = USER_INFO
    TEST_INFO = TEST_INFO
    INFO = logging.INFO
    DEBUG = logging.DEBUG

    def user_info(self, msg, *args, **kwargs):
        self._custom_log(USER_INFO, msg, *args, **kwargs)

    def test_info(self, msg, *args, **kwargs):
        self._custom_log(TEST_INFO, msg, *args, **kwargs)

    def _custom_log(self, level, msg, *args, **kwargs):
        if self.isEnabledFor(level):
            self._log(level, msg, args, **kwargs)


def logger_named(name):
    """Like logging.getLogger(), but of the class above."""
    found = logging.Logger.manager.loggerDict.get(name)
    if isinstance(found, TestplanLogger):
        return found
    before = logging.getLoggerClass()
    logging.setLoggerClass(TestplanLogger)
    try:
        return logging.getLogger(name)
    finally:
        logging.setLoggerClass(before)


logging.addLevelName(USER_INFO, "USER_INFO")
logging.addLevelName(TEST_INFO, "TEST_INFO")
TESTPLAN_LOGGER = logger_named("testplan")
