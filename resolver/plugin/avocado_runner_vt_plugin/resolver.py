# SPDX-License-Identifier: GPL-2.0-or-later
"""References to runnables: one call of the binary for all references of a command."""

import os

from avocado.core import exit_codes
from avocado.core.nrunner.runnable import Runnable
from avocado.core.output import LOG_UI
from avocado.core.plugin_interfaces import Discoverer, Resolver
from avocado.core.resolver import ReferenceResolution, ReferenceResolutionResult
from avocado.core.settings import settings

from . import runner
from .settings import Default

KIND = "vt"
KINDS = (KIND, "vt-plan", "vt-driver", "vt-iotest", "vt-packet")


class VTRunnable(Runnable):
    """A runnable that is cheap to have thousands of.

    Avocado asks for the settings that a kind uses several times for each runnable, and each time looks through all
    installed distributions and makes a dictionary of all settings. The answers are the same, but for the values.
    """

    _used = {}

    @classmethod
    def get_configuration_used_by_kind(cls, kind):
        if kind not in cls._used:
            cls._used[kind] = super().get_configuration_used_by_kind(kind)
        return cls._used[kind]

    @classmethod
    def filter_runnable_config(cls, kind, config):
        try:
            return {key: config[key] for key in cls.get_configuration_used_by_kind(kind)}
        except KeyError:  # what a caller left out has the value of the settings
            return super().filter_runnable_config(kind, config)

    def _config_setter_warning(self, config, default_config=False):
        used = self.get_configuration_used_by_kind(self.kind)
        if len(config) > len(used) or any(key not in used for key in config):
            super()._config_setter_warning(config, default_config)

    @staticmethod
    def pick_runner_module_from_entry_point_kind(kind):
        """What spawners run on other hosts. A real entry point would put a script on PATH that hides the binary."""
        if kind in KINDS:
            return f"{__package__}.remote"
        return Runnable.pick_runner_module_from_entry_point_kind(kind)

    def get_command_args(self):
        """With the file of the selection, where the job has one, in place of the selection: all users can read these."""
        selection_file = self.__dict__.get("selection_file")
        if selection_file is None:
            return super().get_command_args()
        kwargs = self.kwargs
        self.kwargs = {"selection_file": selection_file, **kwargs}
        del self.kwargs["selection"]
        try:
            return super().get_command_args()
        finally:
            self.kwargs = kwargs

    @classmethod
    def many(cls, first, names, kwargs):
        """One runnable like the first for each name and its keyword arguments."""
        for name, arguments in zip(names, kwargs):
            runnable = cls.__new__(cls)
            runnable.__dict__.update(first.__dict__, uri=name, kwargs=arguments)
            yield runnable


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


def _runnables(first, answer, selection):
    deps = answer.get("deps") or {}
    full_names = answer["full_names"]
    arguments = (
        {"selection": selection, "full_name": full_name, "dep": deps[full_name]}
        if full_name in deps
        else {"selection": selection, "full_name": full_name}
        for full_name in full_names
    )
    return list(VTRunnable.many(first, answer["names"], arguments))


def _not_found(reference, info):
    return ReferenceResolution(reference, ReferenceResolutionResult.NOTFOUND, info=info)


def _failed(references, reply, asked_for):
    """Resolutions where nothing can be resolved at all."""
    if reply.get("bad_value"):
        # As Avocado does with a bad value of its own: nothing is resolved, so nothing runs.
        LOG_UI.error("%s", reply["error"])
        raise SystemExit(exit_codes.AVOCADO_FAIL)
    if asked_for:
        LOG_UI.error("%s", reply["error"])
    info = reply["error"].replace("\n", " ")
    return {reference: _not_found(reference, info) for reference in references}


def _resolve(references, config):
    """Resolutions by reference."""
    asked_for = _asked_for(config)
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
        return _failed(references, reply, asked_for)
    first = VTRunnable(KIND, None)  # costs milliseconds, and a command may have thousands of references
    result = {}
    for answer in reply["resolutions"]:
        reference = answer["reference"]
        if answer["names"]:
            result[reference] = ReferenceResolution(
                reference, ReferenceResolutionResult.SUCCESS, _runnables(first, answer, reply["selection"])
            )
            continue
        info = answer.get("info", "")
        if asked_for:
            LOG_UI.error("%s", info)
        result[reference] = _not_found(reference, info)
    return result


class VTResolver(Resolver):
    name = "vt"
    description = "Test resolver for virtual machine tests"

    def __init__(self, config=None):
        self.config = config or settings.as_dict()
        self._resolutions = {}
        self._handed_out = set()

    def resolve(self, reference):
        if os.path.exists(reference):
            return _not_found(reference, "a file, left to the other resolvers")
        if not _bootstrapped(self.config):
            return _not_found(reference, "run 'avocado vt-bootstrap' first")
        if reference not in self._resolutions:
            others = dict.fromkeys([reference, *(self.config.get("resolver.references") or [])])
            references = [
                other
                for other in others
                if other == reference or (other not in self._handed_out and not os.path.exists(other))
            ]
            self._resolutions.update(_resolve(references, self.config))
        # A reference that is given twice is two tests: Avocado writes into a runnable where its results go.
        self._handed_out.add(reference)
        return self._resolutions.pop(reference)


class VTDiscoverer(Discoverer):
    name = "vt"
    description = "Test discoverer for virtual machine tests"

    def __init__(self, config=None):
        self.config = config or settings.as_dict()

    def discover(self):
        if not _asked_for(self.config):
            return []
        return list(_resolve([""], self.config).values())
