# SPDX-License-Identifier: GPL-2.0-or-later
"""Defaults that scripts look at."""

from testplan.report.testing.styles import Style, StyleEnum

STDOUT_STYLE = Style(passing=StyleEnum.CASE, failing=StyleEnum.ASSERTION_DETAIL)
SUMMARY_NUM_PASSING = 5
SUMMARY_NUM_FAILING = 5
SUMMARY_KEY_COMB_LIMIT = 10000
WEB_SERVER_HOSTNAME = "0.0.0.0"
WEB_SERVER_PORT = 0
MULTITEST_UID_MAX_LENGTH = 512
