# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes in other units, and multiples."""

import re

_UNITS = ["B", "K", "M", "G", "T"]


def normalize_data_size(value_str, order_magnitude="M", factor="1024"):
    """A size ("4G", "512 KiB", "100") in another unit, as the text of a float: "4096.0"."""
    match = re.search(r"(\d+\.?\d*)\s*(\w?)", value_str)
    if match is None:
        raise ValueError("%r is no size" % value_str)
    number, unit = match.groups()
    unit = unit.upper()
    steps = _UNITS.index(order_magnitude.upper()) if order_magnitude.upper() in _UNITS else 0
    steps -= _UNITS.index(unit) if unit in _UNITS else 0
    size = float(number) / int(factor) ** steps
    if size.is_integer():
        return "%.1f" % size
    return ("%.20f" % size).rstrip("0")


def align_value(value, factor=1024):
    """The next multiple of factor."""
    return -(-int(value) // int(factor)) * int(factor)


def align_factor(value, factor=1024):
    """The same."""
    return align_value(value, factor)
