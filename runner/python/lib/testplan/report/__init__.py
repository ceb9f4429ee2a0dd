# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports: what a plan found."""

from testplan._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: "testplan.report.testing.base"
        for name in ("TestReport", "TestGroupReport", "TestCaseReport", "Status", "RuntimeStatus", "ReportCategories")
    },
)
