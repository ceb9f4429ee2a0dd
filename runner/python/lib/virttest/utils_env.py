# SPDX-License-Identifier: GPL-2.0-or-later
"""Env: the VMs of a job and what tests leave for the next one, over the core's."""

import json
import logging
from collections import UserDict

LOG = logging.getLogger("avocado." + __name__)

ENV_VERSION = 1


def get_env_version():
    """Version of the environment that tests see."""
    return ENV_VERSION


class EnvSaveError(Exception):
    """The environment cannot be stored."""


class Env(UserDict):
    """A dictionary of whatever a test wants to keep; a VM called x is under "vm__x".

    What is text, number, list or dictionary of such goes to the next test of the job; other values live as long as
    this test, with a warning.
    """

    @classmethod
    def _of_core(cls, core):
        env = cls.__new__(cls)
        env._core = core
        env._stored = {key: core.get(key) for key in core.keys()}
        env.data = {"version": ENV_VERSION}
        for key, text in env._stored.items():
            env.data[key] = json.loads(text)
        env._find_vms()
        return env

    def _find_vms(self):
        """Brings data in line with the core's VMs, which C++ may have changed since."""
        from virttest import qemu_vm

        known = {key: vm for key, vm in self.data.items() if key.startswith("vm__")}
        for core in self._core.get_all_vms():
            vm = known.pop("vm__" + core.name, None)
            if vm is None or vm._core is not core:
                self.data["vm__" + core.name] = qemu_vm.VM._of_core(core)
        for key in known:
            del self.data[key]

    def get_all_vms(self):
        """All VMs."""
        self._find_vms()
        return [vm for key, vm in self.data.items() if key.startswith("vm__")]

    def get_vm(self, name):
        """The VM called name, or None."""
        self._find_vms()
        return self.data.get("vm__%s" % name)

    def create_vm(self, vm_type, target, name, params, bindir):
        """Makes a VM, not started, and registers it."""
        from virttest import qemu_vm

        params = params.copy()
        params["vm_type"] = vm_type
        vm = qemu_vm.VM._of_core(self._core.create_vm(params.data.core, name))
        self.data["vm__%s" % name] = vm
        return vm

    def register_vm(self, name, vm):
        """Makes a VM part of the environment."""
        if vm.name != name:
            raise ValueError("the VM is called %s, it cannot be registered as %s" % (vm.name, name))
        self._core.register_vm(vm._core)
        self.data["vm__%s" % name] = vm

    def unregister_vm(self, name):
        """Takes a VM out of the environment."""
        del self.data["vm__%s" % name]
        self._core.unregister_vm(name)

    def _store(self):
        """Gives the core what can be stored."""
        for key, value in self.data.items():
            if key == "version" or key.startswith(("vm__", "exithandlers__")):
                continue
            try:
                text = json.dumps(value)
            except (TypeError, ValueError) as error:
                LOG.warning("env[%r] cannot be stored for the next test: %s", key, error)
                continue
            if self._stored.get(key) != text:
                self._core.set(key, text)
                self._stored[key] = text
        for key in [key for key in self._stored if key not in self.data]:
            self._core.erase(key)
            del self._stored[key]

    def save(self, filename=None):
        """Stores the environment now; it is stored after each test anyway."""
        if filename is not None:
            raise EnvSaveError("the environment lies where its job keeps it, not in %s" % filename)
        self._store()
        self._core.save()
