# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers: what a MultiTest's environment is made of."""

from testplan.testing.multitest.driver.base import Driver, DriverConfig

__all__ = ("Driver", "DriverConfig")
