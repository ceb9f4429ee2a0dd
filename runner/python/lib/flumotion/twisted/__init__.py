# SPDX-License-Identifier: GPL-2.0-or-later
"""flumotion.twisted.integration: plans of processes. Twisted itself is only used where a test does."""
