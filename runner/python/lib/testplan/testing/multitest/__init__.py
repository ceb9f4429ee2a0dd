# SPDX-License-Identifier: GPL-2.0-or-later
"""MultiTest: suites of cases over an environment of drivers."""

from testplan._lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "MultiTest": "testplan.testing.multitest.base",
        "MultiTestConfig": "testplan.testing.multitest.base",
        "RuntimeEnvironment": "testplan.testing.multitest.base",
        **{
            name: "testplan.testing.multitest.suite"
            for name in ("testsuite", "testcase", "xfail", "skip_if", "skip_if_testcase", "timeout", "post_testcase", "pre_testcase")
        },
    },
)
