# SPDX-License-Identifier: GPL-2.0-or-later
"""Bringing VMs into another state half-way through a test, as preprocess does before it."""

import _vt


def preprocess_vm(test, params, env, name):
    """Makes the VM called name what params ask for: started, restarted if its command line differs, paused, …"""
    _vt.set_up_vm(env._core, params.data.core, name)
    # The core may have given the VM new parameters as a whole.
    env.get_vm(name).params.data.objects.clear()


def postprocess_vm(test, params, env, name):
    """Takes the VM called name down if params ask for it (kill_vm)."""
    vm = env.get_vm(name)
    if vm is None or params.object_params(name).get("kill_vm") != "yes":
        return
    params = params.object_params(name)
    patience = float(params.get("kill_vm_timeout", 0))
    if patience and not vm.is_dead():
        vm.wait_for_shutdown(patience)
    vm.destroy(gracefully=params.get("kill_vm_gracefully") == "yes")
