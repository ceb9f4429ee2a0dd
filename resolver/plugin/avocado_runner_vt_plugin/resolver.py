# SPDX-License-Identifier: GPL-2.0-or-later
"""References to runnables: one call of the binary for all references of a command."""

import os

from avocado.core.nrunner.runnable import Runnable
from avocado.core.output import LOG_UI
from avocado.core.plugin_interfaces import Discoverer, Resolver
from avocado.core.resolver import ReferenceResolution, ReferenceResolutionResult
from avocado.core.settings import settings

from . import runner
from .settings import Default

KIND = "vt"


def _asked_for(config):
    """True if the user spoke of virtual machine tests, rather than just having the plugin installed."""
    return bool(config.get("vt.config")) or not isinstance(config.get("vt.type", Default()), Default)


def _bootstrapped(config):
    if config.get("vt.config"):
        return True
    vt_type = config.get("vt.type") or "qemu"
    # Types that do not exist are for the binary to refuse.
    if _asked_for(config):
        return True
    return os.path.exists(os.path.join(runner.data_dir(config), "backends", vt_type, "cfg", "subtests.cfg"))


def _runnables(answer, selection):
    deps = answer.get("deps") or {}
    for name, full_name in zip(answer["names"], answer["full_names"]):
        extra = {"dep": deps[full_name]} if full_name in deps else {}
        yield Runnable(KIND, name, selection=selection, full_name=full_name, **extra)


def _resolve(references, config):
    """Resolutions by reference."""
    request = {
        "references": references,
        "settings": runner.vt_settings(config),
        "data_dir": runner.data_dir(config),
    }
    try:
        reply = runner.ask("resolve", request)
    except runner.RunnerError as error:
        reply = {"error": str(error)}
    if "error" in reply:
        if _asked_for(config):
            LOG_UI.error("%s", reply["error"])
        info = reply["error"].replace("\n", " ")
        return {
            reference: ReferenceResolution(reference, ReferenceResolutionResult.NOTFOUND, info=info)
            for reference in references
        }
    result = {}
    for answer in reply["resolutions"]:
        reference = answer["reference"]
        if answer["names"]:
            result[reference] = ReferenceResolution(
                reference, ReferenceResolutionResult.SUCCESS, list(_runnables(answer, reply["selection"]))
            )
            continue
        info = answer.get("info", "")
        if _asked_for(config):
            LOG_UI.error("%s", info)
        result[reference] = ReferenceResolution(reference, ReferenceResolutionResult.NOTFOUND, info=info)
    return result


class VTResolver(Resolver):
    name = "vt"
    description = "Test resolver for virtual machine tests"

    def __init__(self, config=None):
        self.config = config or settings.as_dict()
        self._resolutions = {}

    def resolve(self, reference):
        if os.path.exists(reference):
            return ReferenceResolution(
                reference, ReferenceResolutionResult.NOTFOUND, info="a file, left to the other resolvers"
            )
        if not _bootstrapped(self.config):
            return ReferenceResolution(
                reference, ReferenceResolutionResult.NOTFOUND, info="run 'avocado vt-bootstrap' first"
            )
        if reference not in self._resolutions:
            references = [reference]
            for other in self.config.get("resolver.references") or []:
                if other not in references and not os.path.exists(other):
                    references.append(other)
            self._resolutions.update(_resolve(references, self.config))
        return self._resolutions[reference]


class VTDiscoverer(Discoverer):
    name = "vt"
    description = "Test discoverer for virtual machine tests"

    def __init__(self, config=None):
        self.config = config or settings.as_dict()

    def discover(self):
        if not _asked_for(self.config):
            return []
        return list(_resolve([""], self.config).values())
