# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of tests."""

import enum


class SkipStrategy(enum.IntEnum):
    """What a failure makes a test leave out."""

    __test__ = False
    NOOP = 0
    CASES_ON_FAILED = 1
    CASES_ON_ERROR = 2
    SUITES_ON_FAILED = 4
    SUITES_ON_ERROR = 8
    TESTS_ON_FAILED = 16
    TESTS_ON_ERROR = 32

    @classmethod
    def noop(cls):
        return cls.NOOP


TEST_PART_PATTERN_FORMAT_STRING = "{} - part({}/{})"
