# SPDX-License-Identifier: GPL-2.0-or-later
"""Regular expressions over log files."""

import re

import _vt

#: What PCRE2 does as Python does it.
_SAME_FLAGS = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.ASCII | re.UNICODE


class FileMatcher:
    """Whether each of some compiled expressions has matched a line of a file, asked again and again while it grows."""

    def __init__(self, path, regexps):
        self.path = str(path)
        self.regexps = list(regexps)
        self.binary = not all(isinstance(regexp.pattern, str) for regexp in self.regexps)
        self._core = None
        if all(regexp.flags & ~_SAME_FLAGS == 0 for regexp in self.regexps):
            try:
                self._core = _vt.driver.FileExtractor(
                    self.path, [(regexp.pattern, regexp.flags, self.binary) for regexp in self.regexps]
                )
            except _vt.Error:
                self._core = None  # what only Python's own expressions can say

    def look(self):
        """(all have matched, values of the named groups, the expressions that have not matched)"""
        if self._core is None:
            return self._look_in_python()
        done = self._core.look()
        return done, dict(self._core.extracts), [self.regexps[index] for index in self._core.unmatched]

    def _look_in_python(self):
        values, left = {}, list(self.regexps)
        try:
            with open(self.path, "rb") as log:
                lines = log.read().splitlines(keepends=True)
        except FileNotFoundError:
            return False, values, left
        for line in lines:
            for regexp in self.regexps:
                binary = isinstance(regexp.pattern, bytes)
                match = regexp.match(line if binary else line.decode("utf-8", "replace").replace("\r\n", "\n"))
                if match:
                    values.update({key: value for key, value in match.groupdict().items() if value is not None})
                    if regexp in left:
                        left.remove(regexp)
        return not left, values, left


def match_regexps_in_file(logpath, log_extracts):
    """(all have matched a line, values of the named groups, the expressions that have not matched)"""
    return FileMatcher(logpath, log_extracts).look()
