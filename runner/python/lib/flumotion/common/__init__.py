# SPDX-License-Identifier: GPL-2.0-or-later
"""flumotion.common.testsuite: what Flumotion's tests have as their TestCase."""
