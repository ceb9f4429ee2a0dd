# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuration objects: options with defaults, checked when an entity is made."""

from testplan.common.config.base import (
    ABSENT,
    UNSET,
    UNSET_T,
    Config,
    ConfigOption,
    Configurable,
    update_options,
    validate_func,
)

__all__ = (
    "ABSENT",
    "UNSET",
    "UNSET_T",
    "Config",
    "ConfigOption",
    "Configurable",
    "update_options",
    "validate_func",
)
