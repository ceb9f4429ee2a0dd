# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cases of a plan run."""

import fnmatch


class BaseFilter:
    """Says of a test, a suite and a case whether it runs."""

    def filter(self, test, suite, case):
        raise NotImplementedError(f"{type(self).__name__} has no filter()")


class Filter(BaseFilter):
    """Everything runs."""

    def filter(self, test, suite, case):
        return True


class Pattern(Filter):
    """ "MultiTest:Suite:case", each part with wildcards; parts that are left out are all."""

    def __init__(self, pattern):
        self.pattern = pattern
        self._parts = pattern.split(":")
        if len(self._parts) > 3:
            raise ValueError(f"'{pattern}' has more than the three parts MultiTest:Suite:case")

    def filter(self, test, suite, case):
        names = (
            (test.name,),
            (suite and type(suite).__name__, getattr(suite, "name", None)),
            (getattr(case, "method_name", None), getattr(case, "name", None)),
        )
        return all(
            any(name is not None and fnmatch.fnmatchcase(str(name), part) for name in found)
            for part, found in zip(self._parts, names)
        )


class Tags(Filter):
    """Cases (or suites) with one of these tags."""

    def __init__(self, tags):
        self._tags = {tags} if isinstance(tags, str) else set(tags)

    def filter(self, test, suite, case):
        found = set()
        for options in (getattr(type(suite), "__suite_options__", {}), getattr(case, "options", {})):
            tags = options.get("tags") or ()
            found |= {tags} if isinstance(tags, str) else set(tags)
        return bool(found & self._tags)
