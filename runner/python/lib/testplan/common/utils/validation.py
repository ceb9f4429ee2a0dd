# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks for options."""


def is_subclass(*classes):
    """A check: a class that derives from one of these."""
    return lambda value: isinstance(value, type) and issubclass(value, classes)


def has_method(name):
    """A check: something with this method."""
    return lambda value: callable(getattr(value, name, None))
