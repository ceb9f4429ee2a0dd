# SPDX-License-Identifier: GPL-2.0-or-later
"""Intervals of versions, written as in mathematics: "[2.10, 4.0)", "(,3]"."""

import re

from packaging.version import parse


class VersionInterval:
    """`"2.10.16" in VersionInterval("[2.10.1, 2.11)")`; a bound that is left out is none."""

    def __init__(self, interval):
        match = re.fullmatch(r"([\[(])([^,]*),([^,]*)([\])])", interval.strip())
        if match is None:
            raise ValueError("%r is no interval of versions, such as [2.1, 3)" % (interval,))
        self.opening, lower, upper, self.closing = match.groups()
        self.lower_bound = parse(lower.strip()) if lower.strip() else None
        self.upper_bound = parse(upper.strip()) if upper.strip() else None
        if self.lower_bound and self.upper_bound:
            closed = self.opening + self.closing == "[]"
            if self.lower_bound > self.upper_bound or (self.lower_bound == self.upper_bound and not closed):
                raise ValueError("no version can be in %r" % (interval,))

    def __repr__(self):
        return "<version interval %s%s, %s%s>" % (self.opening, self.lower_bound, self.upper_bound, self.closing)

    def __contains__(self, version):
        version = parse(version)
        if self.lower_bound and (version < self.lower_bound or (version == self.lower_bound and self.opening == "(")):
            return False
        if self.upper_bound and (version > self.upper_bound or (version == self.upper_bound and self.closing == ")")):
            return False
        return True
