# SPDX-License-Identifier: GPL-2.0-or-later
"""The environment of a test, whose drivers may depend on each other."""

from testplan.testing.environment.base import TestEnvironment
from testplan.testing.environment.graph import DriverDepGraph, parse_dependency

__all__ = ("parse_dependency", "TestEnvironment", "DriverDepGraph")
