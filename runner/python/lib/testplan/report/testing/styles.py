# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of a result a person wants to see."""

import enum


class StyleEnum(enum.IntEnum):
    RESULT_ONLY = 0
    TEST = 1
    TESTSUITE = 2
    TESTCASE = 3
    CASE = 3
    ASSERTION = 4
    ASSERTION_DETAIL = 5


class Style:
    """One level for what passed, one for what did not."""

    def __init__(self, passing, failing):
        self.passing = self._level(passing)
        self.failing = self._level(failing)

    @staticmethod
    def _level(level):
        if isinstance(level, str):
            return StyleEnum[level.upper().replace("-", "_")]
        return StyleEnum(level)

    def _shows(self, passed, level):
        return (self.passing if passed else self.failing) >= level

    def display_test(self, passed):
        return self._shows(passed, StyleEnum.TEST)

    def display_testsuite(self, passed):
        return self._shows(passed, StyleEnum.TESTSUITE)

    def display_testcase(self, passed):
        return self._shows(passed, StyleEnum.TESTCASE)

    def display_assertion(self, passed):
        return self._shows(passed, StyleEnum.ASSERTION)

    def display_assertion_detail(self, passed):
        return self._shows(passed, StyleEnum.ASSERTION_DETAIL)

    def __eq__(self, other):
        return isinstance(other, Style) and (self.passing, self.failing) == (other.passing, other.failing)

    __hash__ = None

    def __repr__(self):
        return f"Style(passing={self.passing.name}, failing={self.failing.name})"


class StyleArg(enum.Enum):
    """Names of styles on a command line."""

    RESULT_ONLY = Style(StyleEnum.RESULT_ONLY, StyleEnum.RESULT_ONLY)
    SUMMARY = Style(StyleEnum.TEST, StyleEnum.TEST)
    EXTENDED_SUMMARY = Style(StyleEnum.CASE, StyleEnum.ASSERTION)
    DETAILED = Style(StyleEnum.ASSERTION_DETAIL, StyleEnum.ASSERTION_DETAIL)

    @classmethod
    def parse(cls, name):
        return cls[name.upper().replace("-", "_")].value
