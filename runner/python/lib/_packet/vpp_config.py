# SPDX-License-Identifier: GPL-2.0-or-later
"""VPP's start-up configuration as a text, made and checked by the core."""

import shlex

import _vtpacket


class VppConfig:
    """Stanzas with keys; a wrong one is refused."""

    default_values = {"unix": {"interactive": None}}

    def __init__(self):
        self._core = _vtpacket.VppConfig()
        self.plugins = []
        self.values = {}
        for stanza, keys in self.default_values.items():
            self.values[stanza] = {}
            for key, value in keys.items():
                self.add(stanza, key, value)

    def __deepcopy__(self, memo):
        copied = type(self)()
        for stanza, keys in self.values.items():
            for key, value in keys.items():
                copied.add(stanza, key, value)
        for key, value in self.plugins:
            copied.add_plugin(key, value)
        return copied

    def add(self, stanza, key, val):
        """Sets a key; None is a key without a value. Raises ValueError for what VPP does not know."""
        self._core.add(stanza, key, None if val is None else str(val))
        self.values.setdefault(stanza, {})[key] = val

    def add_plugin(self, key, val):
        self._core.add_plugin(key, val)
        self.plugins.append((key, val))

    def __str__(self):
        return self._core.text()

    def shlex(self):
        """The text as words of a command line."""
        return shlex.split(str(self))


class MinimalVppConfig(VppConfig):
    default_values = {"unix": {"interactive": None, "cli-listen": "run/vpp/cli.sock", "gid": 1000}}


class VppTestCaseVppConfig(VppConfig):
    default_values = {
        "unix": {"nodaemon": None, "full-coredump": None},
        "api-trace": {"on": None},
        "socksvr": {"default": None},
    }
