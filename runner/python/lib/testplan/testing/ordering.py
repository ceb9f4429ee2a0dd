# SPDX-License-Identifier: GPL-2.0-or-later
"""In which order suites and cases run."""

import random


class BaseSorter:
    def sorted_testsuites(self, suites):
        return suites

    def sorted_testcases(self, suite, cases):
        return cases


class NoopSorter(BaseSorter):
    """As they are written."""


class AlphanumericSorter(BaseSorter):
    def sorted_testsuites(self, suites):
        return sorted(suites, key=lambda suite: type(suite).__name__)

    def sorted_testcases(self, suite, cases):
        return sorted(cases, key=lambda case: case.name)


class ShuffleSorter(BaseSorter):
    """By chance, the same for the same seed."""

    def __init__(self, seed=None, **_ignored):
        self.seed = seed if seed is not None else random.randrange(1 << 30)

    def _shuffled(self, items):
        items = list(items)
        random.Random(self.seed).shuffle(items)
        return items

    def sorted_testsuites(self, suites):
        return self._shuffled(suites)

    def sorted_testcases(self, suite, cases):
        return self._shuffled(cases)
