# SPDX-License-Identifier: GPL-2.0-or-later
"""A plan's report: groups in groups, cases with entries at the leaves."""

from testplan.common.report import RuntimeStatus, Status
from testplan.common.utils.timing import Timer


class ReportCategories:
    TESTPLAN = "testplan"
    MULTITEST = "multitest"
    TESTSUITE = "testsuite"
    TESTCASE = "testcase"
    PARAMETRIZATION = "parametrization"
    SYNTHESIZED = "synthesized"


class _Report:
    """What groups and cases have in common."""

    def __init__(self, name, description=None, uid=None, category=None, parent=None, **_ignored):
        self.name = name
        self.uid = uid or name
        self.description = description
        self.category = category
        self.parent = parent
        self.entries = []
        self.logs = []
        self.timer = Timer()
        self.status_override = None
        self.status_reason = None

    def log(self, level, message):
        """Keeps a line with the report."""
        self.logs.append({"levelname": level, "message": message})

    @property
    def passed(self):
        return self.status <= Status.PASSED

    @property
    def failed(self):
        return self.status in (Status.FAILED, Status.ERROR, Status.XPASS_STRICT)

    @property
    def unknown(self):
        return self.status == Status.NONE

    def __iter__(self):
        return iter(self.entries)

    def __len__(self):
        return len(self.entries)

    def __getitem__(self, key):
        if isinstance(key, int):
            return self.entries[key]
        return self.get_by_uid(key)

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, status={self.status!r})"

    def append(self, entry):
        entry.parent = self
        self.entries.append(entry)

    def get_by_uid(self, uid):
        for entry in self.entries:
            if getattr(entry, "uid", None) == uid:
                return entry
        raise KeyError(uid)


class TestGroupReport(_Report):
    """A test, a suite, or the cases of one parametrization."""

    __test__ = False

    @property
    def status(self):
        if self.status_override is not None:
            return self.status_override
        own = [Status.ERROR] if any(line["levelname"] == "ERROR" for line in self.logs) else []
        return Status.worst(own + [entry.status for entry in self.entries])

    @property
    def runtime_status(self):
        return RuntimeStatus.FINISHED

    @property
    def counter(self):
        """How many cases have which status."""
        counts = {"passed": 0, "failed": 0, "error": 0, "skipped": 0, "total": 0}
        for case in self.cases():
            counts["total"] += 1
            counts[case.status.value] = counts.get(case.status.value, 0) + 1
        return counts

    def cases(self):
        """All cases below."""
        for entry in self.entries:
            if isinstance(entry, TestGroupReport):
                yield from entry.cases()
            else:
                yield entry


class TestReport(TestGroupReport):
    """The whole plan's."""


class TestCaseReport(_Report):
    """One case: what it asserted and logged."""

    __test__ = False

    def __init__(self, name, description=None, **options):
        super().__init__(name, description, **options)
        self.traceback = ""

    @property
    def status(self):
        if self.status_override is not None:
            return self.status_override
        if any(line["levelname"] == "ERROR" for line in self.logs):
            return Status.ERROR
        if any(not entry for entry in self.entries):
            return Status.FAILED
        return Status.PASSED

    @property
    def reason(self):
        """One readable sentence for what did not pass; empty if it did."""
        if self.status_reason:
            return self.status_reason
        for line in self.logs:
            if line["levelname"] == "ERROR":
                lines = [part for part in line["message"].splitlines() if part.strip()]
                return lines[-1].strip() if lines else "an error without words"
        failed = [entry for entry in self.entries if not entry]
        if failed:
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            return failed[0].sentence() + more
        return ""
