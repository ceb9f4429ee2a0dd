# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that are imported when they are first asked for, and words for what is not here."""

import sys


def lazy(package, places, left_out=None):
    """`__getattr__`, `__dir__` and `__all__` of a package: `places` maps a name to its module ("module:" is the module
    itself), `left_out` a name to the reason why it is not here."""
    def fetch(name):
        if name in places:
            module, whole, _ = places[name].partition(":")
            __import__(module)
            loaded = sys.modules[module]
            value = loaded if whole else getattr(loaded, name)
            setattr(sys.modules[package], name, value)
            return value
        if left_out and name in left_out:
            raise not_here(f"{package}.{name}", left_out[name])
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return fetch, lambda: sorted(places), tuple(sorted(places))


def not_here(what, instead=""):
    """The error for a part of Testplan that this runner leaves out."""
    return NotImplementedError(
        f"{what} is not part of avocado-runner-vt's testplan"
        + (f": {instead}" if instead else "")
        + "; with vt.harness.prefer = installed an installed testplan is used"
    )


class Missing:
    """At the end of sys.meta_path: names the parts of Testplan that are not here when one is imported."""

    _WHY = {
        "exporters": "Avocado's results (HTML, XUnit, JSON) are this runner's reports",
        "runners": "pools of workers; Avocado runs test files in parallel",
        "runnable": "the interactive mode and its runner",
        "common.remote": "drivers on other machines",
        "testing.bdd": "tests written as features (BDD)",
        "testing.multitest.driver": "the drivers here are those for TCP, App for programs, and Driver to derive from",
    }

    @classmethod
    def find_spec(cls, name, _path=None, _target=None):
        package, _, part = name.partition(".")
        if package != "testplan" or not part:
            return None
        why = next((text for prefix, text in cls._WHY.items() if (part + ".").startswith(prefix + ".")), "")
        raise ModuleNotFoundError(str(not_here(name, why)), name=name)
