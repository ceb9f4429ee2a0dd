# SPDX-License-Identifier: GPL-2.0-or-later
"""What integration tests written for Flumotion import."""
