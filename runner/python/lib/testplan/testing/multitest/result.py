# SPDX-License-Identifier: GPL-2.0-or-later
"""The `result` of a case: what it asserts and logs becomes an entry, and a line of the log at once."""

import re
import traceback

from testplan.common.utils.logger import TESTPLAN_LOGGER
from testplan.testing.multitest.entries import Entry, Group, Log, differences, matches, shown

#: Parts of Testplan's result that make pictures or pages for its web interface.
LEFT_OUT = ("log_html", "log_code", "markdown", "graph", "matplot", "plotly", "flow_chart", "attach", "fix", "xml", "logfile")


class SkipTestcaseException(Exception):
    """result.skip() ends a case."""


class ExceptionCapture:
    """The block of result.raises() and result.not_raises()."""

    def __init__(self, result, exceptions, wanted, pattern=None, func=None, description=None):
        self._result, self._wanted = result, wanted
        self._exceptions = exceptions if isinstance(exceptions, (tuple, list)) else (exceptions,)
        self._pattern, self._func, self._description = pattern, func, description
        self.assertion = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        names = " or ".join(exception.__name__ for exception in self._exceptions)
        raised = error is not None and isinstance(error, tuple(self._exceptions))
        fits = raised and (
            (self._pattern is None or re.search(self._pattern, str(error)) is not None)
            and (self._func is None or bool(self._func(error)))
        )
        if error is not None and not isinstance(error, Exception):
            return False
        told = "nothing was raised" if error is None else f"{type(error).__name__}({str(error)!r}) was raised"
        how = f" matching {self._pattern!r}" if self._pattern else ""
        passed = fits if self._wanted else not fits
        detail = f"{told}, {'as' if passed == self._wanted else 'not'} {names}{how}" if self._wanted else f"{told}; {names}{how} should not be"
        self.assertion = self._result._keep(
            Entry(passed, "Raises" if self._wanted else "NotRaises", detail, self._description, exception=error)
        )
        return True


class _Namespace:
    """`result.NAME`."""

    def __init__(self, result):
        self.result = result

    def _keep(self, passed, kind, detail, description, **values):
        return self.result._keep(Entry(passed, kind, detail, description, **values))


class RegexNamespace(_Namespace):
    """Expressions over a text."""

    def _check(self, kind, regexp, value, description, wanted, flags, find):
        found = find(re.compile(regexp, flags) if not hasattr(regexp, "search") else regexp)
        pattern = getattr(regexp, "pattern", regexp)
        detail = f"{pattern!r} {'is' if found else 'is not'} in {shown(value)}"
        return self._keep(bool(found) == wanted, kind, detail, description, regexp=pattern, string=value)

    def match(self, regexp, value, description=None, category=None, flags=0):
        return self._check("RegexMatch", regexp, value, description, True, flags, lambda code: code.match(value))

    def multiline_match(self, regexp, value, description=None, category=None):
        return self.match(regexp, value, description, flags=re.MULTILINE | re.DOTALL)

    def not_match(self, regexp, value, description=None, category=None, flags=0):
        return self._check("RegexMatchNotExists", regexp, value, description, False, flags, lambda code: code.match(value))

    def multiline_not_match(self, regexp, value, description=None, category=None):
        return self.not_match(regexp, value, description, flags=re.MULTILINE | re.DOTALL)

    def search(self, regexp, value, description=None, category=None, flags=0):
        return self._check("RegexSearch", regexp, value, description, True, flags, lambda code: code.search(value))

    def search_empty(self, regexp, value, description=None, category=None, flags=0):
        return self._check("RegexSearchNotExists", regexp, value, description, False, flags, lambda code: code.search(value))

    def findall(self, regexp, value, description=None, category=None, flags=0, condition=None):
        def find(code):
            found = list(code.finditer(value))
            return condition(len(found)) if condition else found

        return self._check("RegexFindIter", regexp, value, description, True, flags, find)

    def matchline(self, regexp, value, description=None, category=None, flags=0):
        return self._check(
            "RegexMatchLine", regexp, value, description, True, flags, lambda code: any(map(code.match, value.splitlines()))
        )


