# SPDX-License-Identifier: GPL-2.0-or-later
"""Private glue between the runner and the tests it runs in the embedded interpreter."""
