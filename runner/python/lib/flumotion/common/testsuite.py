# SPDX-License-Identifier: GPL-2.0-or-later
"""TestCase and attr for Flumotion's tests: trial's TestCase where Twisted is installed, else unittest's."""

try:
    from twisted.trial import unittest
except ImportError:
    import unittest


class TestCase(unittest.TestCase):
    """With the name that Flumotion's tests have for trial's assertFailure()."""

    if hasattr(unittest.TestCase, "assertFailure"):
        failUnlessFailure = unittest.TestCase.assertFailure


def attr(*names, **values):
    """Marks a test with attributes, for runners that select by them."""

    def mark(function):
        for name in names:
            setattr(function, name, True)
        for name, value in values.items():
            setattr(function, name, value)
        return function

    return mark