class DictNamespace(_Namespace):
    """Dictionaries."""

    def check(self, dictionary, has_keys=None, absent_keys=None, description=None, category=None):
        missing = [key for key in has_keys or () if key not in dictionary]
        there = [key for key in absent_keys or () if key in dictionary]
        detail = "; ".join(
            ([f"{missing} should be there"] if missing else []) + ([f"{there} should not be there"] if there else [])
        )
        return self._keep(not detail, "DictCheck", detail or "the keys are as they should be", description)

    def match(
        self, actual, expected, description=None, category=None, include_keys=None, exclude_keys=None,
        include_tags=None, exclude_tags=None, report_mode=None, actual_description=None,
        expected_description=None, value_cmp_func=None,
    ):
        def kept(values):
            return {
                key: value
                for key, value in values.items()
                if (not include_keys or key in include_keys) and key not in (exclude_keys or ())
            }

        if value_cmp_func is not None:
            one, other = kept(actual), kept(expected)
            found = [f"[{key!r}] differs" for key in {**one, **other} if key not in one or key not in other or not value_cmp_func(one[key], other[key])]
        else:
            found = differences(kept(actual), kept(expected))
        return self._keep(not found, "DictMatch", "; ".join(found) or f"{shown(actual)} is as expected", description, actual=actual, expected=expected)

    def match_all(self, values, comparisons, description=None, category=None, key_weightings=None):
        found = [] if len(values) == len(comparisons) else [f"{len(values)} values, {len(comparisons)} expected"]
        for index, (value, comparison) in enumerate(zip(values, comparisons)):
            found += differences(value, getattr(comparison, "value", comparison), f"[{index}]")
        return self._keep(not found, "DictMatchAll", "; ".join(found) or "all are as expected", description)

    def log(self, dictionary, description=None):
        return self.result.log(dictionary, description)


def _rows(table):
    """Rows as dictionaries: of those, or of lists with the columns' names first."""
    table = list(table)
    if not table or isinstance(table[0], dict):
        return table
    return [dict(zip(table[0], row)) for row in table[1:]]


class TableNamespace(_Namespace):
    """Tables: lists of dictionaries, or of lists with the columns' names first."""

    def _compare(self, actual, expected, include_columns, exclude_columns):
        def kept(rows):
            return [
                {
                    name: value
                    for name, value in row.items()
                    if (not include_columns or name in include_columns) and name not in (exclude_columns or ())
                }
                for row in _rows(rows)
            ]

        return differences(kept(actual), kept(expected))

    def match(self, actual, expected, description=None, category=None, include_columns=None, exclude_columns=None, report_all=True, fail_limit=0):
        found = self._compare(actual, expected, include_columns, exclude_columns)
        return self._keep(not found, "TableMatch", "; ".join(found) or "the tables are equal", description)

    def diff(self, actual, expected, description=None, category=None, include_columns=None, exclude_columns=None, report_all=True, fail_limit=0):
        found = self._compare(actual, expected, include_columns, exclude_columns)
        return self._keep(not found, "TableDiff", "; ".join(found) or "the tables are equal", description)

    def column_contain(self, table, column, values, description=None, category=None, limit=None, report_fails_only=False):
        wrong = [row.get(column) for row in _rows(table)[:limit] if row.get(column) not in values]
        detail = f"column {column!r} has {shown(wrong)}, which are not in {shown(values)}" if wrong else f"all of column {column!r} is in {shown(values)}"
        return self._keep(not wrong, "ColumnContain", detail, description)

    def log(self, table, display_index=False, description=None):
        return self.result.log(_rows(table), description)


