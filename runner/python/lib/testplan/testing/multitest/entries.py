# SPDX-License-Identifier: GPL-2.0-or-later
"""What a case asserted or logged: true unless an assertion failed."""

import pprint

_MISSING = object()


def shown(value, limit=200):
    """A value for a sentence."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


class Entry:
    """An assertion: whether it holds, and its sentence."""

    def __init__(self, passed, kind, detail, description=None, **values):
        self.passed = bool(passed)
        self.kind = kind
        self.detail = detail
        self.description = description
        self.category = "DEFAULT"
        self.__dict__.update(values)

    def __bool__(self):
        return self.passed

    def sentence(self):
        """ "Server received: 'a' == 'b'"."""
        return f"{self.description}: {self.detail}" if self.description else self.detail

    def __repr__(self):
        return f"{self.kind}({self.sentence()!r}, {'passed' if self.passed else 'failed'})"


class Log(Entry):
    """A message, which may be anything that can be shown."""

    def __init__(self, message, description=None):
        text = message if isinstance(message, str) else pprint.pformat(message)
        super().__init__(True, "Log", text, description, message=message)


class Group(Entry):
    """Entries under one description."""

    def __init__(self, entries, description=None):
        self.entries = entries
        super().__init__(True, "Group", "", description)

    def __bool__(self):
        return all(self.entries)

    def sentence(self):
        failed = next((entry for entry in self.entries if not entry), None)
        inner = failed.sentence() if failed is not None else f"{len(self.entries)} entries"
        return f"{self.description}: {inner}" if self.description else inner


def differences(actual, expected, place=""):
    """Sentences for where two values differ; functions and compiled expressions in `expected` are asked."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for key in {**expected, **actual}:
            at = f"{place}[{key!r}]"
            if key not in actual:
                found.append(f"{at} is missing")
            elif key not in expected:
                found.append(f"{at} is not expected")
            else:
                found += differences(actual[key], expected[key], at)
        return found
    if isinstance(expected, (list, tuple)) and isinstance(actual, (list, tuple)):
        found = [] if len(actual) == len(expected) else [f"{place or 'it'} has {len(actual)} items, not {len(expected)}"]
        for index, (one, other) in enumerate(zip(actual, expected)):
            found += differences(one, other, f"{place}[{index}]")
        return found
    if matches(actual, expected):
        return []
    return [f"{place or 'it'} is {shown(actual)}, not {shown(expected)}"]


def matches(actual, expected):
    """Whether a value is the expected one, or satisfies it if that is a function, a type or a compiled expression."""
    if hasattr(expected, "fullmatch") and isinstance(actual, (str, bytes)):
        return bool(expected.match(actual))
    if callable(expected) and expected is not actual:
        return isinstance(actual, expected) if isinstance(expected, type) else bool(expected(actual))
    return actual == expected
