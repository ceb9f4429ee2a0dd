# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts that Testplan carries along and scripts import from there."""