class Result:
    """Assertions and logs of a case. Each returns its entry, which is true if it holds."""

    namespaces = {"regex": RegexNamespace, "dict": DictNamespace, "table": TableNamespace}

    def __init__(self, stdout_style=None, continue_on_failure=True, _description=None, _parent=None, **_ignored):
        self.entries = []
        self.continue_on_failure = continue_on_failure
        self._description, self._parent = _description, _parent
        for name, namespace in self.namespaces.items():
            setattr(self, name, namespace(self))

    def __getattr__(self, name):
        if name in LEFT_OUT:
            from testplan._lazy import not_here

            raise not_here(f"result.{name}", "result.log() takes anything that can be shown")
        raise AttributeError(f"result has no '{name}'")

    def __bool__(self):
        return self.passed

    def __iter__(self):
        return iter(self.entries)

    def __len__(self):
        return len(self.entries)

    @property
    def passed(self):
        """Whether nothing failed so far."""
        return all(self.entries)

    def _keep(self, entry):
        self.entries.append(entry)
        if isinstance(entry, Log):
            TESTPLAN_LOGGER.info("%s", entry.sentence())
        elif not isinstance(entry, Group):
            TESTPLAN_LOGGER.log(20 if entry else 40, "%s - %s", "Pass" if entry else "Fail", entry.sentence())
        if not entry and not self.continue_on_failure and not isinstance(entry, Group):
            raise AssertionError(entry.sentence())
        return entry

    def _compare(self, kind, sign, holds, first, second, description):
        detail = f"{shown(first)} {sign} {shown(second)}" + ("" if holds else " does not hold")
        return self._keep(Entry(holds, kind, detail, description, first=first, second=second))

    def log(self, message, description=None, flag=None):
        return self._keep(Log(message, description))

    def fail(self, description, category=None, flag=None):
        return self._keep(Entry(False, "Fail", description))

    def conditional_log(self, condition, log_message, log_description=None, fail_description="", flag=None):
        return self.log(log_message, log_description) if condition else self.fail(fail_description)

    def true(self, value, description=None, category=None):
        return self._keep(Entry(value, "IsTrue", f"{shown(value)} is {'true' if value else 'not true'}", description, expr=value))

    def false(self, value, description=None, category=None):
        return self._keep(Entry(not value, "IsFalse", f"{shown(value)} is {'not false' if value else 'false'}", description, expr=value))

    def equal(self, actual, expected, description=None, category=None):
        return self._compare("Equal", "==", actual == expected, actual, expected, description)

    def not_equal(self, actual, expected, description=None, category=None):
        return self._compare("NotEqual", "!=", actual != expected, actual, expected, description)

    def less(self, first, second, description=None, category=None):
        return self._compare("Less", "<", first < second, first, second, description)

    def greater(self, first, second, description=None, category=None):
        return self._compare("Greater", ">", first > second, first, second, description)

    def less_equal(self, first, second, description=None, category=None):
        return self._compare("LessEqual", "<=", first <= second, first, second, description)

    def greater_equal(self, first, second, description=None, category=None):
        return self._compare("GreaterEqual", ">=", first >= second, first, second, description)

    eq, ne, lt, gt, le, ge = equal, not_equal, less, greater, less_equal, greater_equal

    def isclose(self, first, second, rel_tol=1e-09, abs_tol=0.0, description=None, category=None):
        import cmath

        return self._compare("IsClose", "~=", cmath.isclose(first, second, rel_tol=rel_tol, abs_tol=abs_tol), first, second, description)

    def contain(self, member, container, description=None, category=None):
        return self._compare("Contain", "in", member in container, member, container, description)

    def not_contain(self, member, container, description=None, category=None):
        return self._compare("NotContain", "not in", member not in container, member, container, description)

    def _slices(self, kind, actual, expected, indices, description):
        wrong = [index for index in indices if index >= len(actual) or index >= len(expected) or actual[index] != expected[index]]
        return self._keep(Entry(not wrong, kind, f"items {wrong} differ" if wrong else "the items are equal", description, actual=actual, expected=expected))

    def equal_slices(self, actual, expected, slices, description=None, category=None):
        length = max(len(actual), len(expected))
        indices = sorted({index for part in slices for index in range(*part.indices(length))})
        return self._slices("EqualSlices", actual, expected, indices, description)

    def equal_exclude_slices(self, actual, expected, slices, description=None, category=None):
        length = max(len(actual), len(expected))
        left_out = {index for part in slices for index in range(*part.indices(length))}
        indices = [index for index in range(length) if index not in left_out]
        return self._slices("EqualExcludeSlices", actual, expected, indices, description)

    def raises(self, exceptions, description=None, category=None, pattern=None, func=None):
        """A context manager: its block has to raise one of these."""
        return ExceptionCapture(self, exceptions, True, pattern, func, description)

    def not_raises(self, exceptions, description=None, category=None, pattern=None, func=None):
        """A context manager: its block must not raise one of these."""
        return ExceptionCapture(self, exceptions, False, pattern, func, description)

    def diff(self, first, second, description=None, category=None, **_options):
        import difflib

        def lines(value):
            return value.splitlines() if isinstance(value, str) else [str(line) for line in value]

        found = [line for line in difflib.unified_diff(lines(first), lines(second), lineterm="", n=0)][2:]
        return self._keep(Entry(not found, "LineDiff", "\n".join(found) or "no line differs", description))

    def group(self, description=None, summarize=False, **_options):
        """A context manager: what is asserted on its value stands under one description."""
        return type(self)(continue_on_failure=self.continue_on_failure, _description=description, _parent=self)

    def __enter__(self):
        if self._parent is None:
            raise RuntimeError("a result is no context manager; result.group() is")
        return self

    def __exit__(self, kind, error, _):
        if error is not None and not isinstance(error, (AssertionError, SkipTestcaseException)) and isinstance(error, Exception):
            self._parent.log("".join(traceback.format_exception(kind, error, None)))
        self._parent._keep(Group(self.entries, self._description))

    def subresult(self):
        """A result of its own, for another thread; append() takes it back."""
        return type(self)(continue_on_failure=self.continue_on_failure)

    def append(self, result):
        self.entries += result.entries

    def prepend(self, result):
        self.entries[:0] = result.entries

    def skip(self, reason, description=None):
        """Ends the case, which counts as skipped."""
        raise SkipTestcaseException(f"{description}: {reason}" if description else reason)

    @property
    def serialized_entries(self):
        return [{"type": entry.kind, "passed": bool(entry), "description": entry.description, "detail": entry.sentence()} for entry in self.entries]


__all__ = ("Result", "SkipTestcaseException", "ExceptionCapture", "matches")
