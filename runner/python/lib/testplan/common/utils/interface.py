# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures of functions that a framework calls."""

import inspect


class MethodSignatureMismatch(Exception):
    """A function does not take what it will be given."""


class NoRequiredMethod(Exception):
    """A method is missing."""


def method_arguments(function):
    """The names of what it takes, without self."""
    names = list(inspect.signature(function).parameters)
    return [name for name in names if name != "self"]


def check_signature(func, args_list):
    """True, or MethodSignatureMismatch: the function has to take arguments of just these names."""
    found = method_arguments(func)
    if found != list(args_list):
        raise MethodSignatureMismatch(
            f"Expected {getattr(func, '__qualname__', func)} to take {list(args_list)}, but it takes {found}"
        )
    return True


def check_signature_leading(func, args_list, ignore=()):
    """The same for the first arguments."""
    found = [name for name in method_arguments(func) if name not in ignore]
    if found[: len(args_list)] != list(args_list):
        raise MethodSignatureMismatch(
            f"Expected {getattr(func, '__qualname__', func)} to begin with {list(args_list)}, but it takes {found}"
        )
    return True
