# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds QEMU's block tests (tests/qemu-iotests): scripts that are known by their first line and by what they use.

Of other files no more than the first line is read. Nothing is run.
"""

import os
import re

from avocado.core.plugin_interfaces import Resolver
from avocado.core.extension_manager import PluginPriority
from avocado.core.resolver import ReferenceResolution, ReferenceResolutionResult
from avocado.core.settings import settings

from .resolver import VTRunnable
from .settings import IOTESTS_DEFAULTS

KIND = "vt-iotest"

_LONGEST = 1 << 20  # no script is longer
_FIRST_LINE = re.compile(rb"#![^\n]*\b(?:python3|bash)\b")
_USE = re.compile(rb"^[ \t]*(?:(?:from|import)\b[^\n#]*\biotests\b|\.[ \t]+\S*common\.rc\b)", re.MULTILINE)
_GROUPS = re.compile(rb"^# group:([^\n]*)", re.MULTILINE)


def groups_of(path):
    """The groups of a block test; None for a file that is none."""
    if os.path.splitext(path)[1]:
        return None
    try:
        with open(path, "rb") as file:
            first = file.readline(256)
            if not _FIRST_LINE.match(first):
                return None
            text = first + file.read(_LONGEST)
    except OSError:
        return None
    if not _USE.search(text):
        return None
    found = _GROUPS.search(text[:4096])
    return found.group(1).decode(errors="replace").split() if found else []


class VTIotestsResolver(Resolver):
    """Before Avocado's own resolver of executables, which would take such scripts for its own."""

    name = "vt-iotests"
    description = "Test resolver for QEMU's block tests (qemu-iotests)"
    priority = PluginPriority.HIGH

    def __init__(self, config=None):
        self.config = config or settings.as_dict()

    def _arguments(self):
        """What is set, but for what is the default anyway."""
        values = {key: self.config.get(f"vt.iotests.{key}", default) for key, default in IOTESTS_DEFAULTS.items()}
        return {key: value for key, value in values.items() if value != IOTESTS_DEFAULTS[key]}

    def resolve(self, reference):
        groups = groups_of(reference) if os.path.isfile(reference) else None
        if groups is None:
            return ReferenceResolution(reference, ReferenceResolutionResult.NOTFOUND, info="no block test")
        tags = {group: None for group in groups}
        runnable = VTRunnable(KIND, reference, tags=tags or None, **self._arguments())
        return ReferenceResolution(reference, ReferenceResolutionResult.SUCCESS, [runnable])
